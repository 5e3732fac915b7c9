"""Renew: a new collection replaces one whose row is lost or wrong, or that the store has lost.

A row is trusted when it is the current one, does not contradict the configured model, and names a collection
that the store has. Otherwise it is unknown which model made the vectors: a new collection is made, and the
texts come from payloads whose digests the ledger keeps, then from the sources. The former collection stays in
the store, as an orphan, until the end of the repair.
"""

from __future__ import annotations

from dataclasses import replace

from index.errors import StoreDamaged
from index.ledger import LogAction
from index.reindex import fill, reader
from index.run import Run
from index.store.names import candidates
from index.sync.collection import create, entry
from index.sync.target import target_of
from index.verify.checks import judge_collection
from index.verify.compare import configured
from index.workspace import Workspace


def renew(workspace: Workspace, run: Run) -> list[str] | None:
    """Make a new collection where the ledger's row cannot be trusted. Returns the ids of the documents to be
    read again from their sources; None when the collection stays: it is trusted, or the run was stopped.

    If cut short, nothing has changed. The caller is the ledger's builder.
    """
    ledger, store = workspace.ledger, workspace.store
    row = ledger.collections.current()
    if row is not None and store.instance(row.name) is not None:
        trusted = judge_collection(row, configured(workspace)) is None
        if trusted:
            return None
    _give_up(workspace)
    own = candidates(store, workspace.config.index.collection)
    names = [name for name in own if store.instance(name) == ledger.instance_id]
    former = max([row.name, *names] if row else names, key=ledger.chunks.count, default="")
    new = create(workspace, "building", run.run_id)
    read = reader(workspace, former) if former and readable(workspace, former) else lambda ids: {}
    inexact = fill(run, target_of(run, new), former, read)
    if inexact is None:
        return None
    switched = entry(workspace, LogAction.COLLECTION_SWITCHED, new.name, run.run_id)
    ledger.writes.switch_collection(new.name, [switched])
    for name in {former, *(known.name for known in ledger.collections.all())} - {new.name}:
        dropped = entry(workspace, LogAction.COLLECTION_DROPPED, name, run.run_id)
        ledger.writes.drop_collection(name, [dropped])
    store.publish(workspace.config.index.collection, new.name)
    return inexact


def _give_up(workspace: Workspace) -> None:
    """Drop open intents: their points go with the former collection. Their documents are looked at again."""
    ledger = workspace.ledger
    ids = [intent.document.document_id for _, _, intent in ledger.points.intents()]
    ledger.documents.refresh(
        [replace(d, seen_extraction="") for d in ledger.documents.find(document_ids=ids)]
    )
    ledger.writes.drop_intents(ids)


def readable(workspace: Workspace, collection: str) -> bool:
    """Whether the store has the collection, and it can be read as a whole."""
    store = workspace.store
    try:
        if store.instance(collection) is None:
            return False
        store.faults(collection)
    except StoreDamaged:
        return False
    return True
