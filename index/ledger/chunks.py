"""Committed chunks: which points a collection holds, by document, by embedded text and by id."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import STREAM_ROWS, Database
from index.ledger.schema import chunks, documents
from index.model import ChunkRecord, Document, State

_CHUNK = schema.columns(chunks, ChunkRecord)

#: Point ids are hashes: their first 32 bits spread them evenly over ranges of ids, which an index can read.
_BUCKETS = 1 << 32


def bucket_of(point_id: str, buckets: int) -> int:
    """The bucket, from 0, that `Ledger.points` finds this id in; the same for ids of a store."""
    return int(point_id[:8], 16) * buckets // _BUCKETS


class Chunks(Database):
    def chunks(self, collection: str, document_ids: Collection[str]) -> dict[str, list[ChunkRecord]]:
        """Each document's committed chunks in order; an empty list where there are none."""
        found: dict[str, list[ChunkRecord]] = {document_id: [] for document_id in document_ids}
        query = (
            sa.select(*_CHUNK)
            .where(chunks.c.collection == collection, self._among(chunks.c.document_id, document_ids))
            .order_by(chunks.c.document_id, chunks.c.chunk_index)
        )
        with self._reading() as connection:
            for row in connection.execute(query):
                record = ChunkRecord(*row)
                found[record.document_id].append(record)
        return found

    def points(self, collection: str, *, bucket: tuple[int, int] | None = None) -> Iterator[ChunkRecord]:
        """A stream of all committed chunks in order of point id; with `bucket` (i, n), 0 ≤ i < n, of those
        whose `bucket_of(point_id, n)` is i."""
        query = sa.select(*_CHUNK).where(chunks.c.collection == collection).order_by(chunks.c.point_id)
        if bucket is not None:
            index, buckets = bucket
            if not 0 <= index < buckets:
                raise ValueError(f"There is no bucket {index} of {buckets}.")
            query = query.where(chunks.c.point_id >= f"{-(-index * _BUCKETS // buckets):08x}")
            if index + 1 < buckets:
                query = query.where(chunks.c.point_id < f"{-(-(index + 1) * _BUCKETS // buckets):08x}")
        with self._reading() as connection:
            for row in connection.execute(query, execution_options={"yield_per": STREAM_ROWS}):
                yield ChunkRecord(*row)

    def known_vectors(self, collection: str, embedded_hashes: Collection[str]) -> dict[str, ChunkRecord]:
        """For each embedded hash that is committed anywhere in the collection, one chunk that has it."""
        first = (
            sa.select(sa.func.min(chunks.c.point_id))
            .where(chunks.c.collection == collection, self._among(chunks.c.embedded_hash, embedded_hashes))
            .group_by(chunks.c.embedded_hash)
        )
        query = sa.select(*_CHUNK).where(chunks.c.collection == collection, chunks.c.point_id.in_(first))
        with self._reading() as connection:
            records = [ChunkRecord(*row) for row in connection.execute(query)]
        return {record.embedded_hash: record for record in records}

    def current(
        self, collection: str, point_ids: Collection[str], *, held: bool = False
    ) -> dict[str, Document]:
        """Those of the points that may be shown, each with its document: committed, and the document indexed
        or quarantined (then its last good version), or held when `held` asks for them."""
        shown = [State.INDEXED, State.QUARANTINED, *([State.HELD] if held else [])]
        query = (
            sa.select(chunks.c.point_id, *schema.columns(documents, Document))
            .join_from(chunks, documents, chunks.c.document_id == documents.c.document_id)
            .where(chunks.c.collection == collection, self._among(chunks.c.point_id, point_ids))
            .where(documents.c.state.in_(shown))
        )
        with self._reading() as connection:
            return {row[0]: Document(*row[1:]) for row in connection.execute(query)}

    def totals(self, collection: str) -> int:
        """How many chunks are committed."""
        query = sa.select(sa.func.count()).select_from(chunks).where(chunks.c.collection == collection)
        with self._reading() as connection:
            return int(connection.execute(query).scalar_one())
