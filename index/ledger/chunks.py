"""Committed chunks: which points a collection holds, by document, by embedded text and by id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.prepared import Prepared
from index.ledger.schema import chunks, documents
from index.model import State
from index.records import ChunkRecord, Document

_CHUNK = schema.columns(chunks, ChunkRecord)
_DOCUMENT = schema.columns(documents, Document)


class _Documents(Mapping[str, Document]):
    """Documents by point, made from their rows when they are asked for: a search looks at more candidates
    than it shows."""

    def __init__(
        self, rows: Mapping[str, Sequence[Any]], converter: Callable[[Sequence[Any]], list[Any]]
    ) -> None:
        self._rows = rows
        self._converter = converter
        self._made: dict[str, Document] = {}

    def __getitem__(self, point_id: str) -> Document:
        if point_id not in self._made:
            self._made[point_id] = Document(*self._converter(self._rows[point_id]))
        return self._made[point_id]

    def __contains__(self, point_id: object) -> bool:
        return point_id in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Chunks(Tables):
    def of(self, collection: str, document_ids: Collection[str]) -> dict[str, list[ChunkRecord]]:
        """Each document's committed chunks in order; an empty list where there are none."""
        found: dict[str, list[ChunkRecord]] = {document_id: [] for document_id in document_ids}
        query = (
            sa.select(*_CHUNK)
            .where(
                chunks.c.collection == collection, self._database.among(chunks.c.document_id, document_ids)
            )
            .order_by(chunks.c.document_id, chunks.c.chunk_index)
        )
        with self._database.reading() as connection:
            for row in connection.execute(query):
                record = ChunkRecord(*row)
                found[record.document_id].append(record)
        return found

    def stream(
        self, collection: str, *, first: str | None = None, end: str | None = None
    ) -> Iterator[ChunkRecord]:
        """A stream of all committed chunks in order of point id; those from `first` on and before `end`
        where they are given."""
        query = sa.select(*_CHUNK).where(chunks.c.collection == collection).order_by(chunks.c.point_id)
        if first is not None:
            query = query.where(chunks.c.point_id >= first)
        if end is not None:
            query = query.where(chunks.c.point_id < end)
        for row in self._database.stream_plain(query):
            yield ChunkRecord(*row)

    def known_vectors(self, collection: str, embedded_hashes: Collection[str]) -> dict[str, ChunkRecord]:
        """For each embedded hash that is committed anywhere in the collection, one chunk that has it."""
        first = (
            sa.select(sa.func.min(chunks.c.point_id))
            .where(
                chunks.c.collection == collection,
                self._database.among(chunks.c.embedded_hash, embedded_hashes),
            )
            .group_by(chunks.c.embedded_hash)
        )
        query = sa.select(*_CHUNK).where(chunks.c.collection == collection, chunks.c.point_id.in_(first))
        with self._database.reading() as connection:
            records = [ChunkRecord(*row) for row in connection.execute(query)]
        return {record.embedded_hash: record for record in records}

    def elsewhere(
        self, collection: str, embedded_hashes: Collection[str], document_ids: Collection[str]
    ) -> set[str]:
        """Those of these embedded hashes that chunks of other documents have, too."""
        query = (
            sa.select(chunks.c.embedded_hash)
            .where(
                chunks.c.collection == collection,
                self._database.among(chunks.c.embedded_hash, embedded_hashes),
                ~self._database.among(chunks.c.document_id, document_ids),
            )
            .distinct()
        )
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def searchable(
        self, collection: str, point_ids: Collection[str], *, held: bool = False
    ) -> Mapping[str, Document]:
        """The points among these that may be shown, each with its document: committed, and the document
        indexed or quarantined (then its last good version), or held when `held` asks for them."""
        rows = self._searchable.rows(
            collection=collection,
            points=self._database.listed(point_ids),
            also=(State.HELD if held else State.INDEXED).value,
        )
        return _Documents({row[0]: row[1:] for row in rows}, self._converter)

    @cached_property
    def _converter(self) -> Callable[[Sequence[Any]], list[Any]]:
        return self._database.converter(_DOCUMENT)

    @cached_property
    def _searchable(self) -> Prepared:
        shown: tuple[Any, ...] = (State.INDEXED.value, State.QUARANTINED.value, sa.bindparam("also"))
        query = (
            sa.select(chunks.c.point_id, *_DOCUMENT)
            .join_from(chunks, documents, chunks.c.document_id == documents.c.document_id)
            .where(
                chunks.c.collection == sa.bindparam("collection"),
                self._database.among_named(chunks.c.point_id, "points"),
                sa.or_(*(documents.c.state == state for state in shown)),
            )
        )
        return Prepared(self._database, query)

    def miscounted(self, collection: str) -> list[str]:
        """Live documents whose number of committed chunks is not the one in their row."""
        counted = (
            sa.select(chunks.c.document_id, sa.func.count().label("number"))
            .where(chunks.c.collection == collection)
            .group_by(chunks.c.document_id)
            .subquery()
        )
        query = (
            sa.select(documents.c.document_id)
            .outerjoin(counted, counted.c.document_id == documents.c.document_id)
            .where(schema.live, documents.c.chunk_count != sa.func.coalesce(counted.c.number, 0))
            .order_by(documents.c.document_id)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def delete_rows(self, collection: str, point_ids: Collection[str], entries: Sequence[LogEntry]) -> None:
        """Delete rows of chunks that no commit wrote. Their points in the store are left alone."""
        wrong = sa.and_(chunks.c.collection == collection, self._database.among(chunks.c.point_id, point_ids))
        with self._database.writing() as connection:
            connection.execute(sa.delete(chunks).where(wrong))
            append(connection, entries)

    def count(self, collection: str) -> int:
        """Number of committed chunks."""
        query = sa.select(sa.func.count()).select_from(chunks).where(chunks.c.collection == collection)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())
