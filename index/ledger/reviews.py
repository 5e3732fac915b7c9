"""Reviews: attestations of documents by people."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.schema import documents, reviews
from index.records import Review

_REVIEW = schema.columns(reviews, Review)


class Reviews(Tables):
    def add(self, made: Sequence[Review], entries: Sequence[LogEntry]) -> None:
        with self._database.writing() as connection:
            if made:
                connection.execute(sa.insert(reviews), [schema.values(review) for review in made])
            append(connection, entries)

    def of(self, document_ids: Collection[str] | None = None) -> dict[str, list[Review]]:
        """The reviews of each document that has some (None: of all), in the order of their recording. The
        last one counts, even when its clock was behind."""
        query = sa.select(*_REVIEW).order_by(reviews.c.id)
        if document_ids is not None:
            query = query.where(self._database.among(reviews.c.document_id, document_ids))
        found: dict[str, list[Review]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                found.setdefault(row[0], []).append(Review(*row))
        return found

    def pending(self, source: str) -> list[str]:
        """Live documents of a source whose last review is pending: not yet in their row and payloads."""
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
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(query)]
