"""The life of a collection: made, taken into use, retired.

The ledger knows a collection before the store makes it, as *building*, so that one that nobody finishes is
found and dropped. A reindex switches from one to the next, and the one before is *dropping* until it is gone.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Literal

from index.errors import LedgerError, StoreError
from index.ledger import LogAction, LogEntry
from index.records import Collection
from index.workspace import Mirror


def ensure(mirror: Mirror, run_id: str | None = None) -> Collection:
    """The collection in use, to be written; made when there is none. Raises what `Mirror.collection` raises.

    One from before fingerprints of the sparse encoder were recorded was made by the encoder of now, and gets
    its fingerprint.
    """
    from index.store import bm25

    current = mirror.collection()
    if current is None:
        return create(mirror, "current", run_id)
    if not current.sparse_fingerprint:
        current = replace(current, sparse_fingerprint=bm25.fingerprint())
        known = entry(mirror, LogAction.COLLECTION_RESTORED, current, run_id)
        mirror.ledger.collections.put(current, [known])
    return current


def create(mirror: Mirror, state: Literal["building", "current"], run_id: str | None = None) -> Collection:
    """A new empty collection for the configured model, its precision resolved now and then kept.

    Where another process makes the first one at the same time, it is that one.
    """
    from index.embed.embedder import fingerprint, resolve_dtype
    from index.store import bm25

    identity, ledger, store = mirror.identity, mirror.ledger, mirror.store
    with mirror.waiting(f"choosing the precision of the model {identity.model}"):
        dtype = resolve_dtype(mirror.config.embedding.dtype, identity)
    embedding = fingerprint(identity, dtype)
    made = Collection(
        name=f"{mirror.config.index.collection}-{embedding[:8]}-{uuid.uuid4().hex[:8]}",
        embedding_fingerprint=embedding,
        model=identity.model,
        revision=identity.revision,
        dtype=dtype,
        dimension=identity.dimension,
        state="building",
        created_at=mirror.now(),
        sparse_fingerprint=bm25.fingerprint(),
    )
    ledger.collections.put(made, [entry(mirror, LogAction.COLLECTION_MADE, made, run_id)])
    try:
        store.create(made.name, dimension=made.dimension, instance=ledger.instance_id)
        if state == "building":
            return made
        # No reindex can be under way while none is current: these were begun by first syncs that died, or
        # that come too late.
        others = [left for left in ledger.collections.all() if left.state == "building"]
        made = replace(made, state=state)
        ledger.collections.put(made, [entry(mirror, LogAction.COLLECTION_SWITCHED, made, run_id)])
    except (LedgerError, StoreError):
        # Another process, syncing another source for the first time, was quicker; or it was recorded, and
        # only the answer did not come.
        theirs = mirror.collection() if state == "current" else None
        if theirs is None or theirs.name != made.name:
            drop(mirror, made, run_id)
        if theirs is None:
            raise
        return theirs
    store.publish(mirror.config.index.collection, made.name)
    for left in others:
        if left.name != made.name:
            drop(mirror, left, run_id)
    return made


def retire(mirror: Mirror, run_id: str | None = None) -> None:
    """Finish what a switch or a first sync began: readers' name leads to the collection in use, and the one
    that was in use before is dropped."""
    current = mirror.readable()
    if current is None:
        return
    mirror.store.publish(mirror.config.index.collection, current.name)
    for left in mirror.ledger.collections.all():
        if left.state == "dropping":
            drop(mirror, left, run_id)


def orphans(mirror: Mirror) -> list[str]:
    """Collections in the store that are of this ledger, and that it does not know: of a ledger that was lost
    or restored from a backup, or of a store that could not drop them."""
    store, ledger = mirror.store, mirror.ledger
    # In this order: whoever makes one records it first, and whoever drops one forgets it last.
    names = store.collections()
    known = {collection.name for collection in ledger.collections.all()}
    return [name for name in names if name not in known and store.instance(name) == ledger.instance_id]


def drop(mirror: Mirror, collection: Collection, run_id: str | None = None) -> None:
    mirror.store.drop(collection.name)
    dropped = entry(mirror, LogAction.COLLECTION_DROPPED, collection, run_id)
    mirror.ledger.writes.drop_collection(collection.name, [dropped])


def entry(mirror: Mirror, action: LogAction, collection: Collection, run_id: str | None) -> LogEntry:
    """Of the log: what happened to this collection."""
    return LogEntry(mirror.now(), action, "", collection.name, run_id)
