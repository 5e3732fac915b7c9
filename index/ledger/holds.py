"""Legal holds: documents that must not be removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Database, Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.schema import documents, holds


@dataclass(frozen=True, slots=True)
class Hold:
    """One document under one hold."""

    hold_id: str
    document_id: str
    reason: str
    placed_at: datetime
    released_at: datetime | None = None


def lock(database: Database, connection: sa.Connection, document_ids: Collection[str]) -> None:
    """Until this transaction ends, no other places a hold on these documents or announces their removal."""
    if not document_ids:
        return
    rows = sa.select(documents.c.document_id).where(database.among(documents.c.document_id, document_ids))
    connection.execute(rows.order_by(documents.c.document_id).with_for_update()).all()


def held(database: Database, connection: sa.Connection, document_ids: Collection[str]) -> set[str]:
    """The documents among these that are under a hold."""
    standing = sa.and_(holds.c.released_at.is_(None), database.among(holds.c.document_id, document_ids))
    return set(connection.execute(sa.select(holds.c.document_id).where(standing)).scalars())


_HOLD = schema.columns(holds, Hold)


class Holds(Tables):
    def place(
        self,
        document_ids: Collection[str],
        hold_id: str,
        reason: str,
        at: datetime,
        entries: Sequence[LogEntry],
    ) -> None:
        """Documents already under this hold keep the reason and date that they have.

        A removal that was announced before goes on; one that is about to be announced sees the hold.
        """
        rows = [
            {"hold_id": hold_id, "document_id": document_id, "reason": reason, "placed_at": at}
            for document_id in dict.fromkeys(document_ids)
        ]
        with self._database.writing() as connection:
            lock(self._database, connection, document_ids)
            connection.execute(
                sa.delete(holds).where(
                    holds.c.hold_id == hold_id,
                    self._database.among(holds.c.document_id, document_ids),
                    holds.c.released_at.is_not(None),
                )
            )
            if rows:
                connection.execute(self._database.insert_new(holds), rows)
            append(connection, entries)

    def release(self, hold_id: str, at: datetime, entries: Sequence[LogEntry]) -> int:
        """Release a hold. Returns the number of its documents; 0, with nothing on record, for an unknown
        hold."""
        standing = sa.and_(holds.c.hold_id == hold_id, holds.c.released_at.is_(None))
        with self._database.writing() as connection:
            released = connection.execute(sa.update(holds).where(standing).values(released_at=at)).rowcount
            append(connection, entries if released else ())
        return released

    def standing(self) -> list[Hold]:
        """Holds in force, in order of hold and document."""
        query = sa.select(*_HOLD).where(holds.c.released_at.is_(None))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(holds.c.hold_id, holds.c.document_id)).all()
        return [Hold(*row) for row in found]

    def once_held(self, document_ids: Collection[str]) -> set[str]:
        """The documents among these that are or were under a hold."""
        query = sa.select(holds.c.document_id).where(self._database.among(holds.c.document_id, document_ids))
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())
