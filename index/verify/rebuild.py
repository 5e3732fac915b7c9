"""Rebuild: a new collection, with all points that can still be read, replaces a damaged one.

Points are copied as they are, wrong ones included: the repair that follows compares them, and writes wrong
and missing ones anew. The damaged collection is dropped, with every text in it, once the copies are proven.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from index.batched import batched
from index.errors import StoreDamaged
from index.model import Point
from index.purge.copy import copied, every_point, fresh, switch
from index.records import Collection
from index.store.base import Session
from index.workspace import Workspace


def rebuild(workspace: Workspace, run_id: str | None = None, *, read: bool = True) -> None:
    """Build, switch, drop. If cut short, the old collection is in use, or the new one. `read` False copies
    nothing: for a collection that ends the process of its reader. The caller is the ledger's
    builder."""
    ledger = workspace.ledger
    old = ledger.collections.current()
    if old is None:
        return
    new = fresh(workspace, old, run_id)
    if read:
        done: set[str] = set()
        with suppress(StoreDamaged):
            for ids in copied(workspace, new, every_point(workspace, old)):
                done.update(ids)
        rest = (record.point_id for record in ledger.chunks.stream(old.name) if record.point_id not in done)
        with suppress(StoreDamaged):
            for _ in copied(workspace, new, _some(workspace, old, rest)):
                pass
    switch(workspace, old, new, run_id)


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
