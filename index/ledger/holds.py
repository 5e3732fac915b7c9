"""What people decided about documents: reviews, legal holds, and tombstones of what was erased."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Database
from index.ledger.schema import documents, holds, reviews, tombstones
from index.model import Review


@dataclass(frozen=True, slots=True)
class Hold:
    """One document under one hold."""

    hold_id: str
    document_id: str
    reason: str
    placed_at: datetime
    released_at: datetime | None = None


_HOLD = schema.columns(holds, Hold)
_REVIEW = schema.columns(reviews, Review)


class Holds(Database):
    def add_reviews(self, made: Sequence[Review]) -> None:
        with self._writing() as connection:
            if made:
                connection.execute(sa.insert(reviews), [schema.values(review) for review in made])

    def reviews(self, document_ids: Collection[str] | None = None) -> dict[str, list[Review]]:
        """The reviews of each document that has some (None: of all), in the order of their recording.
        The last one counts, whatever its clock said."""
        query = sa.select(*_REVIEW).order_by(reviews.c.id)
        if document_ids is not None:
            query = query.where(self._among(reviews.c.document_id, document_ids))
        found: dict[str, list[Review]] = {}
        with self._reading() as connection:
            for row in connection.execute(query):
                found.setdefault(row[0], []).append(Review(*row))
        return found

    def untold_reviews(self, source: str) -> list[str]:
        """Live documents of a source whose last review is not in their row, nor then in their payloads."""
        last = sa.select(sa.func.max(reviews.c.id)).group_by(reviews.c.document_id)
        query = (
            sa.select(documents.c.document_id)
            .join(reviews, reviews.c.document_id == documents.c.document_id)
            .where(
                reviews.c.id.in_(last),
                documents.c.source == source,
                schema.live,
                documents.c.version > 0,
                sa.or_(documents.c.reviewed_at.is_(None), documents.c.reviewed_at != reviews.c.at),
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
