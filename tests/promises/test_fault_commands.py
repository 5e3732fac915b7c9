"""Faults at the command line: a message, an exit code, JSON where it was asked for; never a traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.errors import ScratchError
from index.ledger import sqlite
from index.parse import Parser
from index.store.edge import shards
from index.workspace import Workspace
from tests import forks
from tests.commands import CommandLine, environment, process
from tests.embedders import HashEmbedder
from tests.knowledge import Knowledge
from tests.promises.faulty import Fault
from tests.soak import LONG

ENOUGH = 400 << 20


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    kb.write("a.md", "# A\n\nText of a.\n")
    return CommandLine(kb, monkeypatch)


def _faulty(monkeypatch: pytest.MonkeyPatch, part: str, mode: str, at: int) -> Fault:
    """From now on every command's parts fail so."""
    fault = Fault(part, mode)

    def enter(workspace: Workspace) -> Workspace:
        workspace._make_embedder = HashEmbedder
        fault.fit(workspace)
        fault.arm(at)
        return workspace

    monkeypatch.setattr(Workspace, "__enter__", enter)
    return fault


@pytest.mark.parametrize(
    "part, mode, at, said",
    [
        (
            "ledger",
            "full",
            3,
            r"The ledger .*ledger\.db cannot be used: disk I/O error.* run the command again",
        ),
        (
            "ledger",
            "late",
            3,
            r"The ledger .*ledger\.db cannot be used: database is locked.* run the command",
        ),
        ("store", "late", 1, r"The vector store in .*index is in use by process \d+ .* try again"),
        (
            "store",
            "full",
            1,
            r"The vector store could not make collection .*large.* run the command again",
        ),
        ("store", "full", 4, r"The vector store could not write 1 points: .*large.* run the command again"),
        ("connector", "full", 1, r"Temporary files cannot be written in .*: File too large. Make room there"),
        ("parser", "before", 1, "The parser could not be started"),
        ("embedder", "gone", 1, "The model could not embed"),
    ],
)
def test_a_part_that_fails_ends_the_command_with_a_message(
    part: str, mode: str, at: int, said: str, freshkb: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        fault = _faulty(broken, part, mode, at)
        shown = freshkb("sync", "--json", code=1)
    assert fault.fired
    assert shown.stdout == ""
    lines = shown.stderr.strip().splitlines()
    assert len(lines) == 1
    message = json.loads(lines[0])["error"]["message"]
    assert re.search(said, message), message
    assert freshkb.json("sync")["documents"] == 1
    assert freshkb.json("verify", "--deep")["ok"]


def test_a_source_that_goes_away_is_reported_and_json_is_printed(
    freshkb: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    freshkb("sync")
    with monkeypatch.context() as broken:
        _faulty(broken, "connector", "gone", 1)
        shown = freshkb("sync", "--json", code=1)
    (source,) = json.loads(shown.stdout)["sources"]
    assert (source["complete"], source["deleted"]) == (False, 0)
    assert "got no answer. Nothing was removed." in source["error"]
    assert source["error"] in shown.stderr
    assert freshkb.json("sync")["sources"][0]["unchanged"] == 1


def test_a_document_that_takes_too_long_is_quarantined_until_it_is_tried_again(
    freshkb: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        _faulty(broken, "parser", "late", 1)
        shown = freshkb("sync", "--json", code=3)
    assert json.loads(shown.stdout)["sources"][0]["quarantined"] == 1
    assert "1 document in quarantine; see: freshkb ls --state quarantined" in shown.stderr
    assert "longer than the limit" in freshkb.json("ls")[0]["reason"]
    assert freshkb.json("retry")["sources"][0]["updated"] == 1
    assert freshkb.json("verify", "--deep")["ok"]


def test_no_points_are_written_to_a_disk_that_is_nearly_full(
    freshkb: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(shards, "ROOM_BYTES", 1 << 62)
        said = freshkb("sync", code=1).stderr
    assert "is full" in said and "Make room, and run the command again." in said
    freshkb("sync")
    assert freshkb.json("verify", "--deep")["ok"]


def test_no_temporary_folder_is_an_error_that_names_it(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = kb.home / ".freshkb" / "scratch"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    assert f"Temporary files cannot be written in {in_the_way}" in freshkb("sync", code=1).stderr
    in_the_way.unlink()
    with monkeypatch.context() as gone:
        gone.setattr(tempfile, "tempdir", "/nowhere")
        with Parser() as another, pytest.raises(ScratchError, match="/nowhere"):
            another.parse(kb.docs / "a.md", ".md")
    freshkb("sync")


def test_output_that_finds_its_disk_full_is_an_error(freshkb: CommandLine, kb: Knowledge) -> None:
    with Path("/dev/full").open("w") as full:
        done = forks.run(
            process("sync", "--json"),
            cwd=kb.home,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "os_error", done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    freshkb.json("sync")


# ── A small disk ──────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of this size at `folder`, while the block lasts."""
    folder.mkdir()
    size = f"size={kilobytes}k"
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder]).returncode:
        pytest.skip("A file system can be mounted by root only.")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def _run(kb: Knowledge, *arguments: str, more: str = "") -> tuple[int, Any, str]:
    done = forks.run(
        process(*arguments, "--json", more=more),
        cwd=kb.home,
        env=environment(),
        capture_output=True,
        text=True,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.mark.parametrize(
    "kilobytes, guarded",
    [
        (16_000, True),
        (16_000, False),
        *(pytest.param(size, False, marks=LONG) for size in (200, 1000, 24_000)),
    ],
)
def test_a_full_disk_costs_nothing_but_time(kilobytes: int, guarded: bool, kb: Knowledge) -> None:
    for number in range(40):
        kb.write(f"{number}.md", "".join(f"# Part {n}\n\nText {n} of {number}.\n\n" for n in range(5)))
    kb.settings["state_dir"] = "./disk/state"
    kb.config()
    with _disk(kb.home / "disk", kilobytes):
        # Without the guard the engine writes where no room is, and the kernel ends the process.
        more = "" if guarded else "import index.store.edge.shards; index.store.edge.shards.ROOM_BYTES = 0"
        code, _, said = _run(kb, "sync", more=more)
        assert code == 1 or (code == -signal.SIGBUS and not guarded), said
        if code == 1:
            # The last line: on a slow machine those before it say what is being waited for.
            assert "run the command again" in json.loads(said.splitlines()[-1])["error"]["message"]
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", f"remount,size={ENOUGH}", kb.home / "disk"], check=True)
        code, report, _ = _run(kb, "sync")
        assert (code, report["documents"], report["chunks"]["total"]) == (0, 40, 200)
        code, found, _ = _run(kb, "verify", "--deep")
        assert (code, found["ok"], found["points"]) == (0, True, 200)
