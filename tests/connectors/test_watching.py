from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import watching
from connectors.base import SourceUnavailable
from tests.connectors.conftest import Connect

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel interface of Linux")


class Hints:
    """Collects hints, and waits for those that a test expects."""

    def __init__(self) -> None:
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.seen: list[str | None] = []

    def __call__(self, folder: str | None) -> None:
        self._queue.put(folder)

    def expect(self, *folders: str | None, seconds: float = 10) -> None:
        missing, deadline = set(folders), time.monotonic() + seconds
        while missing:
            try:
                hint = self._queue.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no hint of {missing}; there were {self.seen}")
            self.seen.append(hint)
            missing.discard(hint)

    def provoke(self, change: Callable[[], object], folder: str) -> None:
        for _ in range(50):
            change()
            try:
                return self.expect(folder, seconds=0.2)
            except pytest.fail.Exception:
                continue
        pytest.fail(f"no hint of {folder!r}; there were {self.seen}")

    def clear(self) -> None:
        self.seen.clear()


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looks often, and leaves no thread behind."""
    before = set(threading.enumerate())
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.05)
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture(params=[pytest.param(False, id="kernel"), pytest.param(True, id="polling")])
def polling(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def watch(connect: Connect, hints: Hints, polling: bool = False, **settings: Any) -> Any:
    files = connect(**settings)
    return watching.watching(files.root, files._filter(), hints, polling=polling, poll_seconds=0.05)


def test_every_change_of_a_document_hints_at_its_folder(connect: Connect, root: Path, polling: bool) -> None:
    write(root / "a/old.md")
    write(root / "b/c/there.md")
    hints = Hints()
    with watch(connect, hints, polling):
        write(root / "top.md")
        hints.expect("")
        write(root / "a/old.md", "changed")
        hints.expect("a")
        write(root / "b/c/new.md")
        hints.expect("b/c")
        hints.clear()
        (root / "b/c/there.md").unlink()
        hints.expect("b/c")
        (root / "a/old.md").rename(root / "b/moved.md")
        hints.expect("a", "b")


def test_a_change_right_after_the_beginning_is_not_missed(connect: Connect, root: Path) -> None:
    for number in range(20):
        hints = Hints()
        with watch(connect, hints):
            write(root / f"{number}.md")
            hints.expect("")


def test_what_was_created_with_its_folders_is_hinted_at(connect: Connect, root: Path, polling: bool) -> None:
    hints = Hints()
    with watch(connect, hints, polling):
        write(root / "a/b/c/d.md")
        hints.expect("a", "a/b", "a/b/c")
        hints.clear()
        write(root / "a/b/c/e.md")
        hints.expect("a/b/c")


def test_folders_moved_in_are_hinted_at_with_everything_below(
    connect: Connect, root: Path, tmp_path: Path, polling: bool
) -> None:
    write(tmp_path / "outside/b/c.md")
    hints = Hints()
    with watch(connect, hints, polling):
        (tmp_path / "outside").rename(root / "a")
        hints.expect("a", "a/b")
        hints.clear()
        write(root / "a/b/d.md")
        hints.expect("a/b")


@pytest.mark.parametrize("how", ["moved out", "moved", "removed"])
def test_a_folder_that_leaves_hints_at_the_whole_source(
    connect: Connect, root: Path, tmp_path: Path, polling: bool, how: str
) -> None:
    write(root / "a/b/c.md")
    hints = Hints()
    with watch(connect, hints, polling):
        match how:
            case "moved out":
                (root / "a").rename(tmp_path / "out")
            case "moved":
                (root / "a").rename(root / "z")
            case _:
                shutil.rmtree(root / "a")
        hints.expect(None)


@linux
def test_a_folder_that_comes_back_is_watched_again(connect: Connect, root: Path, tmp_path: Path) -> None:
    write(root / "a/b/c.md")
    hints = Hints()
    with watch(connect, hints):
        (root / "a").rename(tmp_path / "out")
        hints.expect(None)
        (tmp_path / "out").rename(root / "back")
        hints.expect("back", "back/b")
        hints.clear()
        write(root / "back/b/d.md")
        hints.expect("back/b")


def test_what_the_filters_leave_out_gives_no_hint(connect: Connect, root: Path, polling: bool) -> None:
    write(root / ".git/config")
    write(root / "state/ledger.db")
    hints = Hints()
    with watch(connect, hints, polling, private=(root / "state",), exclude=["*.tmp", "build/"]):
        write(root / ".git/index")
        write(root / ".hidden")
        write(root / "state/ledger.db", "more")
        write(root / "state/reports/report.html")
        write(root / "draft.tmp")
        shutil.rmtree(root / "state/reports")
        write(root / "end/a.md")
        hints.expect("end")
        assert set(hints.seen) == {"end"}


@linux
def test_reading_gives_no_hint(connect: Connect, root: Path) -> None:
    write(root / "a/b.md")
    hints = Hints()
    with watch(connect, hints):
        list(connect().list())
        connect().fetch("a/b.md", None)
        write(root / "end/a.md")
        hints.expect("end")
        assert "a" not in hints.seen


def test_names_that_are_no_text_are_hinted_at_by_their_uri(
    connect: Connect, root: Path, polling: bool
) -> None:
    folder = root / os.fsdecode(b"caf\xe9 %41")
    folder.mkdir()
    hints = Hints()
    with watch(connect, hints, polling):
        write(folder / "a.md")
        hints.expect("caf%E9 %2541")


def test_links_are_not_followed(connect: Connect, root: Path, tmp_path: Path, polling: bool) -> None:
    (tmp_path / "outside").mkdir()
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    hints = Hints()
    with watch(connect, hints, polling):
        write(tmp_path / "outside/a.md")
        write(root / "end/a.md")
        hints.expect("end")
        assert not {"out", "loop", "loop/end"} & set(hints.seen)


def test_a_root_that_vanishes_is_told_and_watched_again_when_it_is_back(
    connect: Connect, root: Path, polling: bool
) -> None:
    write(root / "a.md")
    hints = Hints()
    with watch(connect, hints, polling):
        root.rename(root.parent / "moved")
        hints.expect(None)
        hints.clear()
        root.mkdir()
        hints.expect(None)
        # Only changes can tell when it is watched again: the hint about the whole source may be an older one.
        hints.provoke(lambda: write(root / "b.md"), "")


def test_a_watch_that_dies_is_told_and_begun_again(connect: Connect, root: Path) -> None:
    from watchdog.observers.api import EventEmitter

    hints = Hints()
    with watch(connect, hints):
        for thread in threading.enumerate():
            if isinstance(thread, EventEmitter):
                thread.stop()
        hints.expect(None)
        hints.expect(None)
        write(root / "a.md")
        hints.expect("")


@linux
def test_an_overflow_of_the_kernels_queue_hints_at_the_whole_source(connect: Connect, root: Path) -> None:
    """A queue of thousands cannot be overrun at will: the kernel's message is handed in where it arrives."""
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, WatchDescriptor

    hints = Hints()
    with watch(connect, hints):
        (kernel,) = (thread for thread in threading.enumerate() if isinstance(thread, InotifyFD))
        kernel.handle_event(InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b""))
        hints.expect(None)
        write(root / "a/b.md")
        hints.expect("a")


