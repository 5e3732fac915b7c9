"""A session of an embedded collection: calls and conversions to the engine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Any

import qdrant_edge as engine

from index.batched import batched
from index.disk.scratch import room
from index.errors import StoreError
from index.freshness.owners import fold
from index.idle import give_back
from index.model import Point, Sparse, rfc3339
from index.payload import PASSAGE_FIELDS
from index.store import fusion
from index.store.base import EVERYTHING, SPARSE_NAME, Filter, Hit, Mode
from index.store.convert import FIELDS, INSTANT_FIELDS, KEYWORD_FIELDS, check_vectors, sparse
from index.store.edge.decay import faded
from index.store.edge.errors import engine_errors
from index.store.edge.shards import Shards, require_room

#: Unsealed points load at 9 µs each. Sealing takes 60 µs a point, and twice that with the merges that follow;
#: its memory, 4 KB a point, is what a long sync needs beside a short one.
SEAL_POINTS = 5_000
#: Disk space for a segment's points and their texts, with a margin.
SEAL_ROOM_BYTES = 512 << 20
#: Points of one call to the engine.
SLICE_POINTS = 1_000

#: A search ranks so many times the points that are asked for by their vectors: the best by the copies.
OVERSAMPLING = 2.0
#: Cosines by copies are that near to those by vectors; those of hundreds of numbers ten times nearer.
COPY_ERROR = 0.05


def _ranking(**params: Any) -> engine.SearchParams:
    return engine.SearchParams(quantization=engine.QuantizationSearchParams(**params))


_RESCORED = _ranking(rescore=True, oversampling=OVERSAMPLING)
_BY_COPY, _BY_VECTOR = _ranking(rescore=False), _ranking(ignore=True)

#: The engine's names of the vectors.
_NAMES = {"dense": "", "sparse": SPARSE_NAME}


class EdgeSession:
    """See `index.store.base.Session`. Belongs to the thread that opened it."""

    def __init__(self, shards: Shards, home: Path, did: Counter[str]) -> None:
        """`did` receives the counts of points written, deleted, read and ranked."""
        self._shards = shards
        self._home = home
        self._unsealed = home / "unsealed"
        self._pid = os.getpid()
        self._ended = False
        self._did = did
        self._open()

    def end(self) -> None:
        self._ended = True

    def _open(self, *, to_write: bool = False) -> engine.EdgeShard:
        if self._ended or os.getpid() != self._pid:
            raise StoreError("This session of the vector store has ended.")
        return self._shards.open(self._home.name, to_write=to_write)

    @property
    def _shard(self) -> engine.EdgeShard:
        return self._open()

    def upsert(self, points: Sequence[Point]) -> None:
        check_vectors(points)
        with engine_errors(f"write {len(points)} points", writes=self._home):
            self._open(to_write=True)
            require_room(self._home)
            for operation in missing_indexes(self._shard):
                self._update(operation)
            for some in batched(points, SLICE_POINTS):
                self._update(engine.UpdateOperation.upsert_points([_row(point) for point in some]))
            self._seal(len(points))
        self._did["written"] += len(points)

    def _seal(self, written: int) -> None:
        """Count unsealed points, which the engine does not report, and seal them when they are many."""
        try:
            unsealed = int(self._unsealed.read_text()) + written
        except FileNotFoundError:
            unsealed = written
        except ValueError:
            # A kill cut the number short.
            unsealed = SEAL_POINTS
        # Sealing writes the points again: wait until the disk has room.
        if unsealed >= SEAL_POINTS and room(self._home) >= SEAL_ROOM_BYTES:
            # A shard that is loaded anew maps nothing of what was read before.
            self._shards.shut(self._home.name)
            give_back()
            self._open(to_write=True).optimize()
            self._shard.flush()
            unsealed = 0
        self._unsealed.write_text(str(unsealed))

    def delete(self, ids: Sequence[str]) -> None:
        with engine_errors(f"delete {len(ids)} points", writes=self._home):
            self._open(to_write=True)
            for some in batched(ids, SLICE_POINTS):
                self._update(engine.UpdateOperation.delete_points(list(some)))
        self._did["deleted"] += len(ids)

    def _update(self, operation: engine.UpdateOperation) -> None:
        """Durable when it returns. Each update is flushed before the next: see `shards.SEQUENCE_LEAD`."""
        self._shard.update(operation)
        self._shard.flush()

    def retrieve(self, ids: Sequence[str], *, vectors: bool) -> dict[str, Point]:
        with engine_errors(f"read {len(ids)} points", self._home):
            rows = self._shard.retrieve(list(ids), with_payload=True, with_vector=vectors)
            self._did["read"] += len(rows)
            return {point.id: point for point in map(_point, rows)}

    def scroll(
        self, *, vectors: bool, page: int = 1000, first: str | None = None, end: str | None = None
    ) -> Iterator[Point]:
        points = map(_point, self._rows(page, first, with_payload=True, with_vector=vectors))
        return takewhile(lambda point: end is None or point.id < end, points)

    def indexed(self, *, page: int = 1000, first: str | None = None, whole: bool = False) -> Iterator[Point]:
        payload = True if whole else list(FIELDS)
        for row in self._rows(page, first, with_payload=payload, with_vector=[SPARSE_NAME]):
            vectors: dict[str, Any] = row.vector if isinstance(row.vector, dict) else {}
            words = vectors.get(SPARSE_NAME)
            found = None if words is None else Sparse(words.indices, ())
            yield Point(str(row.id), row.payload or {}, None, found)

    def lacking(self) -> set[str]:
        have: list[Any] = [engine.HasVectorCondition(name) for name in _NAMES.values()]
        lacks = engine.Filter(must_not=[engine.Filter(must=have)])
        return {str(row.id) for row in self._rows(SLICE_POINTS, None, filter=lacks, with_payload=False)}

    def _rows(self, page: int, first: str | None, **asked: Any) -> Iterator[engine.Record]:
        """Records in order of id, so many in one call."""
        offset: Any = first
        while True:
            with engine_errors("list its points", self._home):
                rows, offset = self._shard.scroll(engine.ScrollRequest(offset=offset, limit=page, **asked))
            self._did["read"] += len(rows)
            yield from rows
            if offset is None:
                return

    def count(self, where: Filter = EVERYTHING) -> int:
        with engine_errors("count its points", self._home):
            return self._shard.count(engine.CountRequest(exact=True, filter=_conditions(where)))

    def reached(self, words: Sparse) -> int:
        with engine_errors("be searched", self._home):
            return len(self._shard.query(engine.QueryRequest(limit=self.count(), query=_nearest(words))))

    def misplaced(self, vector: Sequence[float], limit: int) -> int:
        with engine_errors("be searched", self._home):
            by_vector, by_copy = (
                {row.id: row.score for row in self._shard.query(request)}
                for request in (
                    engine.QueryRequest(limit=limit, query=_nearest(vector), params=params)
                    for params in (_BY_VECTOR, _BY_COPY)
                )
            )
        # Points that are as near as the last may be left out of either.
        last = min(by_copy.values(), default=-inf) + COPY_ERROR if len(by_copy) == limit else -inf
        return sum(
            # Also where a damaged copy is no number.
            not abs(by_copy.get(point, inf) - score) < COPY_ERROR
            for point, score in by_vector.items()
            if score > last
        )

    def search(
        self,
        *,
        mode: Mode,
        dense: Sequence[float] | None,
        sparse: Sparse | None,
        limit: int,
        where: Filter,
        fresh_first: datetime | None = None,
    ) -> list[Hit]:
        conditions = _conditions(where)

        def rank(queries: Sequence[fusion.Query], limit: int) -> list[fusion.Ranking]:
            asked = [
                engine.QueryRequest(limit=limit, query=_nearest(query), filter=conditions, params=_RESCORED)
                for query in queries
            ]
            if fresh_first is not None:
                asked = [faded(request, fresh_first) for request in asked]
            self._did["ranked"] += limit * len(asked)
            ranked = self._shard.query_batch(engine.QueryBatchRequest(asked))
            return [[(row.id, row.score) for row in rows] for rows in ranked]

        def read(ids: Sequence[Any], question: fusion.Query) -> fusion.Found:
            # A search among these ids reads the segments beside each other, `retrieve` one after the other.
            asked = engine.QueryRequest(
                limit=len(ids),
                query=_nearest(question),
                filter=engine.Filter(must=[engine.HasIdCondition(set(ids))]),
                params=_BY_VECTOR,
                with_payload=list(PASSAGE_FIELDS),
                with_vector=[SPARSE_NAME] if isinstance(question, Sparse) else False,
            )
            rows = self._shard.query(asked)
            found: fusion.Found = {row.id: (row.payload or {}, _relevance(question, row)) for row in rows}
            # Those that words have found, and that lack a dense vector.
            if lost := [identifier for identifier in ids if identifier not in found]:
                records = self._shard.retrieve(lost, with_payload=list(PASSAGE_FIELDS), with_vector=False)
                found |= {record.id: (record.payload or {}, 0.0) for record in records}
            self._did["read"] += len(found)
            return found

        with engine_errors("be searched", self._home):
            found = fusion.search(rank, read, mode=mode, dense=dense, sparse=sparse, limit=limit)
        self._shards.searched(self._home.name)
        return found


def missing_indexes(shard: engine.EdgeShard) -> list[engine.UpdateOperation]:
    """The operations that make missing payload indexes, as in a collection of an older freshkb."""
    there = shard.info().payload_schema
    kinds = dict.fromkeys(KEYWORD_FIELDS, engine.PayloadSchemaType.Keyword)
    kinds |= dict.fromkeys(INSTANT_FIELDS, engine.PayloadSchemaType.Datetime)
    return [
        engine.UpdateOperation.create_field_index(field, kind)
        for field, kind in kinds.items()
        if field not in there
    ]


def _row(point: Point) -> engine.Point:
    vectors: dict[str, Any] = {}
    if point.dense is not None:
        vectors[""] = list(point.dense)
    if point.sparse is not None:
        vectors[SPARSE_NAME] = engine.SparseVector(list(point.sparse.indices), list(point.sparse.values))
    return engine.Point(point.id, vectors, dict(point.payload))


def _point(row: engine.Record) -> Point:
    if row.vector is None:
        return Point(str(row.id), row.payload or {})
    vectors: dict[str, Any] = row.vector if isinstance(row.vector, dict) else {"": row.vector}
    words = vectors.get(SPARSE_NAME)
    return Point(
        str(row.id),
        row.payload or {},
        vectors.get(""),
        None if words is None else sparse(words.indices, words.values),
    )


def _relevance(question: fusion.Query, row: engine.ScoredPoint) -> float:
    if not isinstance(question, Sparse):
        return fusion.by_cosine(row.score)
    vectors: dict[str, Any] = row.vector if isinstance(row.vector, dict) else {}
    return fusion.by_words(question, vectors[SPARSE_NAME].indices)


def _nearest(query: fusion.Query) -> engine.Query:
    if isinstance(query, Sparse):
        return engine.Query.Nearest(engine.SparseVector(list(query.indices), list(query.values)), SPARSE_NAME)
    return engine.Query.Nearest(list(query))


def _conditions(where: Filter) -> engine.Filter | None:
    must: list[Any] = []
    if where.sources is not None:
        must.append(_of_sources(where.sources))
    if where.owner is not None:
        named = engine.FieldCondition("metadata.owners", match=engine.MatchValue(fold(where.owner)))
        written = engine.FieldCondition("metadata.owner", match=engine.MatchValue(where.owner))
        must.append(engine.Filter(should=[named, written]))
    if where.document_ids is not None:
        match = engine.MatchAny(list(where.document_ids))
        must.append(engine.FieldCondition("metadata.document_id", match=match))
    if where.fresh_at is not None:
        later = engine.RangeDateTime(gt=rfc3339(where.fresh_at))
        fresh = engine.FieldCondition("metadata.warn_at", range=later)
        doubted = [_of_sources(where.doubted)] if where.doubted else []
        must.append(engine.Filter(should=[fresh, *doubted]) if doubted else fresh)
    return engine.Filter(must=must) if must else None


def _of_sources(sources: Sequence[str]) -> engine.FieldCondition:
    return engine.FieldCondition("metadata.source", match=engine.MatchAny(list(sources)))
