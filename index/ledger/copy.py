"""A ledger's rows as values that every database has alike: read in one snapshot, loaded into a new ledger.

A copy has every table but `writers`, whose rows are of processes, and no rows of a collection that is being
built: these are of no use without its points, and a reindex begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from index.batched import batched
from index.errors import Refused
from index.ledger import file, schema
from index.ledger.chain import Head
from index.ledger.database import STREAM_ROWS, Database
from index.ledger.log import head
from index.ledger.schema import collections, documents, metadata, writers
from index.model import State
from index.records import Collection

if TYPE_CHECKING:
    from index.ledger.ledger import Ledger

#: Key of PostgreSQL's advisory lock that lets one process create or migrate the schema.
MIGRATION_KEY = 0x667265736B62


class Table(NamedTuple):
    """A table's rows, each in the order of its columns: texts, integers and None."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


class Snapshot:
    """The rows of a ledger at one moment. Tables are read one after another, each to its end."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
        self.schema: str = version.scalar_one()
        building = sa.select(collections.c.name).where(collections.c.state == "building")
        self._building = list(connection.execute(building).scalars())

    def collection(self) -> Collection | None:
        """The current collection; None when there is none."""
        query = sa.select(*schema.columns(collections, Collection)).where(collections.c.state == "current")
        row = self._connection.execute(query).first()
        return None if row is None else Collection(*row)

    def documents(self, states: Iterable[State]) -> int:
        """Number of documents in these states."""
        query = sa.select(sa.func.count()).select_from(documents).where(documents.c.state.in_(list(states)))
        return int(self._connection.execute(query).scalar_one())

    def head(self) -> Head:
        """The end of the log. Raises LedgerDamaged when it is lost."""
        return head(self._connection)

    def tables(self) -> Iterator[Table]:
        """All tables in order of their names, with their rows in order of their keys."""
        for name in sorted(metadata.tables):
            table = metadata.tables[name]
            if table is not writers:
                yield Table(name, table.c.keys(), self._rows(table))

    def _rows(self, table: sa.Table) -> Iterator[Sequence[Any]]:
        # Columns without a type give values as the database holds them.
        plain: list[sa.ColumnClause[Any]] = [sa.column(column.name) for column in table.c]
        query = sa.select(*plain).select_from(table).order_by(*table.primary_key)
        of = table.c.name if table is collections else table.c.get("collection")
        if of is not None and self._building:
            query = query.where(sa.or_(of.is_(None), of.not_in(self._building)))
        streaming = {"yield_per": STREAM_ROWS}
        with self._connection.execute(query, execution_options=streaming) as result:
            yield from result


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """The ledger as of now, for as long as the block lasts. No writer waits for it."""
    with database.reading() as connection:
        if not database.on_sqlite:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield Snapshot(connection)


def existing(url: str, state_dir: Path) -> str | None:
    """The place of a ledger that exists already, whole or in part; None where there is none."""
    if url == "sqlite":
        path = state_dir / file.NAME
        parts = (path, *(file.beside(path, suffix) for suffix in ("-wal", ".mended")))
        # A load that was cut short may have left an empty file.
        return next((str(part) for part in parts if part.exists() and part.stat().st_size), None)
    database = Database(url, state_dir)
    try:
        with database.reading() as connection:
            return database.place if connection.dialect.has_table(connection, "alembic_version") else None
    finally:
        database.close()


def load(
    url: str,
    state_dir: Path,
    scratch: Path,
    version: str,
    tables: Iterable[Table],
    then: Callable[[Ledger], None],
) -> None:
    """Make a ledger of these rows, which are of this schema, brought to the schema of this program; `then`
    is called with it in the same transaction. It is there as a whole when this returns, and not at all when
    this raises: Refused when a ledger exists. `scratch` is a private folder on the disk of the state
    folder."""
    if url != "sqlite":
        _fill(Database(url, state_dir), version, tables, then)
        return
    path = state_dir / file.NAME
    _fill(Database(url, scratch), version, tables, then)
    with file.alone(path) as held:
        if existing(url, state_dir) is not None:
            raise refusal(str(path))
        file.replace(held, path, scratch / file.NAME)


def refusal(place: str) -> Refused:
    return Refused(
        f"There is a ledger already: {place}. Nothing was restored, and nothing is replaced. Restore into a "
        "knowledge base that has none: another state_dir, and on PostgreSQL an empty database; or move this "
        "one aside, with its index."
    )


def _fill(database: Database, version: str, tables: Iterable[Table], then: Callable[[Ledger], None]) -> None:
    from index.ledger.ledger import Ledger
    from index.ledger.migrations import upgrade

    try:
        with database.writing() as connection:
            if not database.on_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_KEY)))
            if connection.dialect.has_table(connection, "alembic_version"):
                raise refusal(str(database.place))
            upgrade(connection, version)
            for table in tables:
                _insert(connection, table)
            upgrade(connection)
            then(Ledger.within(database, connection))
    finally:
        database.close()


def _insert(connection: sa.Connection, table: Table) -> None:
    into = sa.table(table.name, *map(sa.column, table.columns))
    connection.execute(sa.delete(into))
    for rows in batched(table.rows, STREAM_ROWS):
        connection.execute(sa.insert(into), [dict(zip(table.columns, row, strict=True)) for row in rows])
    if "id" in table.columns and connection.dialect.name == "postgresql":
        # What counts up by itself goes on behind the rows that are there.
        counter = sa.func.pg_get_serial_sequence(table.name, "id")
        following = sa.select(sa.func.coalesce(sa.func.max(into.c.id), 0) + 1).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(counter, following, sa.false())))
