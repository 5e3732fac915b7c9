"""Points that the store may hold, in every role: committed, intended, to be removed."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from index.ledger.database import Tables
from index.ledger.intents import points_of, unpacked
from index.ledger.schema import chunks, intents, removals
from index.model import Intent


class Points(Tables):
    def intents(self, collection: str | None = None) -> list[tuple[str, str, Intent]]:
        """(run id, collection, intent) of every unfinished change, in order of document id."""
        query = sa.select(intents.c.run_id, intents.c.collection, intents.c.payload)
        if collection is not None:
            query = query.where(intents.c.collection == collection)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(intents.c.document_id)).all()
        return [(run_id, place, unpacked(stored)) for run_id, place, stored in found]

    def removals(self, collection: str) -> list[str]:
        """Point ids that nothing references and that the store may still hold, in order."""
        query = sa.select(removals.c.point_id).where(removals.c.collection == collection)
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(removals.c.point_id)).scalars())

    def known(self, collection: str, ids: Collection[str]) -> set[str]:
        """Those of the ids that the ledger knows in any role: committed, intended or to be removed."""
        with self._database.reading() as connection:
            known = {
                point
                for table in (chunks, removals)
                for point in connection.execute(
                    sa.select(table.c.point_id).where(
                        table.c.collection == collection, self._database.among(table.c.point_id, ids)
                    )
                ).scalars()
            }
            stored = connection.execute(
                sa.select(intents.c.payload).where(intents.c.collection == collection)
            )
            for payload in stored.scalars():
                known |= points_of(unpacked(payload)).intersection(ids)
        return known
