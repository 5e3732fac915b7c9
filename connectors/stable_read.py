"""Reading one whole version of a file that others may be writing."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from connectors.base import (
    DocumentChanging,
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    shortened,
)
from connectors.walk import GONE

#: Seconds between two attempts to read a file that changes.
PAUSES = (0.02, 0.05, 0.1, 0.2)
_BLOCK = 1 << 20
#: Nanoseconds in which two changes may get the same time: on file systems that keep fractions of a second
#: (a kernel tick and some), and on those that keep whole seconds, or every other one as FAT does.
_FINE = 20_000_000
_COARSE = 2_000_000_000


class Version(NamedTuple):
    info: os.stat_result
    content_hash: str
    ambiguous: bool
    """A later change may leave size, modification time and inode as they are."""
    replaced: bool
    """Its name led to another file, or to none, before the reading ended."""


class _Changed(Exception):
    """The bytes that were read are not one version."""


@contextmanager
def document_errors(uri: str) -> Iterator[None]:
    """Turns an OSError of the source into the DocumentError that says it."""
    try:
        yield
    except OSError as error:
        if error.errno in GONE:
            raise DocumentVanished(f"{shortened(uri)!r} is gone.") from error
        if isinstance(error, PermissionError):
            raise DocumentForbidden(f"{shortened(uri)!r} may not be read: {error.strerror}.") from error
        raise DocumentError(f"{shortened(uri)!r} cannot be read: {error.strerror or error}.") from error


def read_whole(open_again: Callable[[], int], uri: str, into: Path | None, max_size: int) -> Version:
    """Read what `open_again` opens until it holds still, writing it to the new file `into`.

    Raises DocumentError, and OSError when `into` cannot be written; `into` is then gone again.
    """
    target = None if into is None else os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for pause in (0.0, *PAUSES):
            if pause:
                time.sleep(pause)
            version = _attempt(open_again, uri, target, max_size)
            if version is not None and not version.replaced:
                return version
        if version is not None:
            # Replaced again and again, but each file that was there was whole, the last one read too.
            return version
        raise DocumentChanging(
            f"{shortened(uri)!r} changed during each of {len(PAUSES) + 1} attempts to read it."
        )
    except BaseException:
        if into is not None:
            into.unlink()
        raise
    finally:
        if target is not None:
            os.close(target)


def _attempt(open_again: Callable[[], int], uri: str, target: int | None, max_size: int) -> Version | None:
    """The version that was there, None when it changed while it was read."""
    with document_errors(uri):
        try:
            file = open_again()
        except BlockingIOError:
            # Another process holds a lease on it, as Samba does for clients, and was just asked to let go.
            return None
    try:
        before = _settled(file, uri)
        if before.st_size > max_size:
            raise DocumentTooLarge(
                f"{shortened(uri)!r} has {before.st_size:,} bytes; the limit is {max_size:,}."
            )
        started = time.time_ns()
        content_hash = _copy(file, uri, before.st_size, target)
        ambiguous = _ambiguous(before.st_mtime_ns, started)
        if ambiguous and content_hash != _copy(file, uri, before.st_size, None):
            return None
        after = os.fstat(file)
    except _Changed:
        return None
    finally:
        os.close(file)
    replaced = after.st_nlink == 0
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    # A writer may set the modification time back, but not the change time. Losing its name changes that, too.
    if before.st_ctime_ns != after.st_ctime_ns and not replaced:
        return None
    return Version(before, content_hash, ambiguous, replaced)


def _settled(file: int, uri: str) -> os.stat_result:
    """The file's status, once its modification time is older than the clock is fine, so that any change
    from now on gets another one. Waits for that 40 ms at most, and not at all where time is coarse.

    Raises _Changed when it was written to meanwhile: then it is being written, and between two pieces it may
    stand still for longer than the reading takes.
    """
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode):
        raise DocumentVanished(f"{shortened(uri)!r} is not a regular file any more.")
    wait = info.st_mtime_ns + _FINE - time.time_ns()
    if 0 < wait <= 2 * _FINE and info.st_mtime_ns % 1_000_000_000:
        time.sleep((wait + 1_000_000) / 1e9)
        before, info = info, os.fstat(file)
        if info.st_mtime_ns != before.st_mtime_ns:
            raise _Changed
    return info


def _ambiguous(modified_at: int, started: int) -> bool:
    """Whether a change since `started` may have got this modification time, too.

    A time far in the future is none that the clock gives now, and must not have the file read for ever.
    """
    return abs(started - modified_at) <= (_FINE if modified_at % 1_000_000_000 else _COARSE)


def _copy(file: int, uri: str, size: int, target: int | None) -> str:
    """sha256 of the file, which is copied to `target`. Raises _Changed when it has not this size."""
    digest, done = hashlib.sha256(), 0
    os.lseek(file, 0, os.SEEK_SET)
    if target is not None:
        os.ftruncate(target, 0)
        os.lseek(target, 0, os.SEEK_SET)
    while True:
        with document_errors(uri):
            block = os.read(file, _BLOCK)
        done += len(block)
        if done > size:
            raise _Changed
        if not block:
            break
        digest.update(block)
        rest = memoryview(block)
        while target is not None and rest:
            rest = rest[os.write(target, rest) :]
    if done < size:
        raise _Changed
    return digest.hexdigest()
