"""One writer: never two inside, and no process waits for a dead one."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.errors import Locked, StoreError
from index.ledger import Ledger
from index.store.edge.lock import FolderLock
from tests import forks
from tests.commands import environment, process
from tests.knowledge import Knowledge
from tests.promises.image import differences, image, rebuilt

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.timeout(300)

#: Until a process that waits although it should not is given up, on a slow machine.
PATIENCE_SECONDS = 60.0


def played(lock: str, rounds: int, seed: int, folder: Path, url: str = "sqlite") -> dict[str, Any]:
    """The referee's counts; see `tests.promises.writers`."""
    command = [sys.executable, "-m", "tests.promises.writers", lock, str(rounds), str(seed), str(folder), url]
    ended = forks.run(command, env=environment(), capture_output=True, text=True, timeout=280)
    assert (ended.returncode, ended.stderr) == (0, "")
    seen: dict[str, Any] = json.loads(ended.stdout)
    return seen


@contextmanager
def running(*command: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes to it; it is gone afterwards."""
    child = forks.Popen(
        command,
        env=environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def says(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


# ── Two writers ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("lock", ["source", "folder"])
def test_never_two_are_inside_and_a_dead_one_holds_nothing(
    lock: str, seed: int, tmp_path: Path, soak: bool
) -> None:
    if seed > 1 and not soak:
        pytest.skip("one seed is enough for the short form")
    rounds = 200 if soak else 30
    seen = played(lock, rounds, seed, tmp_path)
    assert (seen["two"], seen["refused"], seen["named"]) == (0, 0, 0), seen
    assert seen["rounds"] == rounds
    # They met, and were killed in all kinds of moments.
    assert seen["entered"] > rounds and rounds > seen["inside"] > rounds // 4


@pytest.mark.parametrize("seed", [1])
def test_a_database_server_lets_one_in_and_soon_forgets_a_dead_one(
    seed: int, tmp_path: Path, postgresql_url: str, soak: bool
) -> None:
    """It sees by the end of the connection that a holder is dead, which is a moment after its death."""
    rounds = 200 if soak else 8
    seen = played("source", rounds, seed, tmp_path, postgresql_url)
    assert seen["two"] == 0 and seen["rounds"] == rounds, seen
    assert seen["longest"] < PATIENCE_SECONDS / 2


def test_the_referee_sees_two_inside(tmp_path: Path) -> None:
    assert played("none", 5, 1, tmp_path)["two"] > 0


# ── What the dead leave ───────────────────────────────────────────────────────────────────────────────

GONE = {
    "source": "docs",
    "host": "elsewhere",
    "command": "freshkb sync",
    "since": "2026-01-01T00:00:00+00:00",
}

NOTES = {
    "of a process that is gone": json.dumps({**GONE, "pid": 2**22 + 1}),
    "of a process whose number another has now": json.dumps({**GONE, "pid": os.getppid()}),
    "half written": json.dumps({**GONE, "pid": 1})[:40],
    "empty": "",
    "of another program": '{"pid": 1}',
    "no text": "\udcff",
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES.keys())
def test_a_note_that_nobody_stands_by_is_nobodys(note: str, tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    for name in ("docs.json", ".docs.json.a1b2c3d_"):
        (locks / name).write_text(note, errors="surrogateescape")
    with Ledger.open("sqlite", tmp_path) as ledger:
        assert ledger.writers() == []
        # A process has the lock and has not signed yet, or could not.
        with (locks / "docs.lock").open("w") as taken:
            fcntl.flock(taken, fcntl.LOCK_EX)
            with pytest.raises(Locked, match="'docs' is being written by another process; nothing was done"):
                ledger.writer("docs", "freshkb sync").__enter__()
            assert ledger.writers() == []
        with ledger.writer("docs", "freshkb watch"):
            assert [(w.pid, w.command) for w in ledger.writers()] == [(os.getpid(), "freshkb watch")]
        assert [path.name for path in locks.iterdir()] == ["docs.lock"]


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES.keys())
def test_a_folders_lock_is_free_whatever_is_written_in_it(note: str, tmp_path: Path) -> None:
    for name in (".lock", ".turn"):
        (tmp_path / name).write_text(note, errors="surrogateescape")
    mine, other = FolderLock(tmp_path), FolderLock(tmp_path)
    mine.acquire(0)
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()} on {os.uname().nodename}"):
        other.acquire(0)
    mine.release()
    with (tmp_path / ".lock").open("r+") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        taken.truncate(0)
        with pytest.raises(StoreError, match="in use by another process"):
            other.acquire(0)


def test_who_may_not_write_the_state_folder_is_told_so_and_may_ask_who_writes(tmp_path: Path) -> None:
    """Root may write anywhere, so the child becomes the user ``nobody``. Its working directory is the folder,
    because it may not enter those above."""
    code = """
import os, pathlib, sqlite3, sys
from datetime import UTC, datetime
from index.errors import FreshkbError
from index.ledger import Ledger
from index.ledger.locks import FileLocks
from index.store.edge.lock import FolderLock
os.chdir(sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
here = pathlib.Path()
print([writer.source for writer in FileLocks(here / "locks").holders()])
for attempt in (
    lambda: FileLocks(here / "locks").hold("docs", "freshkb sync").__enter__(),
    lambda: FileLocks(here / "none").hold("docs", "freshkb sync").__enter__(),
    lambda: FolderLock(here).acquire(0),
    lambda: FolderLock(here / "none").acquire(0),
    lambda: Ledger.open("sqlite", here).runs.approve("hash", "docs", "run", datetime.now(UTC), []),
):
    try:
        attempt()
    except FreshkbError as error:
        print(type(error).__name__, error)
"""
    with Ledger.open("sqlite", tmp_path / "state") as ledger, ledger.writer("busy", "freshkb sync"):
        state = tmp_path / "state"
        (state / "locks" / "docs.lock").touch(0o444)
        modes = {path: path.stat().st_mode for path in (state, *state.rglob("*"))}
        try:
            for path, mode in modes.items():
                path.chmod(mode & 0o555 | 0o444 | (mode & 0o100 and 0o555))
            with running(sys.executable, "-c", code, str(state)) as child:
                told, trouble = child.communicate(timeout=PATIENCE_SECONDS)
        finally:
            for path, mode in modes.items():
                path.chmod(mode)
    lines = told.splitlines()
    assert trouble == "" and len(lines) == 6, (told, trouble)
    assert lines[0] == "['busy']"
    for line in lines[1:3]:
        assert re.fullmatch(r"LedgerError The writer lock of source 'docs' cannot be used: .*denied.*", line)
    for line in lines[3:5]:
        assert re.fullmatch(r"StoreError The vector store in .* cannot be locked: .*denied.*", line)
    assert lines[5].startswith(
        "LedgerReadOnly The ledger ledger.db can only be read: user 65534 has no permission"
    )


# ── Children ──────────────────────────────────────────────────────────────────────────────────────────

FORKING = """
import os, pathlib, sys
from index.ledger import Ledger
url, folder, ending = sys.argv[1:]
ledger = Ledger.open(url, pathlib.Path(folder))
with ledger.writer("docs", "freshkb sync"):
    heard, told = os.pipe()
    child = os.fork()
    if child == 0 and ending == "stays":
        os.write(told, b"forked")
        sys.stdin.read()
        os._exit(0)
    if child:
        if ending == "leaves":
            os.waitpid(child, 0)
        print(os.read(heard, 10).decode(), flush=True)
        sys.stdin.read()
os.write(told, b"forked")
os._exit(0)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")


def test_a_forked_child_does_not_keep_its_dead_parents_lock(url: str, tmp_path: Path) -> None:
    with (
        Ledger.open(url, tmp_path) as ledger,
        running(sys.executable, "-W", "ignore", "-c", FORKING, url, str(tmp_path), "stays") as parent,
    ):
        assert says(parent) == "forked"
        with pytest.raises(Locked, match=f"pid {parent.pid}"):
            ledger.writer("docs", "freshkb sync").__enter__()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        # Its child still waits for the end of its input.
        enter(ledger)


def test_a_forked_child_does_not_free_its_parents_lock(url: str, tmp_path: Path) -> None:
    with (
        Ledger.open(url, tmp_path) as ledger,
        running(sys.executable, "-W", "ignore", "-c", FORKING, url, str(tmp_path), "leaves") as parent,
    ):
        assert says(parent) == "forked"
        with pytest.raises(Locked, match=f"pid {parent.pid}"):
            ledger.writer("docs", "freshkb sync").__enter__()
        assert [writer.pid for writer in ledger.writers()] == [parent.pid]


def enter(ledger: Ledger) -> None:
    """At once; only a database server may need a moment until it has seen that the holder is gone."""
    deadline = time.monotonic() + (0 if ledger.database.on_sqlite else PATIENCE_SECONDS)
    while True:
        try:
            with ledger.writer("docs", "freshkb sync"):
                return
        except Locked:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


# ── Commands ──────────────────────────────────────────────────────────────────────────────────────────

#: A sync that says when it is in the middle of a batch, and stays there until its input ends.
STALLED = """
embed = HashEmbedder.embed_documents
def stalled(self, *asked):
    print("embedding", flush=True)
    sys.stdin.read()
    return embed(self, *asked)
HashEmbedder.embed_documents = stalled
"""


def test_a_second_sync_of_a_source_is_refused_and_the_successor_of_a_dead_one_is_not(kb: Knowledge) -> None:
    kb.write("page-0.md", "# Page 0\n\nText.\n")
    kb.sync()
    for number in range(3):
        kb.write(f"page-{number}.md", f"# Page {number}\n\nAnother text.\n")
    sync = process("sync")
    with running(*process("sync", more=STALLED), cwd=kb.home) as first:
        assert says(first) == "embedding"
        for command in (sync, process("review", "page-0.md", "--by", "anna"), process("verify", "--repair")):
            with running(*command, cwd=kb.home) as second:
                _, told = second.communicate(timeout=PATIENCE_SECONDS)
            assert second.returncode == 4, told
            assert f"`freshkb sync` on {os.uname().nodename} (pid {first.pid}, since 20" in told
            assert "Traceback" not in told
        first.kill()
        first.wait()
        with running(*sync, cwd=kb.home) as successor:
            _, told = successor.communicate(timeout=PATIENCE_SECONDS)
        assert successor.returncode == 0, told
    assert set(kb.texts()) == {"page-0.md", "page-1.md", "page-2.md"}
    assert differences(kb.ask(image), rebuilt(kb)) == []


def test_syncs_of_two_sources_go_on_side_by_side(kb: Knowledge, soak: bool) -> None:
    """Both are in the middle of a batch at once, in the first sync of all and in one of many batches."""
    kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more"})
    (kb.home / "more").mkdir()
    kb.config()
    for turn in range(5 if soak else 2):
        for number in range(70):
            kb.write(f"page-{number}.md", f"# Page {number}\n\nTurn {turn}.\n")
            kb.write(f"../more/page-{number}.md", f"# Page {number}\n\nTurn {turn}, elsewhere.\n")
        commands = [process("sync", "--source", source, more=STALLED) for source in ("docs", "more")]
        with running(*commands[0], cwd=kb.home) as one, running(*commands[1], cwd=kb.home) as other:
            assert says(one) == says(other) == "embedding"
            for sync in (one, other):
                _, told = sync.communicate(timeout=PATIENCE_SECONDS)
                assert sync.returncode == 0, told
        assert differences(kb.ask(image), rebuilt(kb)) == []
