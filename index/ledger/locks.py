"""Writer locks: at most one process writes a source's documents at a time, and none beside a builder.

A *builder* makes a collection that is to replace the one in use. It is the writer of every source that it
knows of, and holds one lock more, because a newer or an older configuration may have others. Each looks for
the other once it holds its own lock, so that whoever comes second is refused.

The lock belongs to the operating system or to the database server, which release it when its holder dies. A
note beside it names the holder, for people; a stale note never blocks a writer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import sqlalchemy as sa

from index.disk.atomic import leftovers, replacing
from index.disk.flock import is_held, lock, take
from index.disk.fork import Socket
from index.disk.private import private_folder
from index.errors import LedgerError, Locked
from index.ledger import schema
from index.ledger.database import Database
from index.ledger.schema import writers
from index.model import rfc3339

#: The name of the builder's lock. Names that begin with a colon are no sources.
BUILDER = ":builder"


@dataclass(frozen=True, slots=True)
class Writer:
    """The process that holds a source."""

    source: str
    host: str
    pid: int
    command: str
    since: datetime


def _here(source: str, command: str) -> Writer:
    return Writer(source, socket.gethostname(), os.getpid(), command, datetime.now(UTC))


def refusal(source: str, holder: Writer | None) -> Locked:
    if holder is None:
        who = "another process"
    else:
        since = rfc3339(holder.since.replace(microsecond=0))
        who = f"`{holder.command}` on {holder.host} (pid {holder.pid}, since {since})"
    what = "The index is being built anew" if source == BUILDER else f"Source {source!r} is being written"
    return Locked(
        f"{what} by {who}; nothing was done. Wait until it has finished, or stop it, and try again."
    )


@contextmanager
def _mapped(source: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"The writer lock of source {source!r} cannot be used: {error}.") from error


@contextmanager
def _unless_forked(stack: contextlib.ExitStack) -> Iterator[None]:
    """A child that was forked in the block undoes nothing when it leaves."""
    pid = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != pid:
            stack.pop_all()


class FileLocks:
    """Locks of one host: a locked file per source, and beside it a note, which its author keeps locked, too.
    So a note is checked without touching the lock itself, which could refuse a writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, source: str) -> Path:
        return self._folder / f"{quote(source, safe='')}.lock"

    @contextmanager
    def hold(self, source: str, command: str) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with _mapped(source):
                private_folder(self._folder, inside=self._folder.parent)
                taken = take(self._path(source))
                if taken is None:
                    raise refusal(source, self._holder(source))
                stack.callback(taken.release)
                self._sign(source, command, stack)
            with _unless_forked(stack):
                yield

    def _sign(self, source: str, command: str, stack: contextlib.ExitStack) -> None:
        here, note = _here(source, command), self._path(source).with_suffix(".json")
        for left in leftovers(note):
            # A stale note: only the holder of the lock comes here.
            left.unlink(missing_ok=True)
        with replacing(note) as file:
            signed = lock(file.fileno())
            assert signed is not None  # No other process has this file open.
            stack.callback(signed.release)
            json.dump({**schema.values(here), "since": here.since.isoformat()}, file)
        stack.callback(note.unlink, missing_ok=True)

    def _holder(self, source: str) -> Writer | None:
        """None when the source is free, between a lock and its note, and when the note cannot be parsed, or
        not be read by this user."""
        unclear = (FileNotFoundError, PermissionError, ValueError, TypeError, KeyError)
        path = self._path(source).with_suffix(".json")
        with contextlib.suppress(*unclear), path.open("rb") as note:
            if is_held(note.fileno()):
                row = json.load(note)
                return Writer(**{**row, "since": datetime.fromisoformat(row["since"])})
        return None

    def holders(self) -> list[Writer]:
        held = []
        for path in self._folder.glob("*.json"):
            source = unquote(path.stem)
            with _mapped(source):
                if (holder := self._holder(source)) is not None:
                    held.append(holder)
        return sorted(held, key=lambda writer: writer.source)

    def left(self) -> list[Writer]:
        """Dead holders, by their stale notes."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                row = json.loads(path.read_bytes())
                writer = Writer(**{**row, "since": datetime.fromisoformat(row["since"])})
                if self._holder(unquote(path.stem)) is None:
                    found.append(writer)
        return found


class AdvisoryLocks:
    """Locks of a PostgreSQL server: each lives as long as a connection of its own."""

    def __init__(self, database: Database, instance_id: str) -> None:
        self._database = database
        self._instance_id = instance_id

    def _key(self, source: str) -> int:
        """Advisory locks are numbers shared by everything in a database: hence the instance id."""
        hashed = hashlib.sha256(f"freshkb writer\n{self._instance_id}\n{source}".encode()).digest()
        return int.from_bytes(hashed[:8], "big", signed=True)

    @contextmanager
    def hold(self, source: str, command: str) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with self._database.mapped():
                connection = self._connection(stack)
                key = self._key(source)
                if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
                    holder = next((writer for writer in self.holders() if writer.source == source), None)
                    raise refusal(source, holder)
                backend = connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()
                with self._database.writing() as noting:
                    noting.execute(sa.delete(writers).where(writers.c.source == source))
                    noting.execute(
                        sa.insert(writers), {**schema.values(_here(source, command)), "backend_pid": backend}
                    )
            stack.callback(self._release, connection, key, backend)
            with _unless_forked(stack):
                yield

    def _release(self, connection: sa.Connection, key: int, backend: int) -> None:
        """Raises LedgerError when the session, and with it the lock, was lost: others may have written."""
        with self._database.mapped():
            connection.execute(sa.delete(writers).where(writers.c.backend_pid == backend))
            connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    def _connection(self, stack: contextlib.ExitStack) -> sa.Connection:
        """A session outside the pool: closing it always ends its locks."""
        connection = stack.enter_context(self._database.engine.connect())
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        driver: Any = connection.connection.dbapi_connection
        stack.callback(Socket(driver.fileno()).close)
        # An idle session must neither be cut off by the server, nor outlive a machine that vanished.
        for name, value in (
            ("idle_session_timeout", "0"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ):
            connection.execute(sa.select(sa.func.set_config(name, value, False)))
        return connection

    def holders(self) -> list[Writer]:
        query = sa.select(*schema.columns(writers, Writer), writers.c.backend_pid).order_by(writers.c.source)
        locks = sa.text(
            "SELECT pid, (classid::bigint << 32) | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with self._database.reading() as connection:
            held = {(pid, key) for pid, key in connection.execute(locks)}
            noted = connection.execute(query).all()
        return [Writer(*row[:-1]) for row in noted if (row[-1], self._key(row[0])) in held]
