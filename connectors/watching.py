"""Hints that a folder tree may have changed, from the operating system.

Hints may be lost: the kernel's queue overflows, watches run out, the root is unmounted. Each loss that can be
noticed becomes ``on_hint(None)``, and a watch that ended is taken up again as soon as that is possible.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserverVFS
from watchdog.utils import BaseThread

from connectors.base import SourceUnavailable
from connectors.paths import encode
from connectors.patterns import PathFilter

if TYPE_CHECKING:
    from watchdog.observers.inotify_c import InotifyFD

#: Between two looks at the whole tree when polling; one takes about a second for 100,000 files.
POLL_SECONDS = 5.0
#: How long a watch may take to end; it is given up then.
END_SECONDS = 5.0
#: Between two looks whether the watch is still alive.
CHECK_SECONDS = 1.0

#: Reading a document opens and closes it; a watch on that would answer to ourselves. A folder counts as
#: modified whenever something in it was created or removed, which has an event of its own.
_EVENTS: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]

Hint = Callable[[str | None], None]


@contextmanager
def watching(
    root: Path,
    accept: PathFilter,
    on_hint: Hint,
    *,
    polling: bool = False,
    poll_seconds: float = POLL_SECONDS,
) -> Iterator[None]:
    """Hints about `root` while the context lasts; a change after its beginning is not missed.

    Raises SourceUnavailable when it cannot be watched, saying what would help.
    """
    watch = _Watch(root, accept, on_hint, poll_seconds if polling else None)
    watch.begin()
    ended = threading.Event()

    def supervise() -> None:
        reported = False
        while not ended.wait(CHECK_SECONDS):
            if watch.alive:
                continue
            if not reported:
                on_hint(None)
                reported = True
            try:
                watch.begin()
            except SourceUnavailable:
                continue
            on_hint(None)
            reported = False

    supervisor = threading.Thread(target=supervise, name=f"supervise the watch of {root}", daemon=True)
    supervisor.start()
    try:
        yield
    finally:
        ended.set()
        supervisor.join(END_SECONDS)
        # All of its threads end with the process. A thread of watchdog's may miss that it is to end, and a
        # join would wait for ever: a service that was asked to end must not.
        ending = threading.Thread(target=watch.end, name=f"end the watch of {root}", daemon=True)
        ending.start()
        ending.join(END_SECONDS)


class _Watch(FileSystemEventHandler):
    """An observer of one root, which can be begun again after it failed."""

    def __init__(self, root: Path, accept: PathFilter, on_hint: Hint, poll_seconds: float | None) -> None:
        self._root, self._accept, self._on_hint, self._poll_seconds = root, accept, on_hint, poll_seconds
        self._top = ""
        self._status: os.stat_result | None = None
        self._threads: list[BaseThread] = []
        self._resources = ExitStack()

    @property
    def alive(self) -> bool:
        """Whether hints still come, and from what the root is now: it may have been replaced or unmounted."""
        try:
            same = self._status is not None and os.path.samestat(self._status, self._root.stat())
        except OSError:
            return False
        return same and all(thread.is_alive() for thread in self._threads)

    def begin(self) -> None:
        self.end()
        # A folder that was moved out and comes back has its watch set again, which watchdog finds odd.
        warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning, r"watchdog\.")
        try:
            with ExitStack() as resources:
                status = self._root.stat()
                self._top = os.path.realpath(self._root)
                self._threads = self._start(resources)
                self._status = status
                self._resources = resources.pop_all()
        except OSError as error:
            raise SourceUnavailable(
                f"The folder {str(self._root)!r} cannot be watched: {error.strerror or error}. Polling works "
                "without watches; fs.inotify.max_user_watches and max_user_instances limit them on Linux."
            ) from error

    def end(self) -> None:
        self._status = None
        self._resources.close()

    def _start(self, resources: ExitStack) -> list[BaseThread]:
        """Threads that hand events to `dispatch`, watches set. Raises OSError."""
        observer: BaseObserver
        if self._poll_seconds is not None:
            # With the status of the links themselves, as the observer would follow them out of the root.
            observer = PollingObserverVFS(os.lstat, self._visible, polling_interval=self._poll_seconds)
        elif sys.platform == "linux":
            from watchdog.observers.inotify import InotifyEmitter
            from watchdog.observers.inotify_c import InotifyFD

            kernel = InotifyFD()
            _run(kernel, resources)
            observer = BaseObserver(InotifyEmitter, inotify_fd=kernel)
        else:
            from watchdog.observers import Observer

            observer = Observer()
        observer.schedule(self, self._top, recursive=True, event_filter=_EVENTS)
        _run(observer, resources)
        threads: list[BaseThread] = [observer, *observer.emitters]
        if self._poll_seconds is None and sys.platform == "linux":
            _notice_losses(kernel, self._top, self._on_hint, resources)
            threads.append(kernel)
        return threads

    def dispatch(self, event: FileSystemEvent) -> None:
        """Turns an event into hints. The kind of event is not passed on: a hint only says where to look."""
        uris = (self._uri(event.src_path), self._uri(event.dest_path))
        if isinstance(event, DirCreatedEvent):
            for uri in uris:
                if uri and self._accept.covers(f"{uri}/"):
                    self._on_hint(uri)
        elif isinstance(event, DirDeletedEvent | DirMovedEvent):
            # The contents of a folder that was moved away are gone without events of their own, at any depth.
            if any(uri is not None and (not uri or self._accept.covers(f"{uri}/")) for uri in uris):
                self._on_hint(None)
        else:
            for uri in uris:
                if uri and self._accept.takes(uri):
                    self._on_hint(uri.rpartition("/")[0])

    def _uri(self, path: bytes | str) -> str | None:
        """None for a path that is not below the root, and for no path."""
        path, above = os.fsdecode(path), self._top.rstrip("/") + "/"
        if path == self._top:
            return ""
        return encode(path.removeprefix(above)) if path.startswith(above) else None

    def _visible(self, folder: str | None) -> Iterator[os.DirEntry[str]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                uri = self._uri(entry.path)
                if uri and self._accept.enters(uri):
                    yield entry


def _run(thread: BaseThread, resources: ExitStack) -> None:
    thread.start()
    resources.callback(thread.join)
    resources.callback(thread.stop)


def _notice_losses(kernel: InotifyFD, top: str, on_hint: Hint, resources: ExitStack) -> None:
    """Tells of overflows of the kernel's queue, which the observer only logs, and of watches that it could
    not set on folders below the root, which it passes over. Raises OSError for these."""
    from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, Mask

    class Overflow:
        def on_event(self, event: InotifyEvent) -> None:
            pass

        def on_watch_deleted(self, wd: int) -> None:
            pass

        def on_queue_overflow(self) -> None:
            on_hint(None)

    # Added to the mask that the observer asked for, which it would replace otherwise.
    mask = Mask(InotifyConstants.IN_MASK_ADD | InotifyConstants.IN_DELETE_SELF)
    overflow = Overflow()
    watch = kernel.add_callback(os.fsencode(top), mask, overflow, CallbackId(id(overflow)))
    resources.callback(kernel.remove_callbacks, [(watch, CallbackId(id(overflow)))])
    # If there is no watch left for one more folder, there were not enough for those below the root.
    one_more = Overflow()
    spare = kernel.add_callback(b"/", mask, one_more, CallbackId(id(one_more)))
    kernel.remove_callbacks([(spare, CallbackId(id(one_more)))])
