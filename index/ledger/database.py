"""The engine: connections as the ledger needs them, transactions, and errors in our own words."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from index.disk.private import private_file, private_folder
from index.errors import LedgerDamaged, LedgerError, telling_no_secret
from index.ledger.sqlite import SqliteFile
from index.model import utc_now
from index.redact import remember

#: Rows that a stream holds in memory at a time.
STREAM_ROWS = 1000

#: SQLite's codes for a damaged file: SQLITE_CORRUPT, SQLITE_NOTADB, and a read that met its end too early.
_DAMAGE_CODES, _SHORT_READ = (11, 26), 522
#: The same in words, for errors without a code: tables that contradict their version, and texts.
_DAMAGE_WORDS = (
    "no such table",
    "no such column",
    "duplicate column",
    "already exists",
    "not decode to UTF-8",
)


def _parse(url: str, state_dir: Path) -> sa.URL:
    if url == "sqlite":
        try:
            private_folder(state_dir)
            with suppress(FileExistsError):
                # SQLite would go by the umask. Files that it makes beside the database take its mode.
                os.close(private_file(str(state_dir / "ledger.db"), os.O_RDWR | os.O_CREAT | os.O_EXCL))
        except OSError as error:
            raise LedgerError(f"The ledger's folder {state_dir} cannot be made: {error.strerror}.") from error
        return sa.URL.create("sqlite", database=str(state_dir / "ledger.db"))
    try:
        parsed = sa.make_url(url)
    except (SQLAlchemyError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername != "postgresql+psycopg":
        # The message does not repeat the URL, nor chain the cause: both may hold a password.
        raise LedgerError("`ledger` must be sqlite or postgresql+psycopg://user@host/database.") from None
    return parsed


class Database:
    """An engine, and transactions whose errors are LedgerErrors. `now` is the clock that holds end by."""

    def __init__(self, url: str, state_dir: Path, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        parsed = _parse(url, state_dir)
        remember({"ledger": url})
        self.on_sqlite = parsed.drivername == "sqlite"
        self.place = parsed.database if self.on_sqlite else f"{parsed.host or 'local'}/{parsed.database}"
        self._file = SqliteFile(Path(parsed.database or "")) if self.on_sqlite else None
        self.engine = _sqlite_engine(parsed, self._file) if self._file else _postgresql_engine(parsed)
        self._writing_engine = self.engine.execution_options(freshkb_writes=True)
        self._inside: sa.Connection | None = None

    def within(self, connection: sa.Connection) -> Database:
        """The same database inside of a transaction: whatever it reads and writes is a part of it."""
        inside = copy(self)
        inside._inside = connection
        return inside

    @property
    def writable(self) -> bool:
        """Whether this process may write; else every method that writes raises LedgerReadOnly."""
        return self._file is None or not self._file.unwritable

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Turn errors of the database into LedgerError, without a password in the text or in its cause."""
        try:
            yield
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error, UnicodeDecodeError) as error:
            text = str(getattr(error, "orig", None) or error)
            if isinstance(error, UnicodeDecodeError):
                # SQLite's message quotes a name of a damaged schema.
                text = error.object.decode(errors="replace")
            said, cause = " ".join(text.split()), telling_no_secret(error)
            if self.on_sqlite and _tells_damage(error):
                raise damaged(str(self.place), said) from cause
            message = (
                f"The ledger {self.place} cannot be used: {said}. What was done before is whole; when the "
                "ledger can be used again, run the command again."
            )
            raise LedgerError(message) from cause

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view that waits for no writer."""
        if self._inside is not None:
            yield self._inside
            return
        self._refresh()
        with self.mapped(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def driven(self) -> Iterator[sqlite3.Cursor]:
        """A cursor of SQLite's driver, for statements that read: each is a consistent view of its own."""
        if self._inside is not None:
            with closing(self._inside.connection.cursor()) as inside:
                yield cast(sqlite3.Cursor, inside)
            return
        self._refresh()
        with (
            self.mapped(),
            closing(self.engine.raw_connection()) as connection,
            closing(connection.cursor()) as cursor,
        ):
            yield cast(sqlite3.Cursor, cursor)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: durable when the block ends, undone when it raises."""
        if self._inside is not None:
            yield self._inside
            return
        if self._file is not None and self._file.unwritable:
            # The obstacle may be gone: try to open for writing again.
            self._anew(self._file)
        with self.mapped(), self._writing_engine.begin() as connection:
            yield connection

    def _refresh(self) -> None:
        """Where a copy of the file is read: read the file as it is now."""
        if self._file is not None and self._file.outdated():
            self._anew(self._file)

    def _anew(self, file: SqliteFile) -> None:
        """Replace the pool: connections in use are closed when they are given back."""
        self.engine.dispose()
        file.close()

    def stream(
        self, query: sa.Select[Any], given: Mapping[str, Any] | None = None
    ) -> Iterator[Sequence[Any]]:
        """A query's rows, few of them in memory at a time; `given` are its parameters."""
        for batch in self.batches(query, given):
            yield from batch

    def stream_plain(
        self, query: sa.Select[Any], given: Mapping[str, Any] | None = None
    ) -> Iterator[Sequence[Any]]:
        """The same for columns that need no conversion, or that `converter` converts: SQLite's rows as its
        driver gives them, as those of SQLAlchemy cost as much again."""
        for batch in self.batches(query, given, plain=True):
            yield from batch

    def batches(
        self, query: sa.Select[Any], given: Mapping[str, Any] | None = None, *, plain: bool = False
    ) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a stream in lists. A stream takes no place in the pool while it goes on: who reads it
        asks for more meanwhile, and threads that all did so would wait for each other."""
        plain = plain and self.on_sqlite
        streaming = {} if plain else {"yield_per": STREAM_ROWS}
        with (
            self.reading() as connection,
            # Closed here, because a server's cursor outlives an abandoned iteration.
            connection.execute(query, given, execution_options=streaming) as result,
        ):
            rows: Any = result.cursor if plain else result
            batch = rows.fetchmany(STREAM_ROWS)
            if len(batch) == STREAM_ROWS:
                if self._inside is None:
                    connection.detach()
                while batch:
                    yield batch
                    batch = rows.fetchmany(STREAM_ROWS)
        if batch:
            yield batch

    def converter(self, columns: Sequence[sa.Column[Any]]) -> Callable[[Sequence[Any]], list[Any]]:
        """The function that makes values of these columns of a row that `stream_plain` or `Prepared` gave."""
        if not self.on_sqlite:
            return list
        dialect = self.engine.dialect
        made = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
        processors = [(place, process) for place, process in enumerate(made) if process is not None]

        def converted(row: Sequence[Any]) -> list[Any]:
            values = list(row)
            for place, process in processors:
                values[place] = process(values[place])
            return values

        return converted

    def insert_new(self, table: sa.Table) -> sa.Insert:
        """An insert that passes over rows whose key is there already."""
        if self.on_sqlite:
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table).on_conflict_do_nothing()
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()

    def among(self, column: sa.ColumnElement[Any], wanted: Collection[str]) -> sa.ColumnElement[bool]:
        """`column IN wanted`, as one parameter however many there are: databases limit their number."""
        return self._among(column, None, value=self.listed(wanted))

    def among_named(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        """The same for a parameter that is given by its name, as `listed`, when the query is executed."""
        return self._among(column, name)

    def listed(self, wanted: Collection[str]) -> str | list[str]:
        return json.dumps(list(wanted)) if self.on_sqlite else list(wanted)

    def _among(self, column: sa.ColumnElement[Any], name: str | None, **value: Any) -> sa.ColumnElement[bool]:
        if self.on_sqlite:
            # As text: the same of SQLAlchemy's parts takes three times as long to make, for each statement.
            key = name or "listed"
            listed = sa.bindparam(key, **value, type_=sa.Text(), unique=name is None)
            return column.in_(sa.text(f"SELECT value FROM json_each(:{key})").bindparams(listed))
        texts: sa.types.ARRAY[str] = sa.ARRAY(sa.Text)
        return column == sa.any_(sa.bindparam(name, **value, type_=texts))

    def close(self) -> None:
        """Give all connections back. May be called twice."""
        with self.mapped():
            self.engine.dispose()
        if self._file is not None:
            self._file.close()


class Tables:
    """A part of the ledger: some tables of the database that all parts share."""

    def __init__(self, database: Database) -> None:
        self._database = database


def damaged(place: str, said: str) -> LedgerDamaged:
    """LedgerDamaged with the command that mends it."""
    return LedgerDamaged(
        f"The ledger {place} is damaged: {said}. Restore it from a backup if there is one. Then, or without "
        "one, take over its readable rows, and the rest from store and sources, with: freshkb verify "
        "--repair"
    )


def _tells_damage(error: Exception) -> bool:
    """Whether the file is damaged, rather than locked, full or forbidden."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None) or 0
    known = code & 0xFF in _DAMAGE_CODES or code == _SHORT_READ
    unread = isinstance(cause, UnicodeDecodeError)
    return known or unread or any(words in str(cause) for words in _DAMAGE_WORDS)


def _sqlite_engine(url: sa.URL, file: SqliteFile) -> sa.Engine:
    engine = sa.create_engine(url, hide_parameters=True, creator=file.connect)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: after reading first, it could find at its first write that another
        # was faster, and SQLite would refuse it without waiting.
        writes = connection.get_execution_options().get("freshkb_writes", False)
        if writes:
            file.require_write()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    # A statement that waited for a lock sees what its holder has committed, whatever the server's default is.
    engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, isolation_level="READ COMMITTED")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # An intent must be durable before the store is touched, also where the server's default is not.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        connection.commit()

    return engine
