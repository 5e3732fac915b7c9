"""Locks, also across a fork, and files that are written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from index.batched import batched
from index.disk.atomic import leftovers, replacing
from index.disk.flock import is_held, lock, take
from tests.commands import environment


def python(code: str, *arguments: object) -> str:
    """The output of a process of its own: this process has threads, and must not be forked."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_lock_has_one_holder_and_shared_ones_keep_it_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    mine = take(path)
    assert mine is not None and mine.held
    assert take(path) is None and take(path, os.O_RDONLY, shared=True) is None
    mine.release()
    mine.release()
    assert not mine.held
    readers = [take(path, os.O_RDONLY, shared=True) for _ in range(2)]
    assert take(path) is None
    for reader in readers:
        assert reader is not None and reader.shared
        reader.release()
    last = take(path)
    assert last is not None
    last.release()


def test_a_lock_of_an_open_file_outlives_its_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "note"
    with path.open("w") as file:
        assert not is_held(file.fileno())
        held = lock(file.fileno())
    assert held is not None
    with path.open() as file:
        assert is_held(file.fileno()) and lock(file.fileno()) is None
        held.release()
        assert not is_held(file.fileno())


def test_a_folder_can_be_locked_and_a_missing_one_is_said_to_be(tmp_path: Path) -> None:
    held = take(tmp_path, os.O_RDONLY)
    assert held is not None and take(tmp_path, os.O_RDONLY) is None
    held.release()
    with pytest.raises(FileNotFoundError):
        take(tmp_path / "none", os.O_RDONLY)


#: A parent that forks while it holds a lock and a scratch folder, and dies before its child does.
FORKED = """
import os, sys, time
from pathlib import Path
from index.disk.flock import take
from index.disk.scratch import Scratch, clear
home = Path(sys.argv[1])
held, scratch = take(home / "lock"), Scratch(home / "scratch")
ours, parents = os.pipe()
if os.fork():
    assert held.held and take(home / "lock") is None, "the child has freed it"
    os._exit(0)
os.close(parents)
assert not held.held
held.release()
scratch.close()
os.read(ours, 1)  # Until the parent is dead; the kernel frees its locks within moments.
there, until = scratch.folder.exists(), time.monotonic() + 30
while (again := take(home / "lock")) is None and time.monotonic() < until:
    time.sleep(0.01)
while scratch.folder.exists() and time.monotonic() < until:
    clear(home / "scratch")
print(there, again is not None, scratch.folder.exists())
"""


def test_a_forked_child_has_none_of_its_parents_locks(tmp_path: Path) -> None:
    assert python(FORKED, tmp_path) == "True True False\n"


SOCKET = """
import os, socket
from index.disk.fork import Socket
ours, theirs = socket.socketpair()
noted = Socket(ours.fileno())
child = os.fork()
if not child:
    ours.sendall(b"from the child")
    ours.close()
    os._exit(0)
os.waitpid(child, 0)
ours.sendall(b"from the parent")
print(theirs.recv(100).decode())
noted.close()
if not os.fork():
    ours.sendall(b"not noted any more")
    os._exit(0)
print(theirs.recv(100).decode())
"""


def test_a_connection_of_the_parent_leads_nowhere_in_a_forked_child() -> None:
    # A file takes what is written to it, a socket only what is sent.
    code = SOCKET.replace("ours.sendall(b", "os.write(ours.fileno(), b")
    assert python(code) == "from the parent\nnot noted any more\n"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "report.html"
    with replacing(path) as file:
        file.write("first\r\n")
        assert not path.exists() and len(list(leftovers(path))) == 1
    assert path.read_bytes() == b"first\r\n"
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write("half of the sec")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"first\r\n" and list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644
    with replacing(path, grants=0) as file:
        file.write("second")
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_kills_left_is_found_by_the_name_it_was_for(tmp_path: Path) -> None:
    names = (
        ".docs.json.a1b2c3d_",
        ".docs.json.x.json.a1b2c3d_",
        "docs.json",
        ".docs.json",
        ".other.json.a1b2c3d_",
    )
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in leftovers(tmp_path / "docs.json")] == [names[0]]


def test_streams_come_in_pieces_and_are_read_no_further_than_that() -> None:
    stream = iter(range(7))
    pieces = batched(stream, 3)
    assert next(pieces) == [0, 1, 2]
    assert next(stream) == 3
    assert list(pieces) == [[4, 5, 6]]
    assert list(batched([], 3)) == []
    assert list(batched("abcd", 3)) == [["a", "b", "c"], ["d"]]
