"""A Qdrant server, for many processes and machines.

A write counts when the server says ``completed``. ``acknowledged`` only means that it is in the server's log,
and a wait that ran out of time is not an exception of the client's. Points are deleted by their ids: a delete
by filter that the server replays from its log may bring points back (qdrant#9575).

The ledger's instance id lies in the collection's own metadata, where no reader of points sees it. The mark
that the collection is whole is written after its indexes were made; a collection of ours without the mark was
cut short while it was made, and holds nothing.

Readers that do not know freshkb look for the configured name, which is an alias of the collection in use.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from index.errors import ConfigError, StoreError
from index.model import Point, Sparse
from index.store import fusion
from index.store.base import SPARSE_NAME, Filter, Hit, Mode
from index.store.points import (
    INSTANT_FIELDS,
    KEYWORD_FIELDS,
    check_name,
    check_vectors,
    float32,
    slices,
    sparse,
)

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

#: Older servers lack collection metadata or RRF's constant, or lose deletions.
OLDEST_VERSION = (1, 19)
TIMEOUT_SECONDS = 60
#: Points of one request: about 3 MB of JSON, where the server takes 32 MB.
SLICE_POINTS = 300
#: Ids of one request.
SLICE_IDS = 5_000

INSTANCE_KEY = "freshkb_instance"
WHOLE_KEY = "freshkb_whole"


class QdrantStore:
    """Collections of the server at `url`. See `index.store.base.VectorStore`.

    `client` is one that is connected already; it is closed with the store.
    """

    kind: Literal["edge", "qdrant"] = "qdrant"

    def __init__(self, url: str, *, api_key: str | None = None, client: QdrantClient | None = None) -> None:
        self._url = url
        self._api_key = api_key
        self._given = client
        self._connected: QdrantClient | None = None
        self._connecting = threading.Lock()
        #: Collections that were there and whole; whether one still is, each request finds out.
        self._known: set[str] = set()

    @property
    def _client(self) -> QdrantClient:
        with self._connecting:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def _connect(self) -> QdrantClient:
        from qdrant_client import QdrantClient

        with _asking(self._url, "be reached"):
            client = self._given or QdrantClient(
                url=self._url, api_key=self._api_key, timeout=TIMEOUT_SECONDS, check_compatibility=False
            )
            version = client.info().version
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_VERSION:
            client.close()
            raise StoreError(
                f"The Qdrant server at {self._url} is version {version}; freshkb needs "
                f"{OLDEST_VERSION[0]}.{OLDEST_VERSION[1]} or later. Nothing was written."
            )
        return client

    def instance(self, collection: str) -> str | None:
        marks = self._marks(collection)
        return str(marks[INSTANCE_KEY]) if marks and marks.get(WHOLE_KEY) else None

    def _marks(self, collection: str) -> dict[str, Any] | None:
        """The collection's metadata; None when there is no such collection."""
        check_name(collection)
        with _asking(self._url, f"look for collection {collection!r}"):
            if not self._client.collection_exists(collection):
                return None
            return self._client.get_collection(collection).config.metadata or {}

    def create(self, collection: str, *, dimension: int, instance: str) -> None:
        from qdrant_client import models

        marks = self._marks(collection)
        if marks is not None and (marks.get(WHOLE_KEY) or INSTANCE_KEY not in marks):
            raise StoreError(f"The Qdrant server at {self._url} already has a collection {collection!r}.")
        with _asking(self._url, f"make collection {collection!r}"):
            if marks is not None:
                self._client.delete_collection(collection)
            self._client.create_collection(
                collection,
                vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE),
                sparse_vectors_config={SPARSE_NAME: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata={INSTANCE_KEY: instance},
            )
            for field in KEYWORD_FIELDS:
                self._index(collection, field, models.PayloadSchemaType.KEYWORD)
            for field in INSTANT_FIELDS:
                self._index(collection, field, models.PayloadSchemaType.DATETIME)
            self._client.update_collection(collection, metadata={WHOLE_KEY: True})

    def _index(self, collection: str, field: str, schema: models.PayloadSchemaType) -> None:
        _completed(self._client.create_payload_index(collection, field, field_schema=schema, wait=True))

    def collections(self) -> list[str]:
        with _asking(self._url, "list its collections"):
            names = [found.name for found in self._client.get_collections().collections]
        # A server may hold collections of others, under names that are none of our concern.
        return sorted(name for name in names if self._ours(name))

    def _ours(self, name: str) -> bool:
        with _asking(self._url, f"look at collection {name!r}"):
            return bool((self._client.get_collection(name).config.metadata or {}).get(WHOLE_KEY))

    def drop(self, collection: str) -> None:
        marks = self._marks(collection)
        self._known.discard(collection)
        if marks is None:
            return
        if INSTANCE_KEY not in marks:
            raise StoreError(
                f"Collection {collection!r} on {self._url} was not made by freshkb. It was not dropped."
            )
        with _asking(self._url, f"drop collection {collection!r}"):
            self._client.delete_collection(collection)

    def publish(self, name: str, collection: str) -> None:
        from qdrant_client import models

        check_name(name)
        with _asking(self._url, f"give collection {collection!r} the name {name!r}"):
            taken = {alias.alias_name for alias in self._client.get_aliases().aliases} & {name}
            self._client.update_collection_aliases(
                [
                    *(
                        models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=old))
                        for old in taken
                    ),
                    models.CreateAliasOperation(
                        create_alias=models.CreateAlias(collection_name=collection, alias_name=name)
                    ),
                ]
            )

    @contextmanager
    def session(self, collection: str) -> Iterator[QdrantSession]:
        if collection not in self._known:
            if self.instance(collection) is None:
                raise StoreError(
                    f"The Qdrant server at {self._url} has no collection {collection!r} of ours."
                )
            self._known.add(collection)
        session = QdrantSession(self._client, collection, self._url)
        try:
            yield session
        finally:
            session.end()

    def close(self) -> None:
        with self._connecting:
            if self._connected is not None:
                self._connected.close()
                self._connected = None


