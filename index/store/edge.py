"""Qdrant's engine inside this process, one folder a collection.

::

    PATH/COLLECTION/instance       the ledger it belongs to, and a check of that
    PATH/COLLECTION/unsealed       how many points were written since the last sealing, about
    PATH/COLLECTION/shard/         the engine's files

A collection is made under a hidden name and renamed when it is whole, and dropped the other way round, so
that its folder is there whole or not at all.

The engine runs without its write-ahead log: what `flush` has returned for is durable, and deleted text does
not live on in a log. Without the log it takes no lock of its own, and a shard that is only read from writes
to its files too: whoever opens one holds the folder's lock from before until after (`index.store.shards`),
and whoever may not write to them reads a private copy.

Search is exact: a pass over all vectors, 7 ms at 100,000 points of 384 dimensions, without a graph index,
whose building would hold the store for minutes. Whenever `SEAL_POINTS` new points have come together, they
are sealed into a segment of their own: sealed ones load four times as fast and are searched in parallel.

A float in a payload keeps 15 significant digits. The engine reads JSON that way.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import qdrant_edge as engine

from index.batched import batched
from index.disk.atomic import sync_folder
from index.disk.scratch import room
from index.errors import StoreDamaged, StoreError
from index.model import Point, Sparse, rfc3339
from index.owners import fold
from index.store import fusion
from index.store.base import EVERYTHING, SPARSE_NAME, Filter, Hit, Mode
from index.store.points import INSTANT_FIELDS, KEYWORD_FIELDS, check_name, check_vectors, sparse
from index.store.shards import Shards, engine_errors, require_room

#: Unsealed points load at 9 µs each, and sealing takes 60 µs a point.
SEAL_POINTS = 20_000
#: Several segments keep every core busy with a search, and sealing never merges those that are full.
SEGMENT_POINTS = 25_000
#: A segment's points and their texts, with some to spare.
SEAL_ROOM_BYTES = 512 << 20
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: Points of one call to the engine.
SLICE_POINTS = 1_000


class EdgeStore:
    """Collections below `path`. See `index.store.base.VectorStore`."""

    kind: Literal["edge", "qdrant"] = "edge"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shards = Shards(path)
        # Also when the process ends: an open shard is closed while the lock is still held.
        self._closing = weakref.finalize(self, self._shards.close)

    def instance(self, collection: str) -> str | None:
        check_name(collection)
        path = self._path / collection / "instance"
        try:
            recorded = path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"The vector store in {self._path} cannot be read: {error}.") from error
        instance, _, check = recorded.partition(" ")
        # Without a check it was written before there was one.
        if check != _check(instance) and not _UUID.fullmatch(recorded):
            raise StoreDamaged(
                f"{path} is damaged: it does not say any more which ledger the collection belongs to. Write "
                "it anew with: freshkb verify --repair"
            )
        return instance

    def create(self, collection: str, *, dimension: int, instance: str) -> None:
        check_name(collection)
        with self._shards.held(), engine_errors(f"make collection {collection!r}"):
            home, building = self._path / collection, self._path / f".new-{collection}"
            self._shards.require_write()
            if home.exists():
                raise StoreError(f"The vector store already has a collection {collection!r}.")
            self._sweep()
            require_room(self._path)
            (building / "shard").mkdir(parents=True)
            _build(building / "shard", dimension)
            with (building / "instance").open("w", encoding="utf-8") as file:
                file.write(f"{instance} {_check(instance)}")
                file.flush()
                os.fsync(file.fileno())
            sync_folder(building)
            building.rename(home)
            sync_folder(self._path)

    def collections(self) -> list[str]:
        return sorted(found.parent.name for found in self._path.glob("[!.]*/instance"))

    def drop(self, collection: str) -> None:
        check_name(collection)
        with self._shards.held(), engine_errors(f"drop collection {collection!r}"):
            self._shards.require_write()
            self._shards.shut(collection)
            if (self._path / collection).exists():
                (self._path / collection).rename(self._path / f".old-{collection}")
                sync_folder(self._path)
            self._sweep()

    def _sweep(self) -> None:
        """Clear away what was being made or dropped when a process was killed."""
        for left in (*self._path.glob(".new-*"), *self._path.glob(".old-*")):
            shutil.rmtree(left)

    def publish(self, name: str, collection: str) -> None:
        """Nobody else reads these files."""

    @contextmanager
    def session(self, collection: str) -> Iterator[EdgeSession]:
        check_name(collection)
        with self._shards.held():
            if not (self._path / collection / "instance").exists():
                raise StoreError(f"The vector store in {self._path} has no collection {collection!r}.")
            with engine_errors(f"open collection {collection!r}", self._path / collection):
                session = EdgeSession(self._shards, self._path / collection)
            try:
                yield session
            finally:
                session.end()

    def faults(self, collection: str, stop: threading.Event | None = None) -> list[str]:
        from index.store.apart import examine

        check_name(collection)
        # The child takes the lock.
        self._shards.close()
        found = examine(self._path, collection, stop)
        try:
            self.instance(collection)
        except StoreDamaged as error:
            found.append(str(error))
        return found

    def close(self) -> None:
        """Let go of the store now. A later session opens it again."""
        self._shards.close()


class EdgeSession:
    """See `index.store.base.Session`. Belongs to the thread that opened it."""

    def __init__(self, shards: Shards, home: Path) -> None:
        self._shards = shards
        self._home = home
        self._unsealed = home / "unsealed"
        self._pid = os.getpid()
        self._ended = False
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
        with engine_errors(f"write {len(points)} points"):
            self._open(to_write=True)
            require_room(self._home)
            for operation in _missing_indexes(self._shard):
                self._update(operation)
            for some in batched(points, SLICE_POINTS):
                self._update(engine.UpdateOperation.upsert_points([_row(point) for point in some]))
            self._seal(len(points))

    def _seal(self, written: int) -> None:
        """Count what is unsealed, which the engine does not tell, and seal it when it has become much."""
        try:
            unsealed = int(self._unsealed.read_text()) + written
        except FileNotFoundError:
            unsealed = written
        except ValueError:
            # A kill while the number was written.
            unsealed = SEAL_POINTS
        # Sealing writes the points once more, and can wait for a disk that has the room.
        if unsealed >= SEAL_POINTS and room(self._home) >= SEAL_ROOM_BYTES:
            self._shard.optimize()
            self._shard.flush()
            unsealed = 0
        self._unsealed.write_text(str(unsealed))

    def delete(self, ids: Sequence[str]) -> None:
        with engine_errors(f"delete {len(ids)} points"):
            self._open(to_write=True)
            for some in batched(ids, SLICE_POINTS):
                self._update(engine.UpdateOperation.delete_points(list(some)))

    def _update(self, operation: engine.UpdateOperation) -> None:
        """Durable when it returns. Each is flushed before the next: see `index.store.shards.LEAD`."""
        self._shard.update(operation)
        self._shard.flush()

    def retrieve(self, ids: Sequence[str], *, vectors: bool) -> dict[str, Point]:
        with engine_errors(f"read {len(ids)} points", self._home):
            rows = self._shard.retrieve(list(ids), with_payload=True, with_vector=vectors)
            return {str(row.id): _point(row) for row in rows}

    def scroll(
        self, *, vectors: bool, page: int = 1000, first: str | None = None, end: str | None = None
    ) -> Iterator[Point]:
        offset: Any = first
        while True:
            with engine_errors("list its points", self._home):
                rows, offset = self._shard.scroll(
                    engine.ScrollRequest(offset=offset, limit=page, with_payload=True, with_vector=vectors)
                )
            for row in rows:
                if end is not None and str(row.id) >= end:
                    return
                yield _point(row)
            if offset is None:
                return

    def count(self, where: Filter = EVERYTHING) -> int:
        with engine_errors("count its points", self._home):
            return self._shard.count(engine.CountRequest(exact=True, filter=_conditions(where)))

    def reached(self, words: Sparse) -> int:
        with engine_errors("be searched", self._home):
            return len(self._shard.query(engine.QueryRequest(limit=self.count(), query=_nearest(words))))

    def search(
        self, *, mode: Mode, dense: Sequence[float] | None, sparse: Sparse | None, limit: int, where: Filter
    ) -> list[Hit]:
        conditions = _conditions(where)

        def rank(queries: Sequence[fusion.Query], limit: int) -> list[fusion.Ranking]:
            asked = [
                engine.QueryRequest(limit=limit, query=_nearest(query), filter=conditions)
                for query in queries
            ]
            return [[(str(row.id), row.score) for row in self._shard.query(request)] for request in asked]

        def fetch(ids: Sequence[str]) -> dict[str, Point]:
            return self.retrieve(ids, vectors=True)

        with engine_errors("be searched", self._home):
            return fusion.search(rank, fetch, mode=mode, dense=dense, sparse=sparse, limit=limit)


def _check(instance: str) -> str:
    """Tells an instance id that was damaged from that of another ledger."""
    return sha256(instance.encode()).hexdigest()[:8]


def _build(shard: Path, dimension: int) -> None:
    segment_kilobytes = SEGMENT_POINTS * dimension * 4 // 1024
    config = engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Cosine),
        sparse_vectors={SPARSE_NAME: engine.EdgeSparseVectorParams(modifier=engine.Modifier.Idf)},
        # Without edges there is no graph to build.
        hnsw_config=engine.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=segment_kilobytes),
        # `optimize` seals what is unsealed, and rewrites every segment that holds a deleted point.
        optimizers=engine.EdgeOptimizersConfig(
            deleted_threshold=1e-9,
            vacuum_min_vector_number=1,
            default_segment_number=8,
            max_segment_size=segment_kilobytes,
            indexing_threshold=1,
        ),
        wal_enabled=False,
    )
    made = engine.EdgeShard.create(str(shard), config)
    for operation in _missing_indexes(made):
        made.update(operation)
    made.flush()
    made.close()


def _missing_indexes(shard: engine.EdgeShard) -> list[engine.UpdateOperation]:
    """What makes the payload indexes that are not there, as in a collection of an older freshkb."""
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
    vectors: dict[str, Any] = row.vector if isinstance(row.vector, dict) else {"": row.vector}
    words = vectors.get(SPARSE_NAME)
    return Point(
        str(row.id),
        row.payload or {},
        vectors.get(""),
        None if words is None else sparse(words.indices, words.values),
    )


def _nearest(query: fusion.Query) -> engine.Query:
    if isinstance(query, Sparse):
        return engine.Query.Nearest(engine.SparseVector(list(query.indices), list(query.values)), SPARSE_NAME)
    return engine.Query.Nearest(list(query))


def _conditions(where: Filter) -> engine.Filter | None:
    must: list[Any] = []
    if where.source is not None:
        must.append(engine.FieldCondition("metadata.source", match=engine.MatchValue(where.source)))
    if where.owner is not None:
        named = engine.FieldCondition("metadata.owners", match=engine.MatchValue(fold(where.owner)))
        written = engine.FieldCondition("metadata.owner", match=engine.MatchValue(where.owner))
        must.append(engine.Filter(should=[named, written]))
    if where.document_ids is not None:
        match = engine.MatchAny(list(where.document_ids))
        must.append(engine.FieldCondition("metadata.document_id", match=match))
    must_not: list[Any] = []
    if where.fresh_at is not None:
        # Said this way round, those without the field stay, at half the cost of asking for both.
        past = engine.RangeDateTime(lte=rfc3339(where.fresh_at))
        must_not.append(engine.FieldCondition("metadata.warn_at", range=past))
    return engine.Filter(must=must, must_not=must_not) if must or must_not else None
