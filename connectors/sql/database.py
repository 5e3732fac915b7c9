"""Read-only snapshots of a database.

Whatever one answer needs is read in one transaction that sees one state and may not write: REPEATABLE READ,
READ ONLY at PostgreSQL; a file opened read-only, and ``query_only``, at SQLite.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.base import Context, SourceUnavailable, shortened
from connectors.sql.content import SQLITE_SHA256, sha256
from connectors.sql.settings import SqlSettings

#: Seconds before a question is asked again whose connection broke, or could not be made.
PAUSES = (0.5, 2.0)
#: Rows in memory at a time.
STREAM_ROWS = 500
#: Seconds to connect, and for SQLite to wait for a writer.
CONNECT_SECONDS = 10
#: Instructions of SQLite's between two looks at the clock.
_LOOK_INSTRUCTIONS = 100_000
#: A peer that is silent for about a minute is gone.
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
#: SQLSTATEs, or their classes, after which another attempt may do: the connection broke, the server is
#: starting or full, a standby had to go on.
_PASSING = ("08", "40", "53300", "57P01", "57P02", "57P03")
#: In messages of connections that could not be made, which have no SQLSTATE: another attempt fails, too.
_FINAL = ("authentication", "does not exist", "no pg_hba.conf", "could not translate", "permission")

INSUFFICIENT_PRIVILEGE = "42501"
_CANCELED = "57014"

Answer = TypeVar("Answer")


class Snapshot:
    """One state of the database, to be read by one thread."""

    def __init__(self, connection: sa.Connection, renew: Callable[[], None]) -> None:
        self._connection = connection
        self._renew = renew
        self.dialect = connection.dialect.name
        self.utf8 = _keeps_utf8(connection)
        """Whether the database keeps texts as UTF-8."""

    def columns(self, query: sa.Select[Any]) -> list[tuple[str, object]]:
        """(name, the driver's code of its type) of each column that a query gives."""
        self._renew()
        with self._connection.execute(query) as result:
            described = result.cursor.description if result.cursor is not None else ()
            return [(column[0], column[1]) for column in described]

    def rows(self, query: sa.Select[Any], given: Mapping[str, Any] | None = None) -> Iterator[sa.Row[Any]]:
        """The rows, few of them in memory at a time."""
        streaming = {"yield_per": STREAM_ROWS}
        self._renew()
        with self._connection.execute(query, given, execution_options=streaming) as result:
            for some in result.partitions():
                yield from some
                self._renew()

    def few(self, query: sa.Executable, given: Mapping[str, Any] | None = None) -> list[sa.Row[Any]]:
        """The rows of a query that gives few."""
        self._renew()
        with self._connection.execute(query, given) as result:
            return list(result)

    def identity(self) -> str | None:
        """The cluster's own number and the database's; None where the database has none to tell."""
        if self.dialect != "postgresql":
            return None
        oid = sa.text("SELECT current_database(), oid FROM pg_database WHERE datname = current_database()")
        ((name, number),) = self.few(oid)
        may = sa.text("SELECT has_function_privilege('pg_control_system()', 'execute')")
        if not self.few(may)[0][0]:
            return None
        ((cluster,),) = self.few(sa.text("SELECT system_identifier FROM pg_control_system()"))
        return f"database {name} ({number}) of PostgreSQL cluster {cluster}"

    def now(self) -> int:
        """The database's clock, nanoseconds since the epoch. SQLite has the machine's; another database is
        taken to be as late."""
        if self.dialect != "postgresql":
            return time.time_ns()
        seconds = sa.select(sa.extract("epoch", sa.func.clock_timestamp()))
        return int(self.few(seconds)[0][0] * 1_000_000) * 1_000


class Database:
    """The database of a source. Nothing is connected before the first question."""

    def __init__(self, settings: SqlSettings, context: Context) -> None:
        self._settings, self._source = settings, context.source
        self._url = self._parsed(context.base)
        self._deadline = 0.0
        self._engine: sa.Engine | None = None

    @property
    def on_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def home(self) -> str:
        """The database's address, without user, password and options."""
        if self.on_sqlite:
            return f"file://{quote(self._file)}"
        url = self._url
        port = f":{url.port}" if url.port else ""
        return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"

    @property
    def _file(self) -> str:
        return self._url.database or ""

    def ask(self, question: Callable[[Snapshot], Answer]) -> Answer:
        """The answer from one snapshot. A question whose connection breaks is asked again, as a whole.

        Raises SourceUnavailable, and the errors of connectors that the question raises.
        """
        for pause in (*PAUSES, None):
            try:
                with self._connected().connect() as connection:
                    return question(self._snapshot(connection))
            except DBAPIError as error:
                if pause is None or not self._passes(error):
                    raise self.unavailable(error) from None
            except ModuleNotFoundError as error:
                raise self._missing(error) from None
            except (SQLAlchemyError, UnicodeError, OverflowError) as error:
                raise self.unavailable(error) from None
            time.sleep(pause)
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def unavailable(self, error: Exception) -> SourceUnavailable:
        """The error of the driver in one sentence, without the statement and its parameters."""
        why = " ".join(said(error).split()).rstrip(".")
        if self.on_sqlite and not Path(self._file).exists():
            why = "the file does not exist; is it mounted?"
        elif sqlstate(error) == _CANCELED or why == "interrupted":
            why = (
                f"it took longer than {self._settings.timeout:g} s ({shortened(why)}). Make the query "
                "faster, or raise `timeout`."
            )
        else:
            why = f"{shortened(why, 400)}."
        return SourceUnavailable(f"The database {self.home} of source {self._source!r} cannot be read: {why}")

    # ── Connections ───────────────────────────────────────────────────────────────────────────────────

    def _parsed(self, base: Path) -> sa.URL:
        try:
            url = sa.make_url(self._settings.url)
        except (ArgumentError, ValueError):
            # Its message may repeat a password.
            raise SourceUnavailable(
                f"The url of source {self._source!r} is not one that SQLAlchemy understands; in a password, "
                ": / ? # and @ are written %3A %2F %3F %23 and %40."
            ) from None
        if url.drivername in ("postgres", "postgresql"):
            return url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite":
            return url.set(database=str((base / Path(url.database or "").expanduser()).absolute()))
        return url

    def _connected(self) -> sa.Engine:
        if self._engine is None:
            try:
                self._engine = self._sqlite() if self.on_sqlite else self._server()
            except NoSuchModuleError:
                raise SourceUnavailable(
                    f"Source {self._source!r} needs a dialect of SQLAlchemy that is not installed: "
                    f"{self._url.drivername}. Install the package that brings it, or correct the url."
                ) from None
        return self._engine

    def _server(self) -> sa.Engine:
        # One connection, kept from one question to the next: a connector is used by one thread at a time.
        kept: dict[str, Any] = {
            "pool_size": 1,
            "max_overflow": 0,
            "pool_pre_ping": True,
            "hide_parameters": True,
        }
        if self._url.drivername != "postgresql+psycopg":
            return sa.create_engine(self._url, **kept)
        given: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "freshkb",
            **_KEEPALIVE,
        }
        connect = {name: value for name, value in given.items() if name not in self._url.query}
        return sa.create_engine(
            self._url,
            connect_args=connect | {"client_encoding": "utf8"},
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
            **kept,
        )

    def _sqlite(self) -> sa.Engine:
        place = f"file:{quote(self._file)}?mode=ro"

        def connect() -> sqlite3.Connection:
            made = sqlite3.connect(
                place, uri=True, timeout=CONNECT_SECONDS, isolation_level=None, check_same_thread=False
            )
            # Text may be in any encoding; what it is its reader finds out.
            made.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            made.create_function(SQLITE_SHA256, 1, sha256, deterministic=True)
            made.set_progress_handler(lambda: time.monotonic() > self._deadline, _LOOK_INSTRUCTIONS)
            made.execute("PRAGMA query_only = ON").close()
            return made

        # Opened for each question, as the file may be replaced meanwhile.
        engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    def _snapshot(self, connection: sa.Connection) -> Snapshot:
        self._renew()
        if connection.dialect.name == "postgresql":
            milliseconds = str(max(1, round(self._settings.timeout * 1_000)))
            limit = sa.func.set_config("statement_timeout", milliseconds, True)
            connection.execute(sa.select(limit)).close()
        return Snapshot(connection, self._renew)

    def _renew(self) -> None:
        """SQLite's time for a statement begins now; PostgreSQL counts by itself."""
        self._deadline = time.monotonic() + self._settings.timeout

    def _passes(self, error: DBAPIError) -> bool:
        """Whether another attempt may do."""
        if self.on_sqlite:
            return False
        if error.connection_invalidated:
            return True
        state = sqlstate(error)
        if state is not None:
            return state.startswith(_PASSING)
        why = said(error).lower()
        return "connect" in why and not any(word in why for word in _FINAL)

    def _missing(self, error: ModuleNotFoundError) -> SourceUnavailable:
        return SourceUnavailable(
            f"Source {self._source!r} needs the package {error.name}, which is not installed and reads "
            f"{self._url.drivername}: pip install {error.name}."
        )


def sqlstate(error: Exception) -> str | None:
    """The SQLSTATE of an error, where its driver gives one."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def said(error: Exception) -> str:
    """The driver's words; PostgreSQL's without its details, in which rows may be quoted."""
    origin = getattr(error, "orig", None)
    primary = getattr(getattr(origin, "diag", None), "message_primary", None)
    return str(primary or origin or error)


def _keeps_utf8(connection: sa.Connection) -> bool:
    if connection.dialect.name == "sqlite":
        with connection.exec_driver_sql("PRAGMA encoding") as encoding:
            return encoding.scalar() == "UTF-8"
    if connection.dialect.name == "postgresql":
        info: Any = connection.connection.driver_connection
        return bool(info.info.parameter_status("server_encoding") == "UTF8")
    return False
