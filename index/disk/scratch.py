"""A private folder for the bytes of documents while they are parsed; the next run removes dead ones.

It lies in the state folder, where the next run looks for those whose process died. A folder is in use while
it is locked; the kernel releases the lock however its holder ends. A reader that may not write to the state
folder has its own outside of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from index.disk.flock import Lock, take
from index.disk.private import private_folder
from index.errors import ScratchError, scratch_errors

#: Places for folders outside of the state folder, best first; the last is in memory.
PLACES = ("/tmp", "/var/tmp", "/dev/shm")
#: Prefix of their names, and of no others: unlocked ones are removed.
PREFIX = ".freshkb-copy-"


class Scratch:
    """Makes the folder; `close` removes it. A forked child leaves it to its parent."""

    def __init__(self, home: Path, prefix: str = "") -> None:
        with scratch_errors(home):
            private_folder(home, inside=home.parent)
            lock: Lock | None = None
            while lock is None:
                self.folder = Path(tempfile.mkdtemp(dir=home, prefix=prefix))
                # In between, `clear` of another process may have removed it.
                lock = _lock(self.folder)
            self._lock = lock

    def close(self) -> None:
        if self._lock.held:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._lock.release()


def outside(room_bytes: int) -> Scratch:
    """A folder for copies of files that may only be read: in TMPDIR, or the first of `PLACES` that has this
    much room. Raises ScratchError when none has."""
    places = [Path(place) for place in (os.environ.get("TMPDIR"), *PLACES) if place]
    for place in places:
        try:
            if not os.access(place, os.W_OK) or room(place) < room_bytes:
                continue
        except OSError:
            continue
        clear(place, PREFIX)
        return Scratch(place, PREFIX)
    raise ScratchError(
        f"A private copy of what may only be read takes {-(-room_bytes >> 20):,} MB, and no folder among "
        f"{', '.join(map(str, dict.fromkeys(places)))} has that. Let TMPDIR name one that has."
    )


def room(folder: Path) -> int:
    """Free bytes on the disk of this folder."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def clear(home: Path, prefix: str = "") -> None:
    """Remove the folders of dead processes."""
    for folder in home.glob(f"{prefix}*"):
        lock = _lock(folder)
        if lock is not None:
            # Outside of the state folder any user may have made the name; `rmtree` follows no link.
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def _lock(folder: Path) -> Lock | None:
    """The folder's lock; None when another process holds it, when the folder is gone, or another user's, or
    when it is none. Opened as a folder alone: a pipe of this name would wait for its writer."""
    try:
        lock = take(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # A link, as some systems say it.
            return None
        raise
    if lock is not None and not folder.exists():
        lock.release()
        return None
    return lock
