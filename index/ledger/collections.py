"""Collections of the store: one is current and searched; another may be building or dropping beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.prepared import Prepared
from index.ledger.schema import collections
from index.records import Collection

_COLLECTION = schema.columns(collections, Collection)


class Collections(Tables):
    def current(self) -> Collection | None:
        """The current collection; None when there is none."""
        row = next(iter(self._current.rows()), None)
        return None if row is None else Collection(*self._converter(row))

    @cached_property
    def _current(self) -> Prepared:
        return Prepared(self._database, sa.select(*_COLLECTION).where(collections.c.state == "current"))

    @cached_property
    def _converter(self) -> Callable[[Sequence[Any]], list[Any]]:
        return self._database.converter(_COLLECTION)

    def all(self) -> list[Collection]:
        """All collections, in order of their names."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(*_COLLECTION).order_by(collections.c.name)).all()
        return [Collection(*row) for row in found]

    def put(self, collection: Collection, entries: Sequence[LogEntry]) -> None:
        """Write a collection's row. Raises LedgerError when it is current and another is too."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(collections).where(collections.c.name == collection.name))
            connection.execute(sa.insert(collections), schema.values(collection))
            append(connection, entries)
