"""The folder in which a connector keeps what it can get again: a clone, validators, what a listing said.

It holds nothing that the index depends on, so it may be removed at any time. Bytes of documents lie in its
folder `BYTES`, which a purge removes; an erasure removes all of it, for the names of documents. Processes
take turns: `plan` may run beside a sync.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

#: The folder of a cache in which bytes of documents lie, and nowhere else.
BYTES = "bytes"


@contextmanager
def held(folder: Path | None) -> Iterator[Path]:
    """The folder, made when it is not there, while no other process uses or removes it.

    Only its owner may enter it. Waits for another process. Raises OSError when it cannot be made, ValueError
    for None: a connector that keeps something needs a place for it.
    """
    if folder is None:
        raise ValueError("this connector needs a folder to keep things in: Context.cache")
    with _locked(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        yield folder


def opened_database(path: Path | str, table: str) -> sqlite3.Connection:
    """A database in such a folder, or in memory (""), with this table, unless it is there. Raises
    sqlite3.Error; one that is damaged is to be removed."""
    import sqlite3

    made = sqlite3.connect(path, check_same_thread=False)
    try:
        # Nothing is lost with it, and what is deleted leaves no name behind.
        made.execute("PRAGMA synchronous = OFF")
        made.execute("PRAGMA secure_delete = ON")
        made.execute(table)
    except BaseException:
        made.close()
        raise
    return made


def forget(folder: Path, *, names: bool = True) -> bool:
    """Remove what is kept, or with `names` false only the bytes of documents; whether there was any. Waits
    for the process that uses it. Raises OSError when it cannot be removed."""
    gone = folder if names else folder / BYTES
    if not gone.is_dir():
        return False
    with _locked(folder):
        shutil.rmtree(gone)
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
