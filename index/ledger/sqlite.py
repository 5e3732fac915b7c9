"""A SQLite file, opened to be written, or, where that cannot be, to be read.

A database in WAL mode is more than one file: beside it lie ``-wal`` and ``-shm`` while a process has it open,
made by the first one. A reader that cannot make them, because it may not write or because the disk is full,
finds one of two states:

- They are there, made by a writer that lives or was killed. SQLite serves readers without the permission to
  write, with its own locks.
- They are not. Then no writer has the database open, and the file is whole. It is copied into a private
  folder, and the copy opened. A copy is taken only when every byte, read once more after all were copied, is
  unchanged: then it is what the files held between the two passes, even if a writer came and went. It is
  taken anew as soon as the file has changed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from index.disk.scratch import Scratch, outside, room
from index.errors import LedgerError, LedgerReadOnly

#: How long SQLite waits for another process's write transaction. A plan of a million items takes seconds.
BUSY_SECONDS = 60

#: SQLite's errors at the opening of a file on a full disk, or in a place that may not be written to.
_IN_VAIN = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
)
#: SQLITE_IOERR_SHORT_READ: the file was cut off, which is no matter of permissions or room.
_TOO_SHORT = 522
#: Initial size of SQLite's own files beside a database.
_SPARE_BYTES = 1 << 20
_PORTION = 1 << 20


class _Stamp(NamedTuple):
    """State of the files; None for a file that is not there."""

    database: tuple[int, int, int] | None
    wal: tuple[int, int, int] | None


class SqliteFile:
    """The maker of a ledger's connections."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unwritable = ""
        """Why new connections can only read; "" while they can write."""
        self._copy: Scratch | None = None
        self._copied: _Stamp | None = None
        self._turn = threading.RLock()

    def connect(self) -> sqlite3.Connection:
        """Raises LedgerError when it can be neither written nor read."""
        with self._turn:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self.unwritable = self._forbidden()
        if not self.unwritable:
            try:
                return self._to_write()
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode
                if code & 0xFF not in _IN_VAIN or code == _TOO_SHORT or not self.path.exists():
                    raise
                full = room(self.path.parent) < _SPARE_BYTES
                self.unwritable = (
                    "its disk is full" if full else f"it cannot be opened to be written ({error})"
                )
        return self._to_read()

    def require_write(self) -> None:
        """Raises LedgerReadOnly when new connections can only read."""
        if self.unwritable:
            raise LedgerReadOnly(
                f"The ledger {self.path} can only be read: {self.unwritable}. Nothing was done. Run the "
                f"command as a user that may write to {self.path.parent}, with room on its disk."
            )

    def outdated(self) -> bool:
        """Whether connections read a copy, and the file has changed since."""
        return self._copied is not None and self._copied != self._stamp()

    def close(self) -> None:
        """Remove the copy. Open connections can still read it."""
        with self._turn:
            if self._copy is not None:
                self._copy.close()
            self._copy = self._copied = None

    def _forbidden(self) -> str:
        """Why this user may not write here; "" when permissions allow it."""
        folder = self.path.parent
        for path in (folder, self.path, self._beside("-wal"), self._beside("-shm")):
            if not os.access(path, os.W_OK, effective_ids=True) and path.exists():
                if os.statvfs(folder).f_flag & os.ST_RDONLY:
                    return "its file system is mounted read-only"
                return f"user {os.geteuid()} has no permission to write to {path}"
        return ""

    def _to_write(self) -> sqlite3.Connection:
        connection = self._open(self.path)
        try:
            for setting in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {setting}").close()
        except BaseException:
            connection.close()
            raise
        return connection

    def _to_read(self) -> sqlite3.Connection:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            if self._beside("-wal").exists() and self._beside("-shm").exists():
                with suppress(sqlite3.OperationalError):
                    return self._read(f"{_uri(self.path)}?mode=ro")
            try:
                if self._take_copy():
                    assert self._copy is not None
                    return self._read(_uri(self._copy.folder / self.path.name))
            except OSError as error:
                raise LedgerError(
                    f"The ledger {self.path} cannot be read: {error.strerror or error} "
                    f"({error.filename or self.path}), and {self.unwritable}."
                ) from error
            if time.monotonic() >= deadline:
                raise LedgerError(
                    f"The ledger {self.path} changes all the time and can only be read, since "
                    f"{self.unwritable}. Try again when no other command writes."
                )
            time.sleep(0.01)

    def _read(self, uri: str) -> sqlite3.Connection:
        connection = self._open(uri)
        try:
            connection.execute("PRAGMA query_only=ON").close()
            # SQLite opens the file at its first read.
            connection.execute("SELECT count(*) FROM sqlite_master").close()
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, place: Path | str) -> sqlite3.Connection:
        return sqlite3.connect(
            place,
            timeout=BUSY_SECONDS,
            # The driver's own transactions begin too late for BEGIN IMMEDIATE.
            isolation_level=None,
            check_same_thread=False,
            uri=isinstance(place, str),
        )

    # ── The copy ──────────────────────────────────────────────────────────────────────────────────────

    def _take_copy(self) -> bool:
        """Copy the files; whether the copy is that of a single moment. Raises OSError."""
        stamp = self._stamp()
        if self._copied is not None and self._copied == stamp:
            return True
        self.close()
        files = [self.path, *([self._beside("-wal")] if stamp.wal else [])]
        copy = outside(sum(state[1] for state in stamp if state) + _SPARE_BYTES)
        targets = [copy.folder / file.name for file in files]
        try:
            for file, target in zip(files, targets, strict=True):
                _copy(file, target)
            whole = all(map(_equal, files, targets)) and self._stamp() == stamp
        except FileNotFoundError:
            # A writer came and went meanwhile, and its files with it.
            whole = False
        except BaseException:
            copy.close()
            raise
        if not whole:
            copy.close()
            return False
        self._copy, self._copied = copy, stamp
        return True

    def _stamp(self) -> _Stamp:
        return _Stamp(_state(self.path), _state(self._beside("-wal")))

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


def _uri(path: Path) -> str:
    """Relative paths stay relative: the folders above may be forbidden to this user."""
    return f"file:{quote(os.fsencode(path))}"


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("xb") as writing:
        while portion := reading.read(_PORTION):
            writing.write(portion)


def _equal(left: Path, right: Path) -> bool:
    with left.open("rb") as one, right.open("rb") as other:
        while portion := one.read(_PORTION):
            if portion != other.read(_PORTION):
                return False
        return not other.read(1)
