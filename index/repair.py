"""Mend what `index.verify` found."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from index.apply import remove
from index.mirror import Mirror
from index.model import Document
from index.sync import Sync, known_sources
from index.verify import Verification, verify


def repair(mirror: Mirror, found: Verification, run: Sync) -> None:
    """Mend the findings: foreign points go, damaged documents are read and written anew, and a sync does
    what the sources ask for. Sets `found.repaired` to the number of findings that are gone afterwards."""
    try:
        _clear(mirror, found)
    except BaseException as error:
        run.failed(error)
        raise
    run.run(checksum=any("content" in f.what for f in found.outdated))
    left = verify(mirror)
    found.repaired = max(found.findings - left.findings, 0)


def _clear(mirror: Mirror, found: Verification) -> None:
    """Distrust what is damaged, and delete what is nobody's."""
    ledger, store = mirror.ledger, mirror.store
    collection = ledger.collection()
    assert collection is not None
    with ExitStack() as locks:
        for source in known_sources(mirror):
            locks.enter_context(ledger.writer(source, "freshkb verify --repair"))
        # First of all, so that whatever comes in between, the next sync reads these documents anew.
        damaged = {f.document_id for f in (*found.missing, *found.altered) if f.document_id}
        damaged |= {f.document_id for f in found.extra if f.document_id}
        ledger.record([_distrusted(d) for d in ledger.documents(document_ids=sorted(damaged))])
        if store.instance(collection.name) is None:
            store.create(collection.name, dimension=collection.dimension, instance=ledger.instance_id)
        store.publish(mirror.config.index.collection, collection.name)
        extra = [f.point_id for f in found.extra if f.point_id]
        known = ledger.known_points(collection.name, extra)
        with store.session(collection.name) as session:
            remove(session, [identifier for identifier in extra if identifier not in known])


def _distrusted(document: Document) -> Document:
    return replace(document, seen_extraction="", extraction_fingerprint="")
