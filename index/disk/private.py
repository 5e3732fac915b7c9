"""Files and folders for their owner alone: state, locks and reports.

A folder that freshkb makes is 0700, and a file 0600, whatever the umask. To share them is to change the mode
of the folder, before or after: what is made in it from then on grants what the folder grants. A folder in
which everyone may write, such as /tmp, grants nothing.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Modes that mkdir gives under the usual umasks.
_UNTHOUGHT = (0o755, 0o775)


def private_folder(folder: Path, *, inside: Path | None = None) -> None:
    """Make the folder, and those above it, where they are missing; `inside` a folder that grants access, it
    grants the same. Raises OSError."""
    if inside is not None:
        private_folder(inside)
    missing = [folder, *folder.parents]
    while missing and missing[-1].exists():
        missing.pop()
    mode = 0o700 if inside is None else 0o700 | _granted(inside, 0o077)
    for path in reversed(missing):
        path.mkdir(mode, exist_ok=True)


def file_mode(folder: Path, grants: int = 0o066) -> int:
    """The mode of a new file in this folder, which may grant no more than these bits."""
    return 0o600 | _granted(folder, grants)


def private_file(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is as private as its folder."""
    return os.open(path, flags | os.O_CLOEXEC, file_mode(Path(path).parent))


def _granted(folder: Path, grants: int) -> int:
    mode = folder.stat().st_mode
    return 0 if mode & stat.S_ISVTX else mode & grants


@contextmanager
def umask_of(folder: Path) -> Iterator[None]:
    """Files that libraries make in the block are as private as the folder. Sets the umask of the whole
    process."""
    mode = folder.stat().st_mode if folder.exists() else 0o700
    before = os.umask(~mode & 0o077)
    try:
        with _no_bytecode_of_root():
            yield
    finally:
        os.umask(before)


@contextmanager
def _no_bytecode_of_root() -> Iterator[None]:
    """Under a private umask, bytecode of root is for root alone. The child that parses is another user."""
    if os.geteuid() != 0 or sys.dont_write_bytecode:
        yield
        return
    sys.dont_write_bytecode = True
    # For the processes that this one starts.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        yield
    finally:
        sys.dont_write_bytecode = False
        del os.environ["PYTHONDONTWRITEBYTECODE"]


def tighten(folder: Path) -> None:
    """Close a folder, with all in it, whose mode is mkdir's default and so no choice."""
    # Another user's folder stays open; `freshkb doctor` reports it.
    with suppress(FileNotFoundError, PermissionError):
        if stat.S_IMODE(folder.stat().st_mode) in _UNTHOUGHT:
            folder.chmod(0o700)
            for path in folder.rglob("*"):
                if not path.is_symlink():
                    path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)
