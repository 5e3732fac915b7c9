"""Recovery: the state that an interrupted run left is mended before the next run does anything.

Points of an uncommitted intent may be in the store wholly, partly or not at all. Those that no committed
version has are deleted, those shared with the committed version are restored, and the document is planned
again. Points that a commit made obsolete are deleted, and its pending entry is published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from index import payload
from index.ledger import LogAction, LogEntry
from index.model import REMOVALS, Point, digest
from index.records import ChunkRecord, Document, Intent
from index.store.base import Session
from index.sync.target import Target


def recover(target: Target, source: str, run_id: str | None = None) -> int:
    """Mend the state that earlier runs of this source left. Returns the number of documents to be planned
    again. The caller is the writer of the source; raises Locked beside a builder."""
    ledger, name = target.ledger, target.collection.name
    left = [(place, i) for _, place, i in ledger.points.intents() if i.document.source == source]
    half_built = {
        collection.name for collection in ledger.collections.all() if collection.state == "building"
    }
    # Asked once these are read: the builder of each of them is dead, and whoever builds later makes another.
    ledger.require_no_builder()
    for abandoned in half_built | {place for place, _ in left if place != name}:
        if not ledger.writes.give_up_collection(abandoned):
            continue
        target.store.drop(abandoned)
        ledger.writes.drop_collection(
            abandoned, [LogEntry(target.now(), LogAction.COLLECTION_DROPPED, "", abandoned, run_id)]
        )
    intents = [intent for place, intent in left if place == name]
    if not (intents or ledger.points.removals(name) or ledger.log.pending(name)):
        return 0
    # Not imported by the many runs that have nothing to mend.
    from index.sync.apply import remove

    ids = [intent.document.document_id for intent in intents]
    committed = ledger.chunks.of(name, ids)
    documents = {d.document_id: d for d in ledger.documents.find(document_ids=ids)}
    distrusted: list[Document] = []
    removed: dict[str, str] = {}
    with target.store.session(name) as session:
        for intent in intents:
            document = documents.get(intent.document.document_id)
            records = committed.get(intent.document.document_id, [])
            sound = True
            if intent.action not in REMOVALS:
                left_over = uncommitted(intent, records)
                remove(session, left_over)
                removed |= dict.fromkeys(left_over, intent.document.document_id)
                sound = document is None or _restore(
                    session, document, shared(intent, records), target.sizes.read_points
                )
            if document is not None:
                distrusted.append(distrust(document, sound=sound))
        # Read in the session: before it, a run of another source may intend a point again.
        obsolete = ledger.points.removals(name)
        remove(session, obsolete)
    ledger.documents.refresh(distrusted)
    # Before the intents are dropped: their bytes are still to be purged.
    ledger.writes.record_absent(name, removed, target.now())
    ledger.writes.drop_intents(ids)
    ledger.writes.settle(name, obsolete, target.now())
    return len(intents)


def _restore(session: Session, document: Document, records: Sequence[ChunkRecord], size: int) -> bool:
    """Write these points as the committed version has them; False when the store has lost what that takes."""
    from index.sync.apply import read_back

    found = session.retrieve([record.point_id for record in records], vectors=True) if records else {}
    points = as_committed(document, records, found)
    if points:
        session.upsert(points)
        read_back(session, {record.point_id: record.payload_digest for record in records}, size)
    return points is not None


# ── Decisions, without any I/O ────────────────────────────────────────────────────────────────────────


def uncommitted(intent: Intent, committed: Sequence[ChunkRecord]) -> list[str]:
    """Ids of the intent's points that the committed version does not have."""
    kept = {record.point_id for record in committed}
    return [chunk.point_id for chunk in intent.chunks if chunk.point_id not in kept]


def shared(intent: Intent, committed: Sequence[ChunkRecord]) -> list[ChunkRecord]:
    """Chunks of the committed version whose points the intent may have written over."""
    intended = {chunk.point_id for chunk in intent.chunks}
    return [record for record in committed if record.point_id in intended]


def as_committed(
    document: Document, records: Sequence[ChunkRecord], found: Mapping[str, Point]
) -> list[Point] | None:
    """The points of these records as they were committed, made of the points that the store has under their
    ids; None when a stored point is of neither version, or has lost its vectors."""
    points = []
    for record in records:
        point = found.get(record.point_id)
        if point is None or payload.vector_digest(point) != record.vector_digest:
            return None
        passage = payload.passage_in(point.payload)
        if passage is None:
            return None
        passage = replace(passage, page=record.page, chunk_index=record.chunk_index)
        body = payload.build(document, passage)
        if digest(body) != record.payload_digest:
            return None
        points.append(Point(point.id, body, point.dense, point.sparse))
    return points


def distrust(document: Document, *, sound: bool) -> Document:
    """The document, to be looked at again by the next plan; read and written anew as a whole when its points
    are not sound. The hash stays, so that a move is recognised."""
    doubted = replace(document, seen_extraction="")
    return doubted if sound else replace(doubted, extraction_fingerprint="")
