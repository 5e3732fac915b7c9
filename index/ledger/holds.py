"""What people decided about documents: reviews, legal holds, and tombstones of what was erased."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Database
from index.ledger.kinds import Moment
from index.ledger.schema import documents, holds, reviews, tombstones


@dataclass(frozen=True, slots=True)
class Hold:
    """One document under one hold."""

    hold_id: str
    document_id: str
    reason: str
    placed_at: datetime
    released_at: datetime | None = None


_HOLD = schema.columns(holds, Hold)


class Holds(Database):
    def add_review(self, document_id: str, by: str, note: str, at: datetime) -> None:
        row = {"document_id": document_id, "reviewed_by": by, "note": note, "at": at}
        with self._writing() as connection:
            connection.execute(sa.insert(reviews), row)

    def reviews(self, document_ids: Collection[str]) -> dict[str, datetime]:
        """The newest review of each document that has one."""
        query = (
            sa.select(reviews.c.document_id, sa.func.max(reviews.c.at, type_=Moment()))
            .where(self._among(reviews.c.document_id, document_ids))
            .group_by(reviews.c.document_id)
        )
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def untold_reviews(self, source: str) -> list[str]:
        """Live documents of a source whose newest review is not in their row, nor then in their payloads."""
        newest = (
            sa.select(reviews.c.document_id, sa.func.max(reviews.c.at).label("at"))
            .group_by(reviews.c.document_id)
            .subquery()
        )
        query = (
            sa.select(documents.c.document_id)
            .join(newest, newest.c.document_id == documents.c.document_id)
            .where(
                documents.c.source == source,
                schema.live,
                documents.c.version > 0,
                sa.or_(documents.c.reviewed_at.is_(None), documents.c.reviewed_at < newest.c.at),
            )
            .order_by(documents.c.document_id)
        )
        with self._reading() as connection:
            return [row[0] for row in connection.execute(query)]

    def place_hold(self, document_ids: Collection[str], hold_id: str, reason: str, at: datetime) -> None:
        """Documents already under this hold keep the reason and date that they have."""
        rows = [
            {"hold_id": hold_id, "document_id": document_id, "reason": reason, "placed_at": at}
            for document_id in dict.fromkeys(document_ids)
        ]
        with self._writing() as connection:
            connection.execute(
                sa.delete(holds).where(
                    holds.c.hold_id == hold_id,
                    self._among(holds.c.document_id, document_ids),
                    holds.c.released_at.is_not(None),
                )
            )
            if rows:
                connection.execute(self._insert_new(holds), rows)

    def release_hold(self, hold_id: str, at: datetime) -> int:
        """How many documents it stood on."""
        standing = sa.and_(holds.c.hold_id == hold_id, holds.c.released_at.is_(None))
        with self._writing() as connection:
            return connection.execute(sa.update(holds).where(standing).values(released_at=at)).rowcount

    def holds(self) -> list[Hold]:
        """Those that stand, in order of hold and document."""
        query = sa.select(*_HOLD).where(holds.c.released_at.is_(None))
        with self._reading() as connection:
            found = connection.execute(query.order_by(holds.c.hold_id, holds.c.document_id)).all()
        return [Hold(*row) for row in found]

    def once_held(self, document_ids: Collection[str]) -> set[str]:
        """Those of the documents that a hold stands or stood on."""
        query = sa.select(holds.c.document_id).where(self._among(holds.c.document_id, document_ids))
        with self._reading() as connection:
            return set(connection.execute(query).scalars())

    def tombstone(self, keys: Collection[str], source: str, reason: str, at: datetime) -> None:
        """Remember hashes of what must not come back. The first tombstone of a key stands."""
        rows = [
            {"key_hash": key, "source": source, "reason": reason, "at": at} for key in dict.fromkeys(keys)
        ]
        with self._writing() as connection:
            if rows:
                connection.execute(self._insert_new(tombstones), rows)

    def tombstoned(self, keys: Collection[str]) -> set[str]:
        """Those of the key hashes that have a tombstone."""
        query = sa.select(tombstones.c.key_hash).where(self._among(tombstones.c.key_hash, keys))
        with self._reading() as connection:
            return set(connection.execute(query).scalars())
