"""A private copy of a shard, for a process that must not write to its files.

The engine opens every file of a shard to write, and replays its journals when it loads it. Links would not
help: a hard link shares the bytes, and needs a permission that a reader lacks. A copy takes the disk space of
the shard, without its holes: 70 MB for 30,000 points of 384 dimensions.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from index.disk.scratch import outside
from index.errors import StoreError

#: Bytes that are copied at a time.
_PORTION = 1 << 20


@contextmanager
def copied(shard: Path) -> Iterator[Path]:
    """A copy, for as long as the block lasts; a shard that was loaded in it needs no file's name any more, so
    that a kill leaves no text behind. The folder's lock is held.

    Raises StoreError when the shard may not be read, ScratchError when there is no room for a copy.
    """
    with ExitStack() as stack:
        try:
            tree = [(Path(folder), files) for folder, _, files in os.walk(shard, onerror=_fail)]
            # In memory a hole takes room, too, as soon as it is read.
            size = sum((folder / name).stat().st_size for folder, files in tree for name in files)
            home = stack.enter_context(closing(outside(size))).folder / "shard"
            for folder, files in tree:
                made = home / folder.relative_to(shard)
                made.mkdir()
                for name in files:
                    _copy(folder / name, made / name)
        except OSError as error:
            raise StoreError(
                f"No copy of {shard} could be made to read from: {error.strerror or error} "
                f"({error.filename or 'while it was written'}). User {os.geteuid()} needs the permission to "
                "read all files of the vector store."
            ) from error
        yield home


def _fail(error: OSError) -> None:
    """An unreadable folder must not look empty."""
    raise error


def _copy(source: Path, target: Path) -> None:
    """Copy a file without its holes, which are most of a young shard."""
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with target.open("xb", buffering=0) as writing:
            end = os.fstat(reading).st_size
            writing.truncate(end)
            at = 0
            while at < end:
                try:
                    at = os.lseek(reading, at, os.SEEK_DATA)
                except OSError as error:
                    if error.errno != errno.ENXIO:
                        raise
                    return  # The rest is a hole.
                until = os.lseek(reading, at, os.SEEK_HOLE)
                while at < until:
                    portion = os.pread(reading, min(_PORTION, until - at), at)
                    if not portion:
                        return
                    os.pwrite(writing.fileno(), portion, at)
                    at += len(portion)
    finally:
        os.close(reading)