class QdrantSession:
    """See `index.store.base.Session`. A server needs no holding; the session only ends."""

    def __init__(self, client: QdrantClient, collection: str, url: str) -> None:
        self._connected: QdrantClient | None = client
        self._name = collection
        self._url = url

    def end(self) -> None:
        self._connected = None

    @property
    def _client(self) -> QdrantClient:
        if self._connected is None:
            raise StoreError("This session of the vector store has ended.")
        return self._connected

    def upsert(self, points: Sequence[Point]) -> None:
        check_vectors(points)
        with _asking(self._url, f"write {len(points)} points"):
            for some in slices(points, SLICE_POINTS):
                rows = [_row(point) for point in some]
                _completed(self._client.upsert(self._name, rows, wait=True))

    def delete(self, ids: Sequence[str]) -> None:
        from qdrant_client import models

        with _asking(self._url, f"delete {len(ids)} points"):
            for some in slices(ids, SLICE_IDS):
                chosen = models.PointIdsList(points=list(some))
                _completed(self._client.delete(self._name, chosen, wait=True))

    def retrieve(self, ids: Sequence[str], *, vectors: bool) -> dict[str, Point]:
        found: dict[str, Point] = {}
        with _asking(self._url, f"read {len(ids)} points"):
            for some in slices(ids, SLICE_POINTS if vectors else SLICE_IDS):
                rows = self._client.retrieve(self._name, list(some), with_payload=True, with_vectors=vectors)
                found.update((str(row.id), _point(row)) for row in rows)
        return found

    def scroll(
        self, *, vectors: bool, page: int = 1000, first: str | None = None, end: str | None = None
    ) -> Iterator[Point]:
        offset: Any = first
        while True:
            with _asking(self._url, "list its points"):
                rows, offset = self._client.scroll(
                    self._name, offset=offset, limit=page, with_payload=True, with_vectors=vectors
                )
            for row in rows:
                if end is not None and str(row.id) >= end:
                    return
                yield _point(row)
            if offset is None:
                return

    def count(self) -> int:
        with _asking(self._url, "count its points"):
            return self._client.count(self._name, exact=True).count

    def search(
        self, *, mode: Mode, dense: Sequence[float] | None, sparse: Sparse | None, limit: int, where: Filter
    ) -> list[Hit]:
        from qdrant_client import models

        conditions = _conditions(where)

        def rank(queries: Sequence[fusion.Query], limit: int, payload: bool) -> list[list[Hit]]:
            requests = [
                models.QueryRequest(
                    query=_nearest(query),
                    using=SPARSE_NAME if isinstance(query, Sparse) else None,
                    filter=conditions,
                    limit=limit,
                    with_payload=payload,
                )
                for query in queries
            ]
            return [
                [Hit(Point(str(row.id), row.payload or {}), row.score) for row in response.points]
                for response in self._client.query_batch_points(self._name, requests)
            ]

        def fetch(ids: Sequence[str]) -> dict[str, Point]:
            return self.retrieve(ids, vectors=False)

        with _asking(self._url, "be searched"):
            return fusion.search(rank, fetch, mode=mode, dense=dense, sparse=sparse, limit=limit)


