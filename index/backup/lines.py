"""The files of a backup: JSON Lines, compressed, and encrypted where there is a key."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from index.backup.age import Key
from index.batched import batched
from index.disk.private import private_file
from index.errors import Refused

#: Vectors hardly shrink, and take most of the time at a higher level.
_LEVEL = 3
#: Lines that are compressed in one call.
_SLICE = 64
_PORTION = 1 << 20


class File(NamedTuple):
    """A file of a backup."""

    name: str
    size: int
    """In bytes."""
    sha256: str


def write(path: Path, lines: Iterable[str], key: Key | None) -> File:
    """Write a new file of these lines, durable and private. Raises what the iterator raises, and OSError."""
    with open(path, "xb", opener=private_file) as file:
        counted = _Counted(file.write)
        if key is None:
            for piece in _compressed(lines):
                counted.write(piece)
        else:
            key.encrypt(_compressed(lines), counted)
        file.flush()
        os.fsync(file.fileno())
    return File(path.name, counted.size, counted.hash.hexdigest())


def read(path: Path, key: Key | None) -> Generator[bytes]:
    """The lines of a file. Raises Refused when it is damaged, ConfigError when the key is another."""
    try:
        with ExitStack() as stack:
            file: BinaryIO = stack.enter_context(path.open("rb"))
            if key is not None:
                file = stack.enter_context(key.decrypted(file, path.name))
            yield from stack.enter_context(gzip.GzipFile(fileobj=file))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path.name, str(error)) from error


def hashed(path: Path) -> File:
    """The file as it is. Raises OSError."""
    counted = _Counted(lambda _: None)
    with path.open("rb") as file:
        while portion := file.read(_PORTION):
            counted.write(portion)
    return File(path.name, counted.size, counted.hash.hexdigest())


def damaged(name: str, said: str) -> Refused:
    return Refused(
        f"The backup is damaged: {name}: {said}. Nothing was restored. Take another copy of it, or an older "
        "backup."
    )


def _compressed(lines: Iterable[str]) -> Iterator[bytes]:
    """A gzip stream without a time, so that equal lines give equal bytes."""
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for some in batched(lines, _SLICE):
        if piece := packing.compress("".join(f"{line}\n" for line in some).encode("ascii")):
            yield piece
    yield packing.flush()


class _Counted:
    """Counts and hashes what is written."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.size = 0
        self.hash = sha256()

    def write(self, data: bytes) -> int:
        self._write(data)
        self.hash.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None: ...
