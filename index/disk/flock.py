"""Kernel locks on files and folders: held until released, or until their process ends in any way.

A lock belongs to its process: a forked child has none of its parent's. It belongs to an open file and not to
a name: where others may remove or replace the file, check after taking the lock that the name still leads to
it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from index.disk.fork import forget_in_children, keep_in_children
from index.disk.private import private_file


class Lock:
    """A lock taken with `take` or `lock`."""

    def __init__(self, file: int, *, shared: bool) -> None:
        self._file: int | None = file
        self.shared = shared
        """Whether others may hold shared locks beside it."""
        forget_in_children(self)

    @property
    def held(self) -> bool:
        """Whether it is not released yet, and this process is no forked child of the holder."""
        return self._file is not None

    def write(self, content: bytes) -> None:
        """Make this the content of the locked file. Raises OSError."""
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content, 0)

    def release(self) -> None:
        """Release the lock. May be called again."""
        if self._file is not None:
            keep_in_children(self)
            file, self._file = self._file, None
            # Unlock before closing: a child between fork and exec may hold a copy.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def forget(self) -> None:
        """In a forked child: close the copy. That does not unlock what the parent holds."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def take(path: Path, flags: int = os.O_RDWR | os.O_CREAT, *, shared: bool = False) -> Lock | None:
    """The lock of this file, as private as its folder when it is made, or of this folder (with O_RDONLY);
    None when another holds it. Never waits. Raises OSError when it cannot be opened or locked."""
    opened = private_file(str(path), flags) if flags & os.O_CREAT else os.open(path, flags | os.O_CLOEXEC)
    return _lock(opened, shared=shared)


def lock(file: int) -> Lock | None:
    """The lock of an open file, whose descriptor stays the caller's; None when another holds it."""
    return _lock(os.dup(file), shared=False)


def is_held(file: int) -> bool:
    """Whether the lock of an open file is held, and not shared. Open the file to ask: a lock that was taken
    on this very descriptor would be lost."""
    found = _lock(os.dup(file), shared=True)
    if found is not None:
        found.release()
    return found is None


def _lock(file: int, *, shared: bool) -> Lock | None:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return Lock(file, shared=shared)
