"""Files that are there whole or not at all, and names that survive a power cut."""

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
    """A UTF-8 text file that replaces `path` when the block ends, and is dropped when it raises. Readers of
    the old file keep it. The new one is as private as its folder, and grants no more than these bits. Not
    durable: after a power cut either file may be there. Raises OSError.

    A kill leaves a hidden file behind, named like `path` with a random suffix.
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
    """Temporary files that were to replace this one: of killed processes, and of writers at work."""
    return path.parent.glob(f".{path.name}.{'?' * _RANDOM}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
