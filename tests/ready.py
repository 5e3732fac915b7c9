"""What each new knowledge base needs, made once by the real parts in each process and copied from then on.

A test opens dozens of ledgers and stores: to compile their statements, to migrate an empty ledger and to have
the engine make an empty shard took half of what a small sync takes.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import index.store.edge.build
from index.ledger import migrations
from tests.copies import copy


class Statements(dict[Any, Any]):
    """Compiled statements by dialect and statement. SQLAlchemy keeps them for each engine."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__((key[0].name, *key[1:]), value)


STATEMENTS = Statements()


class Schema:
    """Brings an empty ledger to the newest schema: on SQLite by the statements that the migrations left of
    one, on PostgreSQL by those that they gave."""

    def __init__(self) -> None:
        self._migrate = migrations.upgrade
        self._left: list[str] = []
        self._given: list[tuple[str, Any]] = []

    def upgrade(self, connection: sa.Connection, to: str = "head") -> None:
        if to != "head" or sa.inspect(connection).get_table_names():
            self._migrate(connection, to)
        elif connection.dialect.name == "sqlite":
            self._on_sqlite(connection)
        else:
            self._on_server(connection)

    def _on_sqlite(self, connection: sa.Connection) -> None:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        if self._left:
            for statement in self._left:
                raw.execute(statement)
        else:
            self._migrate(connection, "head")
            self._left = [s for s in raw.iterdump() if s not in ("BEGIN TRANSACTION;", "COMMIT;")]

    def _on_server(self, connection: sa.Connection) -> None:
        if self._given:
            for statement, parameters in self._given:
                connection.exec_driver_sql(statement, parameters)
            return
        given: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if not statement.lstrip().upper().startswith(("SELECT", "SHOW")):
                given.append((statement, parameters))

        sa.event.listen(connection, "before_cursor_execute", note)
        try:
            self._migrate(connection, "head")
        finally:
            sa.event.remove(connection, "before_cursor_execute", note)
        self._given = given


class Shards:
    """Makes empty shards by copying the first of their dimension."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._real: Any = index.store.edge.build
        self._make = self._real.build
        self._first: dict[tuple[int, int], Path] = {}

    def build(self, shard: Path, dimension: int) -> None:
        # Tests change how the engine keeps points.
        key = dimension, id(self._real.COPIES)
        if key not in self._first:
            folder = Path(tempfile.mkdtemp(dir=self._place, prefix="shard-"))
            with tempfile.TemporaryDirectory(dir=self._place) as made:
                self._make(Path(made), dimension)
                copy(Path(made), folder)
            self._first[key] = folder
        copy(self._first[key], shard)
        # As private as the files that the engine would make here.
        mask = os.umask(0o077)
        os.umask(mask)
        for path in (shard, *shard.rglob("*")):
            path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def make_ready(place: Path) -> None:
    """From now on, new ledgers and shards of this process are copies, the first of which lie in `place`."""
    engine: Any = sa.Engine
    engine._compiled_cache = property(lambda _: STATEMENTS, lambda *_: None)
    migrating: Any = migrations
    migrating.upgrade = Schema().upgrade
    making: Any = index.store.edge.build
    making.build = Shards(place).build
