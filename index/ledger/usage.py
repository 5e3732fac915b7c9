"""How often searches showed passages of documents: by document and day, and no word of a question."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa

from index.ledger.audit_tables import usage
from index.ledger.database import Tables


class Shown(NamedTuple):
    """Hits of one document on one day."""

    document_id: str
    day: str
    """In UTC, as ISO has it."""
    hits: int
    fresh: int
    """Those of them whose document was fresh or exempt then."""


class Usage(Tables):
    def count(self, day: date, hits: Mapping[str, tuple[int, int]], keep_since: date) -> None:
        """Add {document id: (hits, fresh ones)} to those of a day (UTC); forget the days before
        `keep_since`."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(usage).where(usage.c.day < keep_since.isoformat()))
            rows = [
                {"document_id": document_id, "day": day.isoformat(), "hits": 0, "fresh": 0}
                for document_id in hits
            ]
            if rows:
                connection.execute(self._database.insert_new(usage), rows)
            for document_id, (number, fresh) in hits.items():
                one = sa.and_(usage.c.document_id == document_id, usage.c.day == day.isoformat())
                more = {"hits": usage.c.hits + number, "fresh": usage.c.fresh + fresh}
                connection.execute(sa.update(usage).where(one).values(more))

    def since(self, day: date) -> list[Shown]:
        """The hits of that day and of later ones, in order of the day."""
        query = sa.select(usage.c.document_id, usage.c.day, usage.c.hits, usage.c.fresh)
        query = query.where(usage.c.day >= day.isoformat()).order_by(usage.c.day, usage.c.document_id)
        with self._database.reading() as connection:
            return [Shown(*row) for row in connection.execute(query)]
