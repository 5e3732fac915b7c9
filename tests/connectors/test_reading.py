from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from connectors import stable_read as reading
from connectors.base import DocumentChanging, DocumentVanished
from tests.connectors.conftest import Connect

SECOND = 1_000_000_000


def test_a_file_rewritten_500_times_is_only_ever_read_whole(
    connect: Connect, root: Path, tmp_path: Path
) -> None:
    """The writer overwrites in place, in pieces, with versions of equal and of different length: every hash
    that comes back, and every file that was written, is one of those that were there."""
    path = root / "a.bin"
    versions = [
        bytes([65 + number % 26]) * (60_000 + number % 3 * 999) + b"%d" % number for number in range(500)
    ]
    whole = {hashlib.sha256(version).hexdigest() for version in versions}
    path.write_bytes(versions[0])
    done = threading.Event()

    def rewrite() -> None:
        for version in versions:
            with path.open("r+b", buffering=0) as file:
                for start in range(0, len(version), 8192):
                    file.write(version[start : start + 8192])
                file.truncate()
            time.sleep(0.03 if version.endswith(b"0") else 0.001)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    files = connect()
    number = read = 0
    while not done.is_set():
        number += 1
        into = tmp_path / str(number)
        try:
            fetched = files.fetch("a.bin", into)
        except DocumentChanging:
            continue
        read += 1
        assert fetched.content_hash in whole
        assert hashlib.sha256(into.read_bytes()).hexdigest() == fetched.content_hash
        assert fetched.entry.size == into.stat().st_size
        into.unlink()
    writer.join()
    assert read
    assert files.fetch("a.bin", None).content_hash == hashlib.sha256(versions[-1]).hexdigest()


def test_a_file_replaced_500_times_is_only_ever_read_whole_and_described_as_read(
    connect: Connect, root: Path
) -> None:
    sizes: dict[str, int] = {}
    for number in range(500):
        data = b"x" * (number * 37)
        sizes[hashlib.sha256(data).hexdigest()] = len(data)
    (root / "a.bin").write_bytes(b"")
    done = threading.Event()

    def replace() -> None:
        for number in range(500):
            (root / ".new").write_bytes(b"x" * (number * 37))
            (root / ".new").rename(root / "a.bin")
            time.sleep(0.002)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    files, read = connect(), 0
    while not done.is_set():
        fetched = files.fetch("a.bin", None)
        assert sizes[fetched.content_hash] == fetched.entry.size
        read += 1
    writer.join()
    assert read


def test_a_file_that_changes_while_it_is_read_is_read_again(
    connect: Connect, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.md").write_bytes(b"old" * 1000)
    really, changes = os.read, [b"new!" * 1000, b"newer" * 10]

    def read(file: int, count: int) -> bytes:
        data = really(file, count)
        if changes:
            (root / "a.md").write_bytes(changes.pop(0))
        return data

    monkeypatch.setattr(os, "read", read)
    fetched = connect().fetch("a.md", tmp_path / "into")
    assert (tmp_path / "into").read_bytes() == b"newer" * 10
    assert fetched.entry == connect().stat("a.md")


def test_a_change_that_sets_the_time_back_is_noticed_while_it_is_read(
    connect: Connect, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "a.md"
    path.write_bytes(b"old")
    os.utime(path, ns=(1_500_000_000, 1_500_000_000))
    really, changes = os.read, [b"new"]

    def read(file: int, count: int) -> bytes:
        data = really(file, count)
        if changes:
            path.write_bytes(changes.pop())
            os.utime(path, ns=(1_500_000_000, 1_500_000_000))
        return data

    monkeypatch.setattr(os, "read", read)
    connect().fetch("a.md", tmp_path / "into")
    assert (tmp_path / "into").read_bytes() == b"new"


def test_a_file_removed_while_it_is_read_is_gone(
    connect: Connect, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.md").write_bytes(b"text")
    really = os.read

    def read(file: int, count: int) -> bytes:
        (root / "a.md").unlink(missing_ok=True)
        return really(file, count)

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(DocumentVanished):
        connect().fetch("a.md", tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_lease_is_waited_for(connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.md").write_bytes(b"text")
    really, leases = os.open, [1, 1]

    def busy(path: Any, *args: Any, **keywords: Any) -> int:
        if path == "a.md" and leases:
            leases.pop()
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return really(path, *args, **keywords)

    monkeypatch.setattr(os, "open", busy)
    assert connect().fetch("a.md", None).content_hash == hashlib.sha256(b"text").hexdigest()


def test_a_file_written_just_now_is_read_after_its_moment_has_passed(connect: Connect, root: Path) -> None:
    for number in range(5):
        (root / "a.md").write_text(str(number))
        fetched = connect().fetch("a.md", None)
        assert fetched.entry.token is not None
        assert time.time_ns() - (root / "a.md").stat().st_mtime_ns > 20_000_000


@pytest.mark.parametrize(
    ("age", "ambiguous"),
    [
        (0.5, True),
        (-0.5, True),
        (10, False),
        (-10, False),
        (-86400 * 365, False),
    ],
)
def test_where_time_is_coarse_a_version_of_this_moment_has_no_token(
    connect: Connect, root: Path, age: float, ambiguous: bool
) -> None:
    (root / "a.md").write_text("x")
    now = time.time_ns()
    moment = round((now - age * SECOND) / SECOND) * SECOND
    os.utime(root / "a.md", ns=(moment, moment))
    assert (connect().fetch("a.md", None).entry.token is None) == ambiguous


def test_a_far_future_time_does_not_delay_or_repeat_the_reading(connect: Connect, root: Path) -> None:
    (root / "a.md").write_text("x")
    future = time.time_ns() + 86_400 * SECOND + 1
    os.utime(root / "a.md", ns=(future, future))
    started = time.perf_counter()
    assert connect().fetch("a.md", None).entry == connect().stat("a.md")
    assert time.perf_counter() - started < 0.2


def test_two_versions_in_one_coarse_moment_are_not_mixed(
    connect: Connect, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system with whole seconds shows no difference between before and after: the status is frozen,
    as it would be there, while the file is overwritten between two blocks."""
    path = root / "a.md"
    path.write_bytes(b"old!")
    moment = time.time_ns() // SECOND * SECOND
    os.utime(path, ns=(moment, moment))
    frozen, really, changes = path.stat(), os.read, [b"new!"]
    monkeypatch.setattr(reading, "_BLOCK", 2)
    monkeypatch.setattr(os, "fstat", lambda file: frozen)

    def read(file: int, count: int) -> bytes:
        data = really(file, count)
        if changes:
            path.write_bytes(changes.pop())
        return data

    monkeypatch.setattr(os, "read", read)
    monkeypatch.setattr(time, "time_ns", lambda: moment + 1)
    fetched = connect().fetch("a.md", tmp_path / "into")
    assert (tmp_path / "into").read_bytes() == b"new!"
    assert fetched.content_hash == hashlib.sha256(b"new!").hexdigest()
    assert fetched.entry.token is None
