"""Files that are mostly holes, read and copied: the engine makes its files with room for many points, and
writes zeros to much of it when it loads them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

#: Bytes that are written, or left a hole, as one.
_PIECE = 1 << 16
_ZEROS = bytes(_PIECE)
#: A page of zeros is left out of what is read.
_PAGE = bytes(4096)


def written(path: Path) -> Iterator[bytes]:
    """The bytes of a file without its holes and pages of zeros: no word stands on both sides of one."""
    with path.open("rb", buffering=0) as file:
        at, end = 0, os.fstat(file.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            until = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            yield from _without_zeros(os.pread(file.fileno(), until - at, at))
            at = until


def _without_zeros(data: bytes) -> Iterator[bytes]:
    """What stands between pages of zeros. They are compared one by one: to split at them takes ten times as
    long."""
    start: int | None = None
    for at in range(0, len(data), len(_PAGE)):
        page = data[at : at + len(_PAGE)]
        if page == _PAGE[: len(page)]:
            if start is not None:
                yield data[start:at]
                start = None
        elif start is None:
            start = at
    if start is not None:
        yield data[start:]


def copy(folder: Path, target: Path) -> None:
    """Copy a folder with modes and times; zeros become holes. The target may be there."""
    shutil.copytree(folder, target, copy_function=_copy, dirs_exist_ok=True)


def _copy(source: str, target: str) -> None:
    with Path(source).open("rb", buffering=0) as file, Path(target).open("wb", buffering=0) as copied:
        at, size = 0, os.fstat(file.fileno()).st_size
        copied.truncate(size)
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # The rest is a hole.
                break
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            while start < at:
                piece = os.pread(file.fileno(), min(_PIECE, at - start), start)
                if piece != _ZEROS[: len(piece)]:
                    os.pwrite(copied.fileno(), piece, start)
                start += len(piece)
    shutil.copystat(source, target)
