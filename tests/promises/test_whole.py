"""Whole versions only: while another process rewrites the documents, in every way that programs have, each
version that enters the index existed as a whole.

The promise ends at states that look whole from outside: a writer that stops in the middle for longer than a
reader waits leaves such a state. The writer knows when that happened to it (`rewriter`).
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from connectors.base import Fetched
from connectors.files import FilesConnector
from tests.knowledge import Knowledge
from tests.promises import rewriter
from tests.promises.image import differences, image, rebuilt


def words(text: str) -> str:
    return " ".join(text.split())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(3 if metafunc.config.getoption("--soak") else 1))


def test_every_version_in_the_index_existed_whole(
    kb: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soak: bool, seed: int
) -> None:
    kept = tmp_path / "kept"
    for name in ("whole", "paused"):
        (kept / name).mkdir(parents=True)
    for way in rewriter.WAYS:
        data = rewriter.version(way, 0)
        (kb.docs / f"{way}.txt").write_bytes(data)
        rewriter.keep(kept / "whole", data)
    number = 10_000 if soak else 1_500
    arguments = [str(value) for value in (kb.docs, kept, seed, number)]
    command = [sys.executable, rewriter.__file__, *arguments]
    seen: dict[str, str] = {}
    syncs = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as writer:
        really = FilesConnector.fetch

        def order(uri: str) -> None:
            assert writer.stdin is not None
            with suppress(BrokenPipeError):
                writer.stdin.write(f"{uri}\n".encode())

        def fetch(self: FilesConnector, uri: str, into: Path | None) -> Fetched:
            # Every file that is read is rewritten at that time.
            order(uri)
            return really(self, uri, into)

        monkeypatch.setattr(FilesConnector, "fetch", fetch)
        ways = cycle(rewriter.WAYS)
        while writer.poll() is None:
            # A sync that finds all files at rest would read none, and none would be rewritten ever again.
            order(f"{next(ways)}.txt")
            kb.sync()
            syncs += 1
            texts = kb.texts()
            for uri, document in kb.documents().items():
                if document.version:
                    # A writer that paused behind its truncation leaves an empty file.
                    seen[str(document.content_hash)] = words(texts.get(uri, ""))
    monkeypatch.setattr(FilesConnector, "fetch", really)
    assert writer.returncode == 0
    whole, paused = ({path.name: path for path in (kept / name).iterdir()} for name in ("whole", "paused"))
    torn = seen.keys() - whole.keys()
    assert torn <= paused.keys(), f"{len(torn)} of {len(seen)} versions, seen in {syncs} syncs"
    for content_hash, text in seen.items():
        path = whole.get(content_hash) or paused[content_hash]
        assert text == words(path.read_text(encoding="utf-8"))
    print(f"{len(seen)} versions, seen in {syncs} syncs")
    assert len(seen) > 2 * len(rewriter.WAYS)
    report = kb.sync()
    assert report.exit_code == 0
    assert differences(kb.ask(image), rebuilt(kb)) == []