@contextmanager
def _asking(url: str, what: str) -> Iterator[None]:
    """Whatever goes wrong between us and the server is a StoreError: the client raises its own errors, those
    of its transport, and those of its models."""
    try:
        yield
    except (StoreError, ConfigError):
        raise
    except Exception as error:
        raise StoreError(f"The Qdrant server at {url} could not {what}: {error}") from error


def _completed(result: models.UpdateResult) -> None:
    if result.status != "completed":
        raise StoreError(f"The Qdrant server did not confirm a write: its status is {result.status}.")


def _row(point: Point) -> models.PointStruct:
    from qdrant_client import models

    vectors: dict[str, Any] = {}
    if point.dense is not None:
        vectors[""] = list(point.dense)
    if point.sparse is not None:
        vectors[SPARSE_NAME] = models.SparseVector(
            indices=list(point.sparse.indices), values=list(point.sparse.values)
        )
    return models.PointStruct(id=point.id, vector=vectors, payload=dict(point.payload))


def _point(row: models.Record) -> Point:
    vectors: Any = row.vector if isinstance(row.vector, dict) else {"": row.vector}
    dense, words = vectors.get(""), vectors.get(SPARSE_NAME)
    return Point(
        str(row.id),
        row.payload or {},
        None if dense is None else float32(dense),
        None if words is None else sparse(words.indices, words.values),
    )


def _nearest(query: fusion.Query) -> models.SparseVector | list[float]:
    from qdrant_client import models

    if isinstance(query, Sparse):
        return models.SparseVector(indices=list(query.indices), values=list(query.values))
    return list(query)


def _conditions(where: Filter) -> models.Filter | None:
    from qdrant_client import models

    must: list[models.Condition] = []
    if where.source is not None:
        match = models.MatchValue(value=where.source)
        must.append(models.FieldCondition(key="metadata.source", match=match))
    if where.owner is not None:
        match = models.MatchValue(value=where.owner)
        must.append(models.FieldCondition(key="metadata.owner", match=match))
    if where.document_ids is not None:
        any_of = models.MatchAny(any=list(where.document_ids))
        must.append(models.FieldCondition(key="metadata.document_id", match=any_of))
    if where.fresh_at is not None:
        later = models.DatetimeRange(gt=where.fresh_at)
        never = models.IsEmptyCondition(is_empty=models.PayloadField(key="metadata.warn_at"))
        must.append(models.Filter(should=[models.FieldCondition(key="metadata.warn_at", range=later), never]))
    return models.Filter(must=must) if must else None
