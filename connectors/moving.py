"""Moving a file from one folder tree to another, so that a kill at any moment loses nothing.

The file has its new name before it loses the old one. No name that is taken is written over: the new one
comes by a hard link, which fails then, also after a copy from another file system. Links are not followed.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from connectors.paths import descend, enter
from connectors.quiet import same
from connectors.walk import GONE

#: A copy under way, at the top of the tree that it comes to; it is no document.
PART = ".moving"

#: The file system has no hard links, or not between these two places.
_NO_LINKS = frozenset(
    {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EACCES}
)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BLOCK = 1 << 20


class Changed(Exception):
    """The file is another one than it was."""


@contextmanager
def opened(top: int, names: Sequence[str]) -> Iterator[int]:
    """A descriptor of the file to read, below the open folder `top`. Raises OSError."""
    if not names:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    folder = descend(top, names[:-1])
    try:
        file = os.open(names[-1], _READ, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        yield file
    finally:
        os.close(file)


def hash_of(file: int) -> str:
    """sha256 of an open file, hex."""
    return _copied(file, None)


def move(file: int, top: int, names: Sequence[str], target: int, new: Sequence[str]) -> None:
    """Give the open file, which lies at `names` below the open folder `top`, the place `new` below `target`
    instead. Once more is the same as once, whatever happened between.

    Raises Changed when another file lies at `names`; OSError, FileExistsError when `new` is taken.
    """
    info = os.fstat(file)
    source, there = descend(top, names[:-1]), -1
    try:
        there = _made(target, new[:-1])
        if not same(info, os.stat(names[-1], dir_fd=source, follow_symlinks=False)):
            raise Changed
        if not _arrived(file, new[-1], there):
            _link(file, info, (names[-1], source), (new[-1], there), target)
        os.fsync(there)
        # Somebody may have saved another version meanwhile, which is not to be lost.
        if not same(info, os.stat(names[-1], dir_fd=source, follow_symlinks=False)):
            raise Changed
        os.unlink(names[-1], dir_fd=source)
    finally:
        os.close(source)
        if there >= 0:
            os.close(there)


def arrived(file: int, there: int) -> bool:
    """Whether the second open file is the first, or the copy that `move` makes of it."""
    ours, other = os.fstat(file), os.fstat(there)
    if os.path.samestat(ours, other):
        return True
    alike = (ours.st_size, ours.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    return alike and hash_of(file) == hash_of(there)


def write(text: str, top: int, names: Sequence[str]) -> None:
    """Write a file of ours below the open folder `top`, as a whole. Raises OSError."""
    folder = _made(top, names[:-1])
    try:
        part = _part(top)
        try:
            os.write(part, text.encode("utf-8", "surrogateescape"))
            os.fsync(part)
        finally:
            os.close(part)
        os.rename(PART, names[-1], src_dir_fd=top, dst_dir_fd=folder)
    finally:
        os.close(folder)


def remove(top: int, names: Sequence[str]) -> None:
    """Remove a file of ours, if it is there. Raises OSError."""
    try:
        folder = descend(top, names[:-1])
        try:
            os.unlink(names[-1], dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno not in GONE:
            raise


def _link(file: int, info: os.stat_result, old: tuple[str, int], new: tuple[str, int], target: int) -> None:
    try:
        os.link(old[0], new[0], src_dir_fd=old[1], dst_dir_fd=new[1], follow_symlinks=False)
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    part = _part(target)
    try:
        _copied(file, part)
        if not same(info, os.fstat(file)):
            raise Changed
        os.fchmod(part, info.st_mode & 0o777)
        os.utime(part, ns=(info.st_atime_ns, info.st_mtime_ns))
        os.fsync(part)
    finally:
        os.close(part)
    try:
        os.link(PART, new[0], src_dir_fd=target, dst_dir_fd=new[1], follow_symlinks=False)
        os.unlink(PART, dir_fd=target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without links a name that is taken in this very moment would be written over.
        with suppress(FileNotFoundError):
            os.stat(new[0], dir_fd=new[1], follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new[0]) from None
        os.rename(PART, new[0], src_dir_fd=target, dst_dir_fd=new[1])


def _arrived(file: int, name: str, folder: int) -> bool:
    try:
        there = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return False
    try:
        return arrived(file, there)
    finally:
        os.close(there)


def _made(top: int, names: Sequence[str]) -> int:
    """A descriptor of the folder, made where it is missing."""
    folder = os.dup(top)
    for name in names:
        try:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
            deeper = enter(name, folder)
        finally:
            os.close(folder)
        folder = deeper
    return folder


def _part(top: int) -> int:
    with suppress(FileNotFoundError):
        os.unlink(PART, dir_fd=top)
    return os.open(PART, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=top)


def _copied(file: int, target: int | None) -> str:
    """sha256 of the file, which is copied to `target`."""
    digest = hashlib.sha256()
    os.lseek(file, 0, os.SEEK_SET)
    while block := os.read(file, _BLOCK):
        digest.update(block)
        rest = memoryview(block)
        while target is not None and rest:
            rest = rest[os.write(target, rest) :]
    return digest.hexdigest()
