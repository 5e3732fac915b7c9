"""The engine: connections as the ledger needs them, transactions, and errors in our own words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from index.errors import LedgerError
from index.ledger.sqlite import SqliteFile

#: Rows that a stream holds in memory at a time.
STREAM_ROWS = 1000

_SECRET_PARAMETERS = ("password", "sslpassword", "oauth_client_secret")


def _parse(url: str, state_dir: Path) -> sa.URL:
    if url == "sqlite":
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
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
    """Base of the ledger's parts: one engine, and transactions whose errors are LedgerErrors."""

    def __init__(self, url: str, state_dir: Path) -> None:
        parsed = _parse(url, state_dir)
        self._secrets = [
            secret
            for secret in (parsed.password, *(parsed.query.get(name) for name in _SECRET_PARAMETERS))
            if isinstance(secret, str) and secret
        ]
        self._sqlite = parsed.drivername == "sqlite"
        self._place = parsed.database if self._sqlite else f"{parsed.host or 'local'}/{parsed.database}"
        self._file = SqliteFile(Path(parsed.database or "")) if self._sqlite else None
        self._engine = _sqlite_engine(parsed, self._file) if self._file else _postgresql_engine(parsed)
        self._writing_engine = self._engine.execution_options(freshkb_writes=True)

    @property
    def writable(self) -> bool:
        """Whether this process may write; else every method that writes raises LedgerReadOnly."""
        return self._file is None or not self._file.unwritable

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Turn what the database raises into LedgerError, without a password in the text or in its cause."""
        try:
            yield
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
            text = str(getattr(error, "orig", None) or error)
            hidden = text
            for secret in self._secrets:
                hidden = hidden.replace(secret, "***")
            message = (
                f"The ledger {self._place} cannot be used: {' '.join(hidden.split())}. What was done before "
                "is whole; when the ledger can be used again, run the command again."
            )
            raise LedgerError(message) from (error if hidden == text else None)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """A consistent view that waits for no writer."""
        if self._file is not None and self._file.outdated():
            self._anew(self._file)
        with self._mapped(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """One transaction: durable when the block ends, undone when it raises."""
        if self._file is not None and self._file.unwritable:
            # What stood in the way may be gone.
            self._anew(self._file)
        with self._mapped(), self._writing_engine.begin() as connection:
            yield connection

    def _anew(self, file: SqliteFile) -> None:
        """From now on connections are new ones. Those in use are closed when they are given back."""
        self._engine.dispose()
        file.close()

    def _stream(self, query: sa.Select[Any]) -> Iterator[Sequence[Any]]:
        """A query's rows, few of them in memory at a time."""
        streaming = {"yield_per": STREAM_ROWS}
        # Closed here, because a cursor of the server's outlives an iteration that was given up.
        with self._reading() as connection, connection.execute(query, execution_options=streaming) as result:
            yield from result

    def _insert_new(self, table: sa.Table) -> sa.Insert:
        """An insert that passes over rows whose key is there already."""
        if self._sqlite:
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table).on_conflict_do_nothing()
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()

    def _among(self, column: sa.Column[Any], wanted: Collection[str]) -> sa.ColumnElement[bool]:
        """`column IN wanted`, as one parameter however many there are: databases limit their number."""
        if self._sqlite:
            each = sa.func.json_each(json.dumps(list(wanted))).table_valued("value")
            return column.in_(sa.select(each.c.value))
        texts: sa.types.ARRAY[str] = sa.ARRAY(sa.Text)
        return column == sa.any_(sa.bindparam(None, list(wanted), type_=texts))

    def close(self) -> None:
        """Give all connections back. May be called twice."""
        with self._mapped():
            self._engine.dispose()
        if self._file is not None:
            self._file.close()


def _sqlite_engine(url: sa.URL, file: SqliteFile) -> sa.Engine:
    engine = sa.create_engine(url, hide_parameters=True, creator=file.connect)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: one that first reads could find, when it comes to write, that
        # another one was faster, and SQLite would refuse it without waiting.
        writes = connection.get_execution_options().get("freshkb_writes", False)
        if writes:
            file.require_write()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)

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
