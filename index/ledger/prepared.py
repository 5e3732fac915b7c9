"""Queries that are asked again and again, as by each search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from index.ledger.database import Database


class Prepared:
    """A query that is compiled once. On SQLite its driver is asked: SQLAlchemy takes three times as long to
    ask and to begin and end a transaction as SQLite to answer, and a statement alone is a consistent view.

    Its parameters are texts, or of types that need no conversion; none of them is expanded into several.
    """

    def __init__(self, database: Database, query: sa.Select[Any]) -> None:
        self._database = database
        self._query = query
        compiled = query.compile(database.engine)
        self._statement = str(compiled)
        self._constants = compiled.params
        self._names: Sequence[str] = getattr(compiled, "positiontup", None) or ()

    def rows(self, **parameters: Any) -> Sequence[Sequence[Any]]:
        """All rows of the answer, their values as the driver gives them: `Database.converter` converts
        those of other types. `parameters` by name; of lists as `Database.listed`."""
        if self._database.on_sqlite:
            given = {**self._constants, **parameters}
            with self._database.driven() as cursor:
                return cursor.execute(self._statement, [given[name] for name in self._names]).fetchall()
        with self._database.reading() as connection:
            return connection.execute(self._query, parameters).all()
