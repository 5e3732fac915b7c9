"""A private folder for the bytes of documents while they are parsed, which no kill leaves behind for long.

It lies in the state folder, where the next run looks for those whose process died. A folder is in use as long
as somebody has it locked; the kernel gives the lock back however its holder ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from index.errors import scratch_errors
from index.private import private_folder


class Scratch:
    """Makes the folder; `close` removes it."""

    def __init__(self, home: Path) -> None:
        with scratch_errors(home):
            private_folder(home, inside=home.parent)
            self._lock: int | None = None
            while self._lock is None:
                self.folder = Path(tempfile.mkdtemp(dir=home))
                # In between, somebody who clears up may have taken it for a dead one's.
                self._lock = _lock(self.folder)

    def close(self) -> None:
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None


def clear(home: Path) -> None:
    """Remove the folders of processes that are dead."""
    for folder in home.glob("*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """None when another holds it, when it is gone, or when it is another user's."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    if not folder.exists():
        os.close(file)
        return None
    return file
