"""A process that may only read can read: another user, a mount without writing, a full disk; beside writers
and after them. Every answer is of a whole state, and nothing is written."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.errors import StoreError
from index.ledger import sqlite
from index.ledger.sqlite import SqliteFile
from index.store.edge.lock import FolderLock
from tests import forks
from tests.commands import CommandLine, environment
from tests.knowledge import Knowledge

#: Runs commands as a user that owns nothing, and prints what each of them printed.
READER = """
import json, os, sys
from tests.traces.permissions import become_nobody
import index.embed.embedder
import index.parse
from tests.embedders import HashEmbedder
index.embed.embedder.Embedder = HashEmbedder
index.parse.Parser.warm = index.parse.Parser.walls
if sys.argv[2] == "nobody":
    become_nobody()
os.chdir(sys.argv[1])
from typer.testing import CliRunner
from flows.cli.app import application
told = {}
for line in json.loads(sys.argv[3]):
    done = CliRunner().invoke(application(*line[:1]), line, catch_exceptions=False, prog_name="freshkb")
    told[" ".join(line)] = [done.exit_code, done.stdout, done.stderr]
print(json.dumps(told))
"""

#: A command that has written to the ledger, and is still at it.
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from index.ledger import Ledger
ledger = Ledger.open("sqlite", Path(sys.argv[1]))
ledger.runs.start("watch", datetime(2026, 5, 1, tzinfo=UTC))
print("ready", flush=True)
sys.stdin.read()
"""

READING = [
    ["status", "--json"],
    ["ls", "--json"],
    ["show", "a.md", "--json"],
    ["search", "leave", "--json"],
    ["audit", "--json"],
    ["plan", "--json"],
    ["runs", "--json"],
    ["verify", "--json"],
]
#: Those that are not on record themselves, and say what is.
UNRECORDED = [["status", "--json"], ["runs", "--json"]]
#: Fields that depend on the moment.
MOMENTARY = {"lag_seconds", "generated_at", "age_days", "overdue_days", "status", "first_seen_at", "past"}


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    for name in ("a.md", "b.md", "deep/c.md"):
        kb.write(name, f"# {name}\n\nFour hours of leave, says {name}.\n")
    made = CommandLine(kb, monkeypatch)
    made("sync")
    made("audit")
    return made


def read(home: Path, *lines: list[str], user: str = "nobody") -> dict[str, tuple[int, str, str]]:
    """(exit code, stdout, stderr) of each command."""
    done = forks.run(
        [sys.executable, "-c", READER, str(home), user, json.dumps(lines)],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, tuple[int, str, str]] = json.loads(done.stdout)
    return told


def lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: lasting(inner) for name, inner in value.items() if name not in MOMENTARY}
    return [lasting(inner) for inner in value] if isinstance(value, list) else value


def told_by(freshkb: CommandLine) -> dict[str, Any]:
    """The owner's answers; those about past runs last, because some of the commands are on record."""
    return {" ".join(line): lasting(freshkb.json(*line[:-1])) for line in (*READING, *UNRECORDED)}


def answers(told: dict[str, tuple[int, str, str]]) -> dict[str, Any]:
    failed = {name: said for name, said in told.items() if said[0] != 0}
    assert failed == {}
    return {name: lasting(json.loads(said[1])) for name, said in told.items()}


