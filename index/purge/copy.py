"""A fresh collection with the points of another, which it then replaces.

The caller is the ledger's builder. Cut short before `switch`, the former collection stays in use, and
the fresh one is dropped by the next run's recovery; cut short after it, the next run drops the former one.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from index import payload
from index.batched import batched
from index.errors import StoreError
from index.ledger import LogAction
from index.model import Point, Sparse, digest
from index.records import Collection
from index.sync.collection import drop, entry
from index.workspace import Workspace


def fresh(workspace: Workspace, former: Collection, run_id: str | None) -> Collection:
    """An empty collection of the same embedding, on record as *building*."""
    ledger, store = workspace.ledger, workspace.store
    prefix = f"{workspace.config.index.collection}-{former.embedding_fingerprint[:8]}"
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    made = replace(former, name=name, state="building", created_at=workspace.now())
    ledger.collections.put(made, [entry(workspace, LogAction.COLLECTION_MADE, made.name, run_id)])
    store.create(made.name, dimension=made.dimension, instance=ledger.instance_id)
    return made


def every_point(workspace: Workspace, collection: Collection) -> Iterator[Point]:
    """All points with their vectors, in order of their ids, holding the store for a page at a time."""
    first: str | None = None
    while True:
        with workspace.store.session(collection.name) as session:
            points = session.scroll(vectors=True, page=workspace.sizes.read_points, first=first)
            page = list(islice(points, workspace.sizes.read_points))
        yield from page if first is None else page[1:]
        if len(page) < workspace.sizes.read_points:
            return
        first = page[-1].id


def copied(
    workspace: Workspace, into: Collection, points: Iterable[Point], *, exact: bool = False
) -> Iterator[list[str]]:
    """Write points that can be written, and read them back, page by page: the ids of each page. `exact`
    compares vectors, too, and takes no point that cannot be written.

    Raises StoreError when one is not there as it was.
    """
    stream = (point for point in points if exact or _can_be_written(point, into.dimension))
    for page in batched(stream, workspace.sizes.read_points):
        ids = [point.id for point in page]
        with workspace.store.session(into.name) as session:
            session.upsert(page)
            kept = session.retrieve(ids, vectors=exact)
        if any(p.id not in kept or not _same(p, kept[p.id], exact) for p in page):
            raise StoreError("The store did not keep a point as it was copied. Nothing was switched.")
        yield ids


def switch(workspace: Workspace, former: Collection, made: Collection, run_id: str | None) -> None:
    """Take the fresh collection into use, with all that is recorded of the former one, and drop that one."""
    switched = entry(workspace, LogAction.COLLECTION_SWITCHED, made.name, run_id)
    workspace.ledger.writes.replace_collection(former.name, made.name, [switched])
    workspace.store.publish(workspace.config.index.collection, made.name)
    drop(workspace, former, run_id)


def _same(point: Point, kept: Point, exact: bool) -> bool:
    vectors = not exact or payload.vector_digest(point) == payload.vector_digest(kept)
    return vectors and digest(kept.payload) == digest(point.payload)


def _can_be_written(point: Point, dimension: int) -> bool:
    if point.dense is not None and len(point.dense) != dimension:
        return False
    words = point.sparse or Sparse((), ())
    # The engine panics at an index without its value, and at what is written next.
    if len(words.indices) != len(words.values):
        return False
    return math.isfinite(sum(point.dense or ()) + sum(words.values))
