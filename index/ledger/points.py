"""Points that the store may hold, in every role: committed, intended, to be removed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from index.ledger.database import Tables
from index.ledger.intents import points_of, unpacked
from index.ledger.removal import PointRemoval, RemovalState
from index.ledger.schema import chunks, collections, intents, removals
from index.ledger.types import Moment
from index.records import Intent

#: Removals whose points the store may still hold.
PRESENT = removals.c.state == RemovalState.PRESENT


_since = sa.func.coalesce(removals.c.absent_at, collections.c.created_at)


class Points(Tables):
    def intents(self, collection: str | None = None) -> list[tuple[str, str, Intent]]:
        """(run id, collection, intent) of every unfinished change, in order of document id."""
        query = sa.select(intents.c.run_id, intents.c.collection, intents.c.payload)
        if collection is not None:
            query = query.where(intents.c.collection == collection)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(intents.c.document_id)).all()
        return [(run_id, place, unpacked(stored)) for run_id, place, stored in found]

    def intended(self, run_id: str, collection: str, document_ids: Collection[str]) -> set[str]:
        """The ids among these of documents with an open intent of this run."""
        own = sa.and_(intents.c.run_id == run_id, intents.c.collection == collection)
        query = sa.select(intents.c.document_id)
        with self._database.reading() as connection:
            found = query.where(own, self._database.among(intents.c.document_id, document_ids))
            return set(connection.execute(found).scalars())

    def removals(self, collection: str) -> list[str]:
        """Point ids of present removals, which the store may still hold, in order."""
        query = sa.select(removals.c.point_id).where(removals.c.collection == collection, PRESENT)
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(removals.c.point_id)).scalars())

    def absent(self, collection: str) -> list[PointRemoval]:
        """Absent removals, whose bytes are not purged yet, in order of id. If the store holds such a point
        all the same, it is an orphan."""
        query = sa.select(removals.c.point_id, removals.c.document_id, removals.c.absent_at).where(
            removals.c.collection == collection, removals.c.state == RemovalState.ABSENT
        )
        with self._database.reading() as connection:
            return [PointRemoval(*row) for row in connection.execute(query.order_by(removals.c.point_id))]

    def unpurged(self) -> tuple[int, datetime | None, datetime | None]:
        """(removals, times since when the oldest and the newest absent one are), of all collections. Where
        the time of the store's proof was not recorded, that of the collection's making stands for it."""
        since = sa.case((removals.c.state == RemovalState.ABSENT, _since), else_=sa.null())
        times = [sa.type_coerce(extreme(since), Moment) for extreme in (sa.func.min, sa.func.max)]
        place = removals.outerjoin(collections, collections.c.name == removals.c.collection)
        query = sa.select(sa.func.count(), *times).select_from(place)
        with self._database.reading() as connection:
            number, oldest, newest = connection.execute(query).one()
        return number, oldest, newest

    def known(self, collection: str, ids: Collection[str]) -> set[str]:
        """The ids among these whose points the store may hold: committed, intended or to be removed. Absent
        ones must not be there."""
        with self._database.reading() as connection:
            known = {
                point
                for table, role in ((chunks, sa.true()), (removals, PRESENT))
                for point in connection.execute(
                    sa.select(table.c.point_id).where(
                        table.c.collection == collection, self._database.among(table.c.point_id, ids), role
                    )
                ).scalars()
            }
            stored = connection.execute(
                sa.select(intents.c.payload).where(intents.c.collection == collection)
            )
            for payload in stored.scalars():
                known |= points_of(unpacked(payload)).intersection(ids)
        return known
