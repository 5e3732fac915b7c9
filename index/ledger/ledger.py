"""The ledger as the rest of the program sees it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from index.disk.private import tighten
from index.errors import LedgerError, LedgerReadOnly
from index.ledger import file
from index.ledger.answers import Answers
from index.ledger.audits import Audits
from index.ledger.chunks import Chunks
from index.ledger.collections import Collections
from index.ledger.copy import MIGRATION_KEY, Snapshot, snapshot
from index.ledger.database import Database, damaged
from index.ledger.documents import Documents
from index.ledger.erasures import Erasures
from index.ledger.extracts import Extracts
from index.ledger.history import History
from index.ledger.holds import Holds
from index.ledger.locks import BUILDER, AdvisoryLocks, FileLocks, Writer, refusal
from index.ledger.log import Log
from index.ledger.missing import Left, how, missing
from index.ledger.notices import Notices
from index.ledger.points import Points
from index.ledger.reviews import Reviews
from index.ledger.runs import Runs
from index.ledger.schema import VERSION, meta
from index.ledger.sources import Sources
from index.ledger.tombstones import Tombstones
from index.ledger.usage import Usage
from index.ledger.vacuum import Vacuumed, copy_rows, vacuum
from index.ledger.writes import Writes
from index.model import utc_now

#: The schema of the first version that makes its files for their owner alone.
_PRIVATE = "m003"

#: Of a uri in PostgreSQL, whose indices take keys of some 2,700 bytes.
URI_BYTES = 2_000


class Ledger:
    """One ledger, safe to use from several threads and, through several objects, from several processes.

    Every method of its parts raises LedgerError when the database cannot do it. Iterators are snapshots that
    hold a connection until they are exhausted or closed.
    """

    instance_id: str
    """Made with the ledger, and carried by the store's collections that belong to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sources = Sources(database)
        self.documents = Documents(database)
        self.chunks = Chunks(database)
        self.points = Points(database)
        self.collections = Collections(database)
        self.runs = Runs(database)
        self.reviews = Reviews(database)
        self.answers = Answers(database)
        self.audits = Audits(database)
        self.usage = Usage(database)
        self.extracts = Extracts(database)
        self.notices = Notices(database)
        self.holds = Holds(database)
        self.erasures = Erasures(database)
        self.tombstones = Tombstones(database)
        self.log = Log(database)
        self.history = History(database)
        self.writes = Writes(database)

    @classmethod
    def open(
        cls,
        url: str,
        state_dir: Path,
        *,
        left: Callable[[], Left | None] = lambda: None,
        now: Callable[[], datetime] = utc_now,
    ) -> Self:
        """`sqlite` (a file in `state_dir`) or ``postgresql+psycopg://…``. Created on first use, and brought
        up to this program's schema; one of a newer program is refused with LedgerError. Holds end by the
        clock `now`. Raises LedgerDamaged when its file is damaged, or when it is missing while there is an
        index that belongs to it: `left` finds that, and is asked only where there is no ledger."""
        left = cache(left)
        if url == "sqlite":
            file.finish(state_dir / file.NAME)
            _require(state_dir / file.NAME, left)
        ledger = cls(Database(url, state_dir, now))
        try:
            ledger._prepare(state_dir, left)
        except BaseException:
            ledger.database.close()
            raise
        ledger._locks = (
            FileLocks(state_dir / "locks")
            if ledger.database.on_sqlite
            else AdvisoryLocks(ledger.database, ledger.instance_id)
        )
        return ledger

    _locks: FileLocks | AdvisoryLocks

    @classmethod
    def within(cls, database: Database, connection: sa.Connection) -> Self:
        """A ledger that is being made, inside of the transaction that makes it. It has no writer locks."""
        ledger = cls(database.within(connection))
        ledger.instance_id = ledger._instance(connection)
        return ledger

    def writer(self, source: str, command: str) -> AbstractContextManager[None]:
        """Hold the writer lock of this source. Raises Locked at once, naming the holder, when another process
        or another part of this one holds it. The lock of a dead holder is free."""
        return self._locks.hold(source, command)

    def writers(self) -> list[Writer]:
        """Holders of writer locks now, in order of source."""
        return self._locks.holders()

    @contextmanager
    def builder(self, command: str, sources: Collection[str]) -> Iterator[None]:
        """Hold the lock for making a collection that is to replace the one in use, as the writer of these
        sources. Raises Locked when another process builds, or writes a source that is none of these."""
        with self.writer(BUILDER, command):
            for writer in self.writers():
                if writer.source not in sources and not writer.source.startswith(":"):
                    raise refusal(writer.source, writer)
            yield

    def require_no_builder(self) -> None:
        """For a writer, once it has its lock. Raises Locked while a builder is at work."""
        for writer in self.writers():
            if writer.source == BUILDER:
                raise refusal(BUILDER, writer)

    @property
    def uri_bytes(self) -> int | None:
        """The most bytes of a new document's uri; None: no limit."""
        return None if self.database.on_sqlite else URI_BYTES

    def faults(self) -> list[str]:
        """Faults of the ledger's file, in words; [] when it is sound. All of it is read. A server checks its
        own files."""
        if not self.database.on_sqlite:
            return []
        from index.ledger.damage import faults

        with self.database.reading() as connection:
            return faults(connection)

    def rebuild_log(self) -> None:
        """After damage: give the log a head to go on from."""
        from index.ledger.rebuild import rebuild_head

        rebuild_head(self.database)

    def vacuum(self) -> Vacuumed:
        """Remove the bytes of deleted rows from the ledger's files. Waits for writers and for readers."""
        return vacuum(self.database)

    def copy_rows(self, path: Path) -> None:
        """Write all rows to a new file, as SQLite holds them once it was vacuumed; none of a server's."""
        copy_rows(self.database, path)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """All rows as of now, for a copy: see `index.ledger.copy`."""
        return snapshot(self.database)

    @property
    def files(self) -> list[Path]:
        """Its file and those that SQLite keeps beside it; [] of a server's."""
        if not self.database.on_sqlite:
            return []
        path = Path(str(self.database.place))
        return [path, *(file.beside(path, suffix) for suffix in ("-wal", "-shm"))]

    @property
    def writable(self) -> bool:
        """Whether this process may write; else every method that writes raises LedgerReadOnly."""
        return self.database.writable

    def close(self) -> None:
        """Give all connections back. May be called twice."""
        self.database.close()

    def _prepare(self, state_dir: Path, left: Callable[[], Left | None]) -> None:
        with self.database.reading() as connection:
            recorded = self._version(connection)
            if recorded == VERSION:
                self.instance_id = self._instance(connection)
                return
        if recorded is not None and not self.writable:
            raise LedgerReadOnly(
                f"The ledger {self.database.place} can only be read here, and has the schema {recorded} of "
                f"an older freshkb; this one needs {VERSION}. Any command of a user that may write brings it "
                "there."
            )
        with self.database.writing() as connection:
            if not self.database.on_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_KEY)))
            # Another process may have done it while this one waited for its turn.
            found = self._version(connection)
            if found is None and (index := left()) is not None:
                place, on_sqlite = str(self.database.place), self.database.on_sqlite
                raise missing(place, "has no tables", index, on_sqlite=on_sqlite)
            if found != VERSION:
                from index.ledger.migrations import upgrade

                if recorded is None or recorded < _PRIVATE:
                    tighten(state_dir)
                upgrade(connection)
                if (
                    connection.execute(sa.select(meta.c.value).where(meta.c.name == "instance")).first()
                    is None
                ):
                    connection.execute(sa.insert(meta), {"name": "instance", "value": str(uuid.uuid4())})
            self.instance_id = self._instance(connection)

    def _version(self, connection: sa.Connection) -> str | None:
        """The recorded schema; None when there is no ledger yet."""
        if not connection.dialect.has_table(connection, "alembic_version"):
            return None
        recorded = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        if recorded is None:
            return None
        if not re.fullmatch(r"m\d{3}", recorded):
            raise damaged(str(self.database.place), f"its schema is {recorded!r}, which none ever was")
        if recorded > VERSION:
            raise LedgerError(
                f"The ledger {self.database.place} was written by a newer freshkb: its schema is {recorded}, "
                f"and this program knows {VERSION}. Upgrade freshkb; nothing was changed."
            )
        return str(recorded)

    def _instance(self, connection: sa.Connection) -> str:
        query = sa.select(meta.c.value).where(meta.c.name == "instance")
        recorded = connection.execute(query).scalar()
        if recorded is None:
            raise damaged(str(self.database.place), "it has lost its instance id")
        return str(recorded)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _require(path: Path, left: Callable[[], Left | None]) -> None:
    """Raises LedgerDamaged when there is no ledger, or an empty one, and an index that belongs to it."""
    # The file is looked at again: while the index was looked for, another process may have made both.
    if how(path) and (index := left()) is not None and (lacks := how(path)):
        raise missing(str(path), lacks, index, on_sqlite=True)
