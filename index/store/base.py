"""The seam between freshkb and the vector store.

A store holds *collections* of points; all points of one collection share one embedding fingerprint. Every
access happens inside a session, because an embedded store belongs to one process at a time: a session is
short, and between two of them other processes get their turn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from index.model import Point, Sparse

log = logging.getLogger("freshkb.store")

#: Name of the sparse vector beside the unnamed dense one.
SPARSE_NAME = "bm25"

Mode = Literal["hybrid", "dense", "sparse"]

#: Constant of reciprocal rank fusion, and candidates of each branch. 20 ranks better than 10, in nDCG@10 by
#: 0.0045 over 401 queries of three collections (95 % interval 0.000 to 0.009). Cranfield: 0.411 fused, dense
#: alone 0.369.
RRF_K = 20
CANDIDATES = 100

#: What is left of a score when a review is long due, and the time after which half of the rest is gone.
FADED_LEAST = 0.5
HALF_LIFE_SECONDS = 180 * 86_400


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on `metadata`; None means any. All that are given must hold."""

    sources: tuple[str, ...] | None = None
    """Any of these sources."""
    owner: str | None = None
    """One of `owners`, compared without case; or `owner`, as it is written there."""
    document_ids: tuple[str, ...] | None = None
    fresh_at: datetime | None = None
    """Keeps points with a `warn_at` after this instant: fresh ones, and exempt ones, whose `warn_at` is
    `freshness.NEVER`. Points without one have no date that can be used."""
    doubted: tuple[str, ...] = ()
    """Sources of which `fresh_at` keeps every point: their payloads may be behind their rules."""


@dataclass(frozen=True, slots=True)
class Hit:
    point: Point
    """The point without vectors, and of its payload what `payload.PASSAGE_FIELDS` names."""
    score: float
    """The ranking, comparable within one search only: reciprocal ranks, cosine or BM25."""
    relevance: float
    """0 to 1, comparable between searches: the cosine of the question's vector and the text's, where there is
    one (below 0 is 0), else the share of the question's words that stand in the text."""


#: ``purged``: no file of the collection holds deleted points. ``unretrievable``: no search finds them, and
#: their bytes may still be on a disk.
Claim = Literal["purged", "unretrievable"]


@dataclass(frozen=True, slots=True)
class Purge:
    """The result of a purge of a collection."""

    claim: Claim
    evidence: str
    """Sentences on the action, its evidence, and its limits."""
    points: int
    """Points that the collection holds."""
    files: int = 0
    """Files that hold them, where they can be seen."""
    bytes: int = 0
    """Bytes of the disk that those files take; about, as a file system allots blocks late."""

    def json(self) -> dict[str, Any]:
        return {
            "claim": self.claim,
            "evidence": self.evidence,
            "points": self.points,
            "files": self.files,
            "bytes": self.bytes,
        }


#: No condition.
EVERYTHING = Filter()

#: Takes points on their way.
Each = Callable[[Sequence[Point]], None]


class Session(Protocol):
    """The store, held by this process until the session is closed."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Write whole points, replacing those of the same id. Durable when it returns.

        MUST raise StoreError unless the store confirmed that it was applied.
        """

    def delete(self, ids: Sequence[str]) -> None:
        """Remove these ids; unknown ones are no error. Durable when it returns."""

    def retrieve(self, ids: Sequence[str], *, vectors: bool) -> dict[str, Point]:
        """{id: point} for the ids that exist, whole; vectors exactly as the store holds them."""

    def scroll(
        self, *, vectors: bool, page: int = 1000, first: str | None = None, end: str | None = None
    ) -> Iterator[Point]:
        """Every point with an id in [first, end), once, in order of id."""

    def indexed(self, *, page: int = 1000, first: str | None = None, whole: bool = False) -> Iterator[Point]:
        """The same from `first` on, without dense vectors, and of the payloads only what filters use, unless
        they are asked for as a `whole`. Of sparse vectors the values may be missing."""

    def lacking(self) -> set[str]:
        """Ids of points that lack one of their two vectors."""

    def count(self, where: Filter = EVERYTHING) -> int:
        """Number of points that meet the conditions, as the store's own indexes find them."""

    def reached(self, words: Sparse) -> int:
        """Number of points that a search by these words finds, without a limit."""

    def misplaced(self, vector: Sequence[float], limit: int) -> int:
        """Number of points, of so many that are nearest to this dense vector, that a search by it ranks by
        something else than their own vectors; 0 where the store keeps nothing else to rank by."""

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
        """Best points, best first; `dense` and `sparse` as the mode needs them. With `fresh_first`, scores
        fade with the time that has passed at this instant since a review became due: by
        `HALF_LIFE_SECONDS`, down to `FADED_LEAST`. Points without `warn_at` fade most."""


@contextmanager
def measured(collection: str) -> Iterator[Counter[str]]:
    """Log how long a session took, and the points it counted: never an id or a text."""
    begun, did = time.perf_counter(), Counter[str]()
    try:
        yield did
    finally:
        if log.isEnabledFor(logging.DEBUG):
            counts = ", ".join(f"{number:,} {what}" for what, number in did.items() if number)
            log.debug("%s: %s, %.3f s.", collection, counts or "nothing", time.perf_counter() - begun)


class VectorStore(Protocol):
    """Where the points are. Implementations are safe to use from several threads."""

    kind: Literal["edge", "qdrant"]

    def instance(self, collection: str) -> str | None:
        """The instance id the collection was created with; None when there is no such collection.
        Cheap: it does not load the collection."""

    def create(self, collection: str, *, dimension: int, instance: str) -> None:
        """Create an empty collection. Raises StoreError when it exists."""

    def collections(self) -> list[str]: ...

    def drop(self, collection: str) -> None:
        """Drop the collection and everything in it, with the snapshots that a server made of it. Unknown ones
        are no error."""

    def publish(self, name: str, collection: str) -> None:
        """Let other readers find the collection under this name from now on, all at once. Without effect
        where there are no other readers. Raises StoreMismatch when they find that of another instance
        there."""

    def published(self, name: str) -> str | None:
        """The collection that other readers find under this name; None when there is none."""

    def session(self, collection: str) -> AbstractContextManager[Session]:
        """Hold the collection. Raises StoreError when there is none."""

    def faults(
        self, collection: str, stop: threading.Event | None = None, each: Each | None = None
    ) -> list[str]:
        """Faults of the collection in itself, in words; [] when all of it can be read and its indexes agree
        with its points. Given up, with [], once `stop` is set.

        All points are read for that; `each` is handed them on the way, some at a time, in order of id and
        without vectors. Its exceptions are the caller's. Raises StoreDamaged when the collection cannot be
        read, maybe after some were handed on. Not to be called in a session.
        """

    def purge(self, collection: str) -> Purge:
        """Remove the bytes of deleted and replaced points from the disk now, as far as this store can, and
        check that they are gone. Repeated, it claims the same.

        Not to be called in a session. Raises StoreError when there is no such collection, or when it may not
        be written.
        """

    def close(self) -> None: ...
