"""The record of each source between runs."""

from __future__ import annotations

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.schema import sources
from index.records import SourceRecord

_SOURCE = schema.columns(sources, SourceRecord)


class Sources(Tables):
    def get(self, source: str) -> SourceRecord | None:
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*_SOURCE).where(sources.c.source == source)).first()
        return None if row is None else SourceRecord(*row)

    def all(self) -> list[SourceRecord]:
        """All records, in order of their ids."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(*_SOURCE).order_by(sources.c.source)).all()
        return [SourceRecord(*row) for row in found]

    def put(self, record: SourceRecord) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(sources).where(sources.c.source == record.source))
            connection.execute(sa.insert(sources), schema.values(record))
