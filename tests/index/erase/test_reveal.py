"""Reveal files: for the requester alone, and the way from a receipt to its documents."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.erase import reveal
from index.erase.receipt import opened
from index.erase.reveal import Revealed, read, write
from index.errors import ConfigError
from index.ledger import Erased
from index.model import State
from index.workspace import Workspace
from tests.contracts.ledger_contract import chunk, document, put
from tests.erasures import SALT
from tests.knowledge import Knowledge
from tests.receipts import done


@pytest.fixture
def workspace(kb: Knowledge) -> Iterator[Workspace]:
    with kb.workspace() as opened:
        yield opened


def erased(uri: str) -> Erased:
    return Erased(f"id-of-{uri}", "handbook", uri, State.INDEXED, 1, None, None, "Title")


URIS = ('staff/zoë "q".md', "b\\c😀.md", "line\nbreak.md", "half\udc80.md")


def test_what_was_written_is_read_and_for_its_owner_alone(tmp_path: Path) -> None:
    path, before = tmp_path / "reveal.json", os.umask(0)
    try:
        write(path, "E-1", bytes(range(32)), "Anna \ud800", "Art. 17", [erased(uri) for uri in URIS])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = read(path)
    assert found == reveal.Reveal(
        "E-1", bytes(range(32)), "Anna \ud800", "Art. 17", tuple(("handbook", uri) for uri in URIS)
    )
    assert "Title" not in path.read_text()


def test_no_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "reveal.json"
    path.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (path, tmp_path / "link", tmp_path):
        with pytest.raises(ConfigError, match="is there already, and is not replaced"):
            write(taken, "E-1", b"s", "", "", [])
    assert path.read_text() == "mine" and not (tmp_path / "elsewhere").exists()
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write(tmp_path / "gone" / "reveal.json", "E-1", b"s", "", "", [])


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        write(tmp_path / "reveal.json", "E-1", b"s", "", "", [])
    assert list(tmp_path.iterdir()) == []


def test_its_documents_are_found_among_the_subjects(workspace: Workspace, tmp_path: Path) -> None:
    for uri in ("a.md", "b.md", "c.md"):
        put(workspace.ledger, document(uri, uri, content_hash=uri, seen_hash=uri, size=1), chunk(uri, 0))
    receipt = opened(done(workspace, "E-1", ["a.md", "b.md"]))
    write(tmp_path / "r", "E-1", SALT, "anna", "x", [erased(uri) for uri in ("b.md", "c.md", "a.md")])
    assert read(tmp_path / "r").in_receipt(receipt) == [
        Revealed("handbook", "b.md", "E-1/2"),
        Revealed("handbook", "c.md"),
        Revealed("handbook", "a.md", "E-1/1"),
    ]
    write(tmp_path / "salted", "E-1", b"other", "anna", "x", [erased("a.md")])
    assert read(tmp_path / "salted").in_receipt(receipt) == [Revealed("handbook", "a.md")]
    write(tmp_path / "of another", "E-2", SALT, "anna", "x", [erased("a.md")])
    with pytest.raises(ConfigError, match=r"is of the order E-2, and the receipt of E-1\."):
        read(tmp_path / "of another").in_receipt(receipt)
    # The subject of an order without documents is no document.
    nothing = opened(done(workspace, "E-3", []))
    write(tmp_path / "none", "E-3", SALT, "anna", "x", [erased("a.md")])
    assert read(tmp_path / "none").in_receipt(nothing) == [Revealed("handbook", "a.md")]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "urn:freshkb:reveal:v2"}, {"salt": "xyz"}, {"salt": 1}, {"documents": None}, {"order_id": 1},
        {"documents": ["a.md"]}, {"documents": [{"source": "handbook"}]}, {"by": None}, {"reason": 1},
    ],
)  # fmt: skip
def test_what_is_none_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "reveal.json"
    write(path, "E-1", b"s", "anna", "x", [erased("a.md")])
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigError, match=r"reveal\.json is no reveal file of freshkb: it"):
        read(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gone cannot be read: No such file"):
        read(tmp_path / "gone")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ConfigError, match="text: This is no reveal file"):
        read(tmp_path / "text")
