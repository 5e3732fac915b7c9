"""The file of a ledger: whether it is open elsewhere, and how its content is replaced.

New content is written into the same file, while no other process has it open: SQLite knows the files beside
it by their names, and a process with the replaced file open would take those of the new one for its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.disk.atomic import sync_folder
from index.errors import Locked

NAME = "ledger.db"

#: The bytes that SQLite locks while it has a database with a write-ahead log open.
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
_PORTION = 1 << 20


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextmanager
def alone(path: Path) -> Iterator[int]:
    """The open file, which no other process can have open meanwhile; made when it is missing.

    Raises Locked when one has. Do not open it by its name in the block: closing it would release the lock.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError as error:
            raise Locked(
                f"Another process has the ledger {path} open; nothing was changed. End every other freshkb "
                "that uses it (watch, serve, an application that searches), and run the command again."
            ) from error
        yield file
    finally:
        os.close(file)


def copy(file: int, target: Path) -> None:
    """The whole of the open file, durable and for its owner alone."""
    made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _pour(file, made)
    finally:
        os.close(made)


def _pour(source: int, target: int) -> None:
    at = 0
    while portion := os.pread(source, _PORTION, at):
        at += os.pwrite(target, portion, at)
    os.ftruncate(target, at)
    os.fsync(target)


def replace(file: int, path: Path, content: Path) -> None:
    """Replace the ledger, which is held `alone`, by the file `content`, which is removed. If cut short, the
    next opening of the ledger finishes it."""
    made = os.open(content, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(made)
    finally:
        os.close(made)
    content.replace(beside(path, ".mended"))
    sync_folder(path.parent)
    _finish(file, path)


def finish(path: Path) -> None:
    """Finish a `replace` that was cut short. Raises Locked while another process does."""
    if beside(path, ".mended").exists():
        with alone(path) as file:
            _finish(file, path)


def _finish(file: int, path: Path) -> None:
    mended = beside(path, ".mended")
    try:
        source = os.open(mended, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        # The write-ahead log first: it does not belong to the new content.
        for suffix in ("-wal", "-shm"):
            beside(path, suffix).unlink(missing_ok=True)
        sync_folder(path.parent)
        _pour(source, file)
    finally:
        os.close(source)
    mended.unlink()
    sync_folder(path.parent)
