"""Copies of folders whose files are mostly holes: the engine makes its files with room for many points."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def copy(folder: Path, target: Path) -> None:
    """Copy a folder with modes and times; holes stay holes. The target may be there."""
    shutil.copytree(folder, target, copy_function=_copy, dirs_exist_ok=True)


def _copy(source: str, target: str) -> None:
    with Path(source).open("rb") as file, Path(target).open("wb") as copied:
        at, size = 0, os.fstat(file.fileno()).st_size
        copied.truncate(size)
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # The rest is a hole.
                break
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            os.pwrite(copied.fileno(), os.pread(file.fileno(), at - start, start), start)
    shutil.copystat(source, target)
