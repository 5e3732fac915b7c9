"""Build the index anew for another model, beside the one in use, and switch.

The texts come from the old collection, so that no source has to be there, and documents that can no longer
be read keep what they had. The old collection is searched until the switch. Chunks were cut for the old
model's tokens: every document is marked, and the next sync extracts it again, keeping each vector whose
text stays.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from itertools import islice

from index import payload
from index.apply import apply
from index.chunk import compose
from index.collection import create, drop, entry, retire
from index.errors import Refused
from index.ledger import LogAction
from index.mirror import Mirror
from index.model import Action, Chunk, ChunkRecord, Collection, Document, Point, State, digest
from index.origin import known_sources
from index.outcome import Report
from index.plan import BATCH_DOCUMENTS
from index.prepare import Noted, Text, Work
from index.recover import recover
from index.salvage import Remains
from index.sync import Sync


def reindex(mirror: Mirror, run: Sync) -> Report:
    """Build, switch, drop. Interrupted, it leaves the old index in use; started again, it begins anew.

    Raises Refused when the configured model is the one in use, or when a text was lost that no source gives;
    Locked when a source is being written.
    """
    ledger = mirror.ledger
    report = Report(run.run_id)
    with run.recorded(report), ExitStack() as locks:
        old = ledger.collections.current()
        if old is None:
            raise Refused(
                "There is no index yet, so there is nothing to build anew. Make one with: freshkb sync"
            )
        for source in known_sources(mirror):
            locks.enter_context(ledger.writer(source, "freshkb reindex"))
        mirror.check_instance(old)
        for source in ledger.documents.counts():
            recover(run.target_of(old), source, run.run_id)
        for left in ledger.collections.all():
            if left.state != "current":
                drop(mirror, left, run.run_id)
        _check(mirror, old)
        new = create(mirror, "building", run.run_id)
        if new.embedding_fingerprint == old.embedding_fingerprint:
            drop(mirror, new, run.run_id)
            raise Refused(
                f"The index already uses {old.model} ({old.dtype}); there is nothing to build anew."
            )
        target = run.target_of(new)
        indexed = (d for d in ledger.documents.find() if d.version)
        run.begins("reindex", sum(sum(states.values()) for states in ledger.documents.counts().values()))
        while batch := list(islice(indexed, BATCH_DOCUMENTS)):
            run.advances(len(batch), apply(target, run.run_id, _texts(mirror, old, batch)))
            if run.stop.is_set():
                report.interrupted = True
                return report
        switched = entry(mirror, LogAction.COLLECTION_SWITCHED, new, run.run_id)
        ledger.writes.switch_collection(new.name, [switched])
        retire(mirror, run.run_id)
    return report


def _check(mirror: Mirror, old: Collection) -> None:
    """Raises Refused when a text would be left behind that no source gives."""
    unreadable = (
        d for d in mirror.ledger.documents.find(states=[State.HELD, State.QUARANTINED]) if d.version
    )
    while batch := list(islice(unreadable, BATCH_DOCUMENTS)):
        for work in _texts(mirror, old, batch):
            if isinstance(work, Noted):
                document = work.document
                raise Refused(
                    f"The index has lost text of {document.source}:{document.uri}, and no source can give it "
                    "again. Save what is left of it first, with: freshkb verify --repair"
                )


def _texts(mirror: Mirror, old: Collection, documents: list[Document]) -> list[Work]:
    """The documents with their chunks as the old collection has them."""
    records = mirror.ledger.chunks.of(old.name, [d.document_id for d in documents])
    ids = [record.point_id for chunks in records.values() for record in chunks]
    with mirror.store.session(old.name) as session:
        points = session.retrieve(ids, vectors=False) if ids else {}
    work: list[Work] = []
    for row in documents:
        document, own = row, records[row.document_id]
        remains = Remains(row.document_id, old.embedding_fingerprint, row, own, points)
        if any(_damaged(record, points.get(record.point_id)) for record in own):
            document = remains.row() or document
            chunks: tuple[Chunk, ...] = remains.chunks(document)
        else:
            chunks = tuple(_chunk(document, points[r.point_id], r.tokens) for r in own)
        again = replace(document, seen_extraction="")
        if len(chunks) < document.chunk_count:
            # The old store has not the whole of it any more: only the source has.
            work.append(Noted(replace(again, extraction_fingerprint="")))
        else:
            work.append(Text(Action.UPDATE, again, chunks))
    return work


def _damaged(record: ChunkRecord, point: Point | None) -> bool:
    return point is None or digest(point.payload) != record.payload_digest


def _chunk(document: Document, point: Point, tokens: int) -> Chunk:
    passage = payload.passage(point.payload)
    return Chunk(
        text=passage.text,
        embedded_text=compose(document.title, passage.heading_path, passage.text),
        heading_path=passage.heading_path,
        page=passage.page,
        tokens=tokens,
    )
