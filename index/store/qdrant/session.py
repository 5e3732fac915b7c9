"""A session of a collection on a Qdrant server: calls and conversions to its client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from index.batched import batched
from index.errors import ConfigError, StoreError, telling_no_secret
from index.freshness.owners import fold
from index.model import Point, Sparse
from index.payload import PASSAGE_FIELDS
from index.store import fusion
from index.store.base import EVERYTHING, SPARSE_NAME, Filter, Hit, Mode
from index.store.convert import FIELDS, check_vectors, float32, sparse
from index.store.qdrant.decay import faded

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

#: Points of one request: about 3 MB of JSON, where the server takes 32 MB.
SLICE_POINTS = 300
#: Ids of one request.
SLICE_IDS = 5_000


class QdrantSession:
    """See `index.store.base.Session`. A server needs no lock; the session only ends."""

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        url: str,
        index: Callable[[str], None],
        did: Counter[str],
    ) -> None:
        """`index` makes the collection's missing payload indexes; `did` receives the counts of points
        written, deleted, read and ranked."""
        self._connected: QdrantClient | None = client
        self._name = collection
        self._url = url
        self._index = index
        self._did = did

    def end(self) -> None:
        self._connected = None

    @property
    def _client(self) -> QdrantClient:
        if self._connected is None:
            raise StoreError("This session of the vector store has ended.")
        return self._connected

    def upsert(self, points: Sequence[Point]) -> None:
        check_vectors(points)
        with asking(self._url, f"write {len(points)} points"):
            self._index(self._name)
            for some in batched(points, SLICE_POINTS):
                rows = [_row(point) for point in some]
                completed(self._client.upsert(self._name, rows, wait=True))
        self._did["written"] += len(points)

    def delete(self, ids: Sequence[str]) -> None:
        from qdrant_client import models

        with asking(self._url, f"delete {len(ids)} points"):
            for some in batched(ids, SLICE_IDS):
                chosen = models.PointIdsList(points=list(some))
                completed(self._client.delete(self._name, chosen, wait=True))
        self._did["deleted"] += len(ids)

    def retrieve(self, ids: Sequence[str], *, vectors: bool) -> dict[str, Point]:
        found: dict[str, Point] = {}
        with asking(self._url, f"read {len(ids)} points"):
            for some in batched(ids, SLICE_POINTS if vectors else SLICE_IDS):
                rows = self._client.retrieve(self._name, list(some), with_payload=True, with_vectors=vectors)
                found.update((str(row.id), _point(row)) for row in rows)
        self._did["read"] += len(found)
        return found

    def scroll(
        self, *, vectors: bool, page: int = 1000, first: str | None = None, end: str | None = None
    ) -> Iterator[Point]:
        points = map(_point, self._rows(page, first, with_payload=True, with_vectors=vectors))
        return takewhile(lambda point: end is None or point.id < end, points)

    def indexed(self, *, page: int = 1000, first: str | None = None, whole: bool = False) -> Iterator[Point]:
        payload = True if whole else list(FIELDS)
        return map(_point, self._rows(page, first, with_payload=payload, with_vectors=[SPARSE_NAME]))

    def lacking(self) -> set[str]:
        from qdrant_client import models

        have = [models.HasVectorCondition(has_vector=name) for name in ("", SPARSE_NAME)]
        lacks = models.Filter(must_not=[models.Filter(must=[*have])])
        rows = self._rows(SLICE_IDS, None, scroll_filter=lacks, with_payload=False, with_vectors=False)
        return {str(row.id) for row in rows}

    def _rows(self, page: int, first: str | None, **asked: Any) -> Iterator[models.Record]:
        """Records in order of id, so many in one request."""
        offset: Any = first
        while True:
            with asking(self._url, "list its points"):
                rows, offset = self._client.scroll(self._name, offset=offset, limit=page, **asked)
            self._did["read"] += len(rows)
            yield from rows
            if offset is None:
                return

    def count(self, where: Filter = EVERYTHING) -> int:
        with asking(self._url, "count its points"):
            return self._client.count(self._name, count_filter=_conditions(where), exact=True).count

    def reached(self, words: Sparse) -> int:
        with asking(self._url, "be searched"):
            found = self._client.query_points(
                self._name, query=_nearest(words), using=SPARSE_NAME, limit=self.count(), with_payload=False
            )
            return len(found.points)

    def misplaced(self, vector: Sequence[float], limit: int) -> int:
        # A server makes its own indexes, and a graph does not find all.
        return 0

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
        from qdrant_client import models

        conditions = _conditions(where)

        def rank(queries: Sequence[fusion.Query], limit: int) -> list[fusion.Ranking]:
            self._did["ranked"] += limit * len(queries)
            requests = [
                models.QueryRequest(
                    query=_nearest(query),
                    using=SPARSE_NAME if isinstance(query, Sparse) else None,
                    filter=conditions,
                    limit=limit,
                    with_payload=False,
                )
                for query in queries
            ]
            if fresh_first is not None:
                requests = [faded(request, fresh_first) for request in requests]
            return [
                [(str(row.id), row.score) for row in response.points]
                for response in self._client.query_batch_points(self._name, requests)
            ]

        def read(ids: Sequence[Any], question: fusion.Query) -> fusion.Found:
            words = isinstance(question, Sparse)
            answer = self._client.query_points(
                self._name,
                query=_nearest(question),
                using=SPARSE_NAME if words else None,
                query_filter=models.Filter(must=[models.HasIdCondition(has_id=list(ids))]),
                limit=len(ids),
                with_payload=list(PASSAGE_FIELDS),
                with_vectors=[SPARSE_NAME] if words else False,
            )
            found: fusion.Found = {
                str(row.id): (row.payload or {}, _relevance(question, row)) for row in answer.points
            }
            # Those that words have found, and that lack a dense vector.
            if lost := [identifier for identifier in ids if identifier not in found]:
                records = self._client.retrieve(self._name, lost, with_payload=list(PASSAGE_FIELDS))
                found |= {str(record.id): (record.payload or {}, 0.0) for record in records}
            self._did["read"] += len(found)
            return found

        with asking(self._url, "be searched"):
            return fusion.search(rank, read, mode=mode, dense=dense, sparse=sparse, limit=limit)


@contextmanager
def asking(url: str, what: str) -> Iterator[None]:
    """Every failure on the way to the server is a StoreError: the client raises its own errors, those of its
    transport, and those of its models."""
    try:
        yield
    except (StoreError, ConfigError):
        raise
    except Exception as error:
        raise StoreError(f"The Qdrant server at {url} could not {what}: {error}") from telling_no_secret(
            error
        )


def completed(result: models.UpdateResult) -> None:
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


def _relevance(question: fusion.Query, row: models.ScoredPoint) -> float:
    if not isinstance(question, Sparse):
        return fusion.by_cosine(row.score)
    vectors: Any = row.vector
    return fusion.by_words(question, vectors[SPARSE_NAME].indices)


def _nearest(query: fusion.Query) -> models.SparseVector | list[float]:
    from qdrant_client import models

    if isinstance(query, Sparse):
        return models.SparseVector(indices=list(query.indices), values=list(query.values))
    return list(query)


def _conditions(where: Filter) -> models.Filter | None:
    from qdrant_client import models

    must: list[models.Condition] = []
    if where.sources is not None:
        must.append(_of_sources(where.sources))
    if where.owner is not None:
        named = models.MatchValue(value=fold(where.owner))
        written = models.MatchValue(value=where.owner)
        owners: list[models.Condition] = [
            models.FieldCondition(key="metadata.owners", match=named),
            models.FieldCondition(key="metadata.owner", match=written),
        ]
        must.append(models.Filter(should=owners))
    if where.document_ids is not None:
        any_of = models.MatchAny(any=list(where.document_ids))
        must.append(models.FieldCondition(key="metadata.document_id", match=any_of))
    if where.fresh_at is not None:
        later = models.DatetimeRange(gt=where.fresh_at)
        fresh = models.FieldCondition(key="metadata.warn_at", range=later)
        doubted = [_of_sources(where.doubted)] if where.doubted else []
        must.append(models.Filter(should=[fresh, *doubted]) if doubted else fresh)
    return models.Filter(must=must) if must else None


def _of_sources(sources: Sequence[str]) -> models.FieldCondition:
    from qdrant_client import models

    return models.FieldCondition(key="metadata.source", match=models.MatchAny(any=list(sources)))
