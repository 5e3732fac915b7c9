"""Files that are mostly holes, read and copied: the engine makes its files with room for many points, and
writes zeros to much of it when it loads them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

#: Bytes that are written, or left a hole, as one.
_PIECE = 1 << 16
_ZEROS = bytes(_PIECE)
#: Bytes of a page. Pages of zeros are left out of what is read.
_PAGE = 4096


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
            yield from _told(os.pread(file.fileno(), until - at, at))
            at = until


def _told(content: bytes) -> Iterator[bytes]:
    """What stands between whole pages of zeros. Words of eight bytes are looked at, most of which are zero:
    to search for pages byte by byte takes a hundred times as long."""
    pages = len(content) // _PAGE
    zero = ~np.frombuffer(content[: pages * _PAGE], np.uint64).reshape(pages, _PAGE // 8).any(axis=1)
    start = 0
    for page in map(int, np.flatnonzero(zero)):
        if start < page * _PAGE:
            yield content[start : page * _PAGE]
        start = (page + 1) * _PAGE
    if start < len(content):
        yield content[start:]


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
