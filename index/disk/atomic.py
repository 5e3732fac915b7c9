"""Files that are there whole or not at all, and names that outlive a power cut."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from index.disk.private import file_mode

#: Characters that `mkstemp` makes a name of.
_RANDOM = 8


@contextmanager
def replacing(path: Path, *, grants: int = 0o066, errors: str = "strict") -> Iterator[TextIO]:
    """A UTF-8 text file that takes the place of `path` when the block has ended; when it raises, nothing has
    happened. Readers of the old one keep it. It is as private as its folder, and grants no more than these
    bits. Not durable: after a power cut either one may be there. Raises OSError.

    A kill leaves a file behind, which is hidden and has the name of `path` and a random suffix.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors=errors, newline="") as file:
            os.fchmod(handle, file_mode(path.parent, grants))
            yield file
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def leftovers(path: Path) -> Iterator[Path]:
    """Files that were to take the place of this one: of killed processes, and those that others write now."""
    return path.parent.glob(f".{path.name}.{'?' * _RANDOM}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