@linux
@pytest.mark.parametrize("left", [0, 1])
def test_too_few_watches_are_an_error_that_names_the_remedies(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """The limit belongs to the machine, so the system call is made to fail once so many watches are set."""
    from watchdog.observers import inotify_c

    write(root / "a/b.md")
    really, folders = inotify_c.InotifyFD.add_callback, set[bytes]()

    def limited(self: Any, path: bytes, *args: Any) -> Any:
        if path not in folders and len(folders) >= left:
            raise OSError(28, "inotify watch limit reached")
        folders.add(path)
        return really(self, path, *args)

    monkeypatch.setattr(inotify_c.InotifyFD, "add_callback", limited)
    with pytest.raises(SourceUnavailable, match=r"watch limit reached.*Polling.*max_user_watches"):
        watch(connect, Hints()).__enter__()


def test_a_root_that_is_missing_cannot_be_watched(connect: Connect, polling: bool) -> None:
    with pytest.raises(SourceUnavailable, match="No such file"):
        watch(connect, Hints(), polling, root="nowhere").__enter__()


def test_a_connector_watches_its_root(connect: Connect, root: Path) -> None:
    hints = Hints()
    with connect().watch(hints):
        write(root / "a.md")
        hints.expect("")
    with connect().watch(hints, polling=True):
        pass