def files(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where readers put their copies, whoever they are; other tests make some elsewhere meanwhile."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        monkeypatch.setenv("TMPDIR", name)
        yield folder


@contextmanager
def shut(folder: Path) -> Iterator[None]:
    """Only the superuser may write in it."""
    paths = [folder, *folder.rglob("*")]
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in zip(paths, modes, strict=True):
            if path.exists():
                path.chmod(mode)


@contextmanager
def mounted(*arguments: str, at: Path) -> Iterator[None]:
    done = subprocess.run(["mount", *arguments, str(at)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def test_another_user_reads_what_its_owner_does_and_writes_nothing(
    freshkb: CommandLine, kb: Knowledge, copies: Path
) -> None:
    expected = told_by(freshkb)
    with shut(kb.home / ".freshkb"):
        before = files(kb.home)
        # Verify starts a process of its own, and Python may lie in the superuser's home.
        lines = [line for line in READING if line[0] != "verify"]
        expected.pop("verify --json")
        told = read(kb.home, *lines, ["sync"], ["review", "a.md", "--by", "x"], ["doctor"], ["audit"])
        assert files(kb.home) == before
    for command in ("sync", "review a.md --by x"):
        code, _, said = told.pop(command)
        assert code == 1
        assert "ledger.db can only be read: user " in said
        assert "has no permission to write to " in said
    code, said, _ = told.pop("doctor")
    assert code == 1
    assert "BAD state folder" in said
    assert "chown -R" in said
    bad = {line.split()[1] for line in said.splitlines() if line.startswith("BAD")}
    # The last two start processes of their own, and Python may lie in the superuser's home.
    assert bad - {"store", "parsers"} == {"privacy", "state"}
    code, _, said = told.pop("audit")
    assert (code, "Name another folder with --out" in said) == (2, True)
    assert "cannot be written" in told["audit --json"][2]
    assert answers(told) == expected
    assert list(copies.iterdir()) == []


def test_readers_see_what_a_living_writer_committed_and_what_a_killed_one_left(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    state = kb.home / ".freshkb"
    command = [sys.executable, "-c", WRITER, str(state)]
    lines = [["runs", "--json"], ["search", "leave", "--json"]]
    with forks.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        try:
            assert (state / "ledger.db-wal").stat().st_size
            with shut(state):
                living = answers(read(kb.home, *lines))
        finally:
            writer.kill()
    with shut(state):
        killed = answers(read(kb.home, *lines))
    for told, outcome in ((living, "running"), (killed, "killed")):
        assert {run["kind"]: run["outcome"] for run in told["runs --json"]}["watch"] == outcome
        assert len(told["search leave --json"]) == 3


def test_a_mount_without_writing_is_read(freshkb: CommandLine, kb: Knowledge) -> None:
    expected = told_by(freshkb)
    home = kb.home
    with mounted("--bind", str(home), at=home):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(home)], check=True)
        told = read(home, *READING, ["sync"], user="owner")
    assert "its file system is mounted read-only" in told.pop("sync")[2]
    assert answers(told) == expected


def test_a_full_disk_is_read(freshkb: CommandLine, kb: Knowledge, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=24m", "tmpfs", at=small):
        subprocess.run(["cp", "-a", "--sparse=always", f"{kb.home}/.", str(small)], check=True)
        kb.home, kb.docs = small, small / "docs"
        kb.settings["sources"][0]["root"] = str(tmp_path / "kb" / "docs")
        kb.config()
        with (small / "fill").open("wb", buffering=0) as fill, pytest.raises(OSError):
            while True:
                fill.write(bytes(4096))
        before = files(small / "docs")
        told = read(small, *READING, ["sync"], ["doctor"], user="owner")
        assert files(small / "docs") == before
        (small / "fill").unlink()
        # The ledger can be written again, and the store cannot.
        _, _, said = read(small, ["review", "a.md", "--by", "x"], user="owner")["review a.md --by x"]
        assert "The disk of the vector store in " in said
        assert "Nothing was written. Make room" in said
    assert "its disk is full" in told.pop("sync")[2]
    code, said, _ = told.pop("doctor")
    assert (code, "Make room." in said) == (1, True)
    assert len(answers(told)["search leave --json"]) == 3


# ── Whole transactions ────────────────────────────────────────────────────────────────────────────────

#: Opens the database, writes one number into every row, and closes it, which empties the log into the file.
COMING_AND_GOING = """
import random, sqlite3, sys, time
number = 0
while True:
    number += 1
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE rows SET number = ?, filling = randomblob(3000)", (number,))
    connection.execute("COMMIT")
    connection.close()
    time.sleep(random.random() * 0.02)
"""


def numbered(path: Path) -> None:
    """A database of many pages, whose rows have one number."""
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE rows (number INTEGER, filling BLOB)")
        made.executemany("INSERT INTO rows VALUES (0, randomblob(3000))", [()] * 300)


def renumber(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("UPDATE rows SET number = ?, filling = randomblob(3000)", (number,))


@pytest.mark.parametrize("left", [False, True], ids=["closed", "killed"])
def test_a_copy_that_a_writer_came_across_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: Path, left: bool
) -> None:
    path = tmp_path / "ledger.db"
    numbered(path)
    if left:
        kill = "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\n"
        kill += "c.execute('UPDATE rows SET number = 1')\nc.commit()\nos._exit(0)"
        forks.run([sys.executable, "-c", kill, str(path)], check=True)
        assert path.with_name("ledger.db-wal").stat().st_size
    came: list[Path] = []

    def copy(source: Path, target: Path) -> None:
        """A copy during which a writer comes and goes when half is done, the first two times."""
        with source.open("rb") as reading:
            half = source.stat().st_size // 2
            target.write_bytes(reading.read(half))
            if len(came) < 2:
                came.append(source)
                renumber(path, 1 + len(came))
            with target.open("ab") as writing:
                writing.write(reading.read())

    monkeypatch.setattr(sqlite, "_copy", copy)
    file = SqliteFile(path)
    try:
        assert [file._take_copy() for _ in range(3)] == [False, False, True]
        assert file._copy is not None
        assert [file._copy.folder] == list(copies.iterdir())
        with closing(sqlite3.connect(file._copy.folder / path.name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT DISTINCT number FROM rows").fetchall() == [(3,)]
    finally:
        file.close()
    assert list(copies.iterdir()) == []


def test_a_copy_never_holds_half_a_transaction(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    numbered(path)
    seen: set[int] = set()
    tries = 0
    with forks.Popen([sys.executable, "-c", COMING_AND_GOING, str(path)]) as writer:
        try:
            while len(seen) < 8 and tries < 3000:
                tries += 1
                file = SqliteFile(path)
                file.unwritable = "of the test"
                try:
                    if not file._take_copy():
                        continue
                    assert file._copy is not None
                    connection = sqlite3.connect(file._copy.folder / path.name)
                    try:
                        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                        numbers = connection.execute("SELECT DISTINCT number FROM rows").fetchall()
                    finally:
                        connection.close()
                    assert len(numbers) == 1, numbers
                    seen.add(numbers[0][0])
                finally:
                    file.close()
        finally:
            writer.kill()
    assert len(seen) > 1


def test_a_reader_of_a_copy_sees_what_was_written_since(freshkb: CommandLine, kb: Knowledge) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom index.ledger import Ledger\n"
        "from tests.traces.permissions import become_nobody\nbecome_nobody()\n"
        "ledger = Ledger.open('sqlite', Path(sys.argv[1]))\nassert not ledger.writable\n"
        "for _ in sys.stdin:\n    print(len(ledger.runs.newest()), flush=True)\n"
    )
    state = kb.home / ".freshkb"
    command = [sys.executable, "-c", script, str(state)]
    with forks.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def runs() -> int:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write("\n")
            reader.stdin.flush()
            return int(reader.stdout.readline())

        if os.geteuid() != 0:
            pytest.skip("its user could write")
        assert runs() == 2
        freshkb("sync")
        assert runs() == 3
        assert runs() == 3


def test_readers_share_the_store_and_keep_writers_out(freshkb: CommandLine, kb: Knowledge) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom index.store.edge.store import EdgeStore\n"
        "from index.errors import StoreError\nfrom index.model import Point, Sparse\n"
        "from tests.traces.permissions import become_nobody\nbecome_nobody()\n"
        "store = EdgeStore(Path(sys.argv[1]))\n"
        "with store.session(store.collections()[0]) as session:\n"
        "    print(session.count(), flush=True)\n    sys.stdin.readline()\n"
        "    for write in (lambda: session.delete(['0' * 32]), lambda: session.upsert([])):\n"
        "        try:\n            write()\n        except StoreError as error:\n            print(error)\n"
    )
    index = kb.home / ".freshkb" / "index"
    command = [sys.executable, "-c", script, str(index)]
    with shut(index):
        readers = [
            forks.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True)
            for _ in range(2)
        ]
        try:
            # The second one gets in while the first one is still there.
            assert [reader.stdout.readline() for reader in readers if reader.stdout] == ["3\n", "3\n"]
            if os.geteuid() == 0:
                with pytest.raises(StoreError, match="is in use by"):
                    FolderLock(index).acquire(0.05)
        finally:
            said = [reader.communicate("\n")[0] for reader in readers]
    assert all(text.count("may only be read: user ") == 2 for text in said)
