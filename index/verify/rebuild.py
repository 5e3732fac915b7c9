"""Rebuild: a new collection, with all points that can still be read, replaces a damaged one.

Points are copied as they are, wrong ones included: the repair that follows compares them, and writes wrong
and missing ones anew. The damaged collection is dropped, with every text in it, once the copies are proven.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from index.batched import batched
from index.errors import StoreDamaged, StoreError
from index.ledger import LogAction
from index.model import Point, digest
from index.records import Collection
from index.store.base import Session
from index.sync.collection import drop, entry
from index.workspace import Workspace


def rebuild(workspace: Workspace, run_id: str | None = None, *, read: bool = True) -> None:
    """Build, switch, drop. If cut short, the old collection is in use, or the new one. `read` False copies
    nothing: for a collection that ends the process of its reader. The caller is the writer of every
    source."""
    ledger, store = workspace.ledger, workspace.store
    old = ledger.collections.current()
    if old is None:
        return
    prefix = f"{workspace.config.index.collection}-{old.embedding_fingerprint[:8]}"
    new = replace(old, name=f"{prefix}-{uuid.uuid4().hex[:8]}", state="building", created_at=workspace.now())
    ledger.collections.put(new, [entry(workspace, LogAction.COLLECTION_MADE, new.name, run_id)])
    store.create(new.name, dimension=new.dimension, instance=ledger.instance_id)
    if read:
        copied: set[str] = set()
        with suppress(StoreDamaged):
            copied |= _copy(workspace, new, _all(workspace, old))
        rest = (record.point_id for record in ledger.chunks.stream(old.name) if record.point_id not in copied)
        with suppress(StoreDamaged):
            _copy(workspace, new, _some(workspace, old, rest))
    switched = entry(workspace, LogAction.COLLECTION_SWITCHED, new.name, run_id)
    ledger.writes.replace_collection(old.name, new.name, [switched])
    store.publish(workspace.config.index.collection, new.name)
    drop(workspace, old, run_id)


def _all(workspace: Workspace, old: Collection) -> Iterator[Point]:
    """Readable points in order of their ids, holding the store for a page at a time."""
    first: str | None = None
    while True:
        with workspace.store.session(old.name) as session:
            points = session.scroll(vectors=True, page=workspace.sizes.read_points, first=first)
            page = list(islice(points, workspace.sizes.read_points))
        yield from page if first is None else page[1:]
        if len(page) < workspace.sizes.read_points:
            return
        first = page[-1].id


def _some(workspace: Workspace, old: Collection, ids: Iterable[str]) -> Iterator[Point]:
    """Those of the ids that can be read, one by one where a page of them cannot."""
    for page in batched(ids, workspace.sizes.read_points):
        with workspace.store.session(old.name) as session:
            found = _read(session, page)
            for one in () if found is not None else page:
                found = {**(found or {}), **(_read(session, [one]) or {})}
        yield from (found or {}).values()


def _read(session: Session, ids: list[str]) -> dict[str, Point] | None:
    try:
        return session.retrieve(ids, vectors=True)
    except StoreDamaged:
        return None


def _copy(workspace: Workspace, new: Collection, points: Iterable[Point]) -> set[str]:
    """Write points, and check that they are there. Returns their ids."""
    copied: set[str] = set()
    stream = (point for point in points if _can_be_written(point, new.dimension))
    for page in batched(stream, workspace.sizes.read_points):
        ids = [point.id for point in page]
        with workspace.store.session(new.name) as session:
            session.upsert(page)
            kept = session.retrieve(ids, vectors=False)
        if any(p.id not in kept or digest(kept[p.id].payload) != digest(p.payload) for p in page):
            raise StoreError("The store did not keep a point as it was copied. Nothing was switched.")
        copied.update(ids)
    return copied


def _can_be_written(point: Point, dimension: int) -> bool:
    if point.dense is not None and len(point.dense) != dimension:
        return False
    words = point.sparse.values if point.sparse is not None else ()
    return math.isfinite(sum(point.dense or ()) + sum(words))
