"""The life of a collection: made, taken into use, retired.

The ledger records a collection before the store makes it, as *building*, so that an unfinished collection is
found and dropped. A reindex switches to the new collection, and the former one is *dropping* until it is
gone.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Literal

from index.errors import LedgerError, StoreError
from index.ledger import LogAction, LogEntry
from index.records import Collection
from index.store.names import candidates, require_own
from index.workspace import Workspace


def ensure(workspace: Workspace, run_id: str | None = None) -> Collection:
    """The collection in use, to be written; made when there is none. Raises the errors of
    `Workspace.collection`.

    A collection from before fingerprints of the sparse encoder were recorded was made by the present encoder,
    and gets its fingerprint.
    """
    from index.store import bm25

    current = workspace.collection()
    if current is None:
        return create(workspace, "current", run_id)
    if not current.sparse_fingerprint:
        current = replace(current, sparse_fingerprint=bm25.fingerprint())
        known = entry(workspace, LogAction.COLLECTION_RESTORED, current.name, run_id)
        workspace.ledger.collections.put(current, [known])
    return current


def create(
    workspace: Workspace, state: Literal["building", "current"], run_id: str | None = None
) -> Collection:
    """A new empty collection for the configured model, its precision resolved now and then kept.

    When another process makes the first collection at the same time, that one is returned. Raises
    StoreMismatch before anything is made when the readers' name leads to another knowledge base.
    """
    from index.embed.embedder import fingerprint, resolve_dtype
    from index.store import bm25

    identity, ledger, store = workspace.identity, workspace.ledger, workspace.store
    require_own(store, workspace.config.index.collection, ledger.instance_id)
    with workspace.waiting(f"choosing the precision of the model {identity.model}"):
        dtype = resolve_dtype(workspace.config.embedding.dtype, identity)
    embedding = fingerprint(identity, dtype)
    made = Collection(
        name=f"{workspace.config.index.collection}-{embedding[:8]}-{uuid.uuid4().hex[:8]}",
        embedding_fingerprint=embedding,
        model=identity.model,
        revision=identity.revision,
        dtype=dtype,
        dimension=identity.dimension,
        state="building",
        created_at=workspace.now(),
        sparse_fingerprint=bm25.fingerprint(),
    )
    ledger.collections.put(made, [entry(workspace, LogAction.COLLECTION_MADE, made.name, run_id)])
    try:
        store.create(made.name, dimension=made.dimension, instance=ledger.instance_id)
        if state == "building":
            return made
        # No reindex can be under way while no collection is current: these are of first syncs that died, or
        # that come too late.
        others = [left for left in ledger.collections.all() if left.state == "building"]
        made = replace(made, state=state)
        ledger.collections.put(made, [entry(workspace, LogAction.COLLECTION_SWITCHED, made.name, run_id)])
    except (LedgerError, StoreError):
        # Another process, syncing another source for the first time, was quicker; or the row was written, and
        # only the confirmation was lost.
        theirs = workspace.collection() if state == "current" else None
        if theirs is None or theirs.name != made.name:
            drop(workspace, made, run_id)
        if theirs is None:
            raise
        return theirs
    store.publish(workspace.config.index.collection, made.name)
    for left in others:
        if left.name != made.name:
            drop(workspace, left, run_id)
    return made


def retire(workspace: Workspace, run_id: str | None = None) -> None:
    """Finish a switch or a first sync: publish the readers' name for the collection in use, and drop the
    former collection."""
    current = workspace.readable()
    if current is None:
        return
    workspace.store.publish(workspace.config.index.collection, current.name)
    for left in workspace.ledger.collections.all():
        if left.state == "dropping":
            drop(workspace, left, run_id)


def orphans(workspace: Workspace) -> list[str]:
    """Collections in the store that can be this knowledge base's, with this ledger's instance id and without
    a row: the ledger was lost or restored from a backup, or the store could not drop them. A restored copy on
    the same server has the instance id, too, and names of its own."""
    store, ledger = workspace.store, workspace.ledger
    # In this order: a collection is recorded before it is made, and forgotten after it is dropped.
    names = candidates(store, workspace.config.index.collection)
    known = {collection.name for collection in ledger.collections.all()}
    return [name for name in names if name not in known and store.instance(name) == ledger.instance_id]


def count_points(workspace: Workspace, collection: str) -> tuple[int, int]:
    """(points in the store, fewest points that the ledger knew meanwhile): the store has lost points when it
    holds fewer. Others may write meanwhile, and a point is in the store for as long as its row exists."""
    known = workspace.ledger.chunks.count(collection)
    with workspace.store.session(collection) as session:
        stored = session.count()
    return stored, min(known, workspace.ledger.chunks.count(collection))


def drop(workspace: Workspace, collection: Collection, run_id: str | None = None) -> None:
    workspace.store.drop(collection.name)
    dropped = entry(workspace, LogAction.COLLECTION_DROPPED, collection.name, run_id)
    workspace.ledger.writes.drop_collection(collection.name, [dropped])


def entry(workspace: Workspace, action: LogAction, collection: str, run_id: str | None) -> LogEntry:
    """The log's entry of an action on the collection of this name."""
    return LogEntry(workspace.now(), action, "", collection, run_id)
