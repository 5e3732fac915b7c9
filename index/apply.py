"""The write order. It exists here and nowhere else.

::

    (fetch → parse → chunk: index.prepare)
    ledger: intend, durable        nothing reaches the store that the ledger does not know (I1)
    embed what is missing
    store: upsert, read back       ids, payloads, both vectors
    ledger: commit                 the versions flip (I2), and their log entries are on record, pending
    store: delete, read back       what the old versions had and the new ones have not
    ledger: settle                 the removals are absent, and the entries are published, once, by this
                                   run or by the recovery of the next

A crash between any two steps leaves what `index.recover` mends at the start of the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from index import payload
from index.batched import batched
from index.errors import StoreDamaged
from index.ledger import Ledger, LogAction, LogEntry
from index.model import (
    Action,
    ChunkRecord,
    Collection,
    Document,
    Intent,
    Item,
    Point,
    State,
    Vectors,
    digest,
    point_id,
)
from index.outcome import Seconds, Tally
from index.prepare import occurrences
from index.store.base import Session, VectorStore
from index.work import Facts, Gone, Noted, Nothing, Text, Work

PAST = {
    Action.ADD: LogAction.ADDED,
    Action.UPDATE: LogAction.UPDATED,
    Action.MOVE: LogAction.MOVED,
    Action.TOUCH: LogAction.TOUCHED,
    Action.DELETE: LogAction.DELETED,
    Action.REINDEX: LogAction.REINDEXED,
}


#: Points of one batch, a single large document apart: what bounds the memory of a run.
BATCH_POINTS = 2000

#: Points that are read from the store at once.
READ_POINTS = 500


@dataclass(frozen=True, slots=True)
class Target:
    """Where a batch is written, and how its chunks get their vectors."""

    ledger: Ledger
    store: VectorStore
    collection: Collection
    embed: Callable[[Sequence[str]], Sequence[Vectors]]
    """Embedded texts to their dense and sparse vectors; not called when nothing is missing."""
    now: Callable[[], datetime]


@dataclass(slots=True)
class Draft:
    """A point before it has its vectors."""

    record: ChunkRecord
    payload: dict[str, Any]
    embedded_text: str | None = None
    vectors: Vectors | None = None


#: Prepares these items as a whole, because the store does not hold the text that was to stay.
Reread = Callable[[Sequence[Item]], Sequence[Work]]


def apply(target: Target, run_id: str, batch: Iterable[Work], reread: Reread) -> Tally:
    """Bring the documents of one batch to what was prepared. Repeating it reaches the same state (I3).

    `reread` is called before anything of a batch is written. Raises StoreError when the store did not do what
    it was told, LedgerError when the ledger cannot be written; either leaves an intent for recovery to find.
    """
    tally = Tally()
    for work in _portions(batch):
        tally.add(_apply(target, run_id, work, reread, tally.seconds))
    return tally


def _portions(batch: Iterable[Work]) -> Iterator[list[Work]]:
    """The batch in parts of at most BATCH_POINTS points, or of one document."""
    part: list[Work] = []
    points = 0
    for work in batch:
        match work:
            case Text():
                size = len(work.chunks)
            case Facts():
                size = work.document.chunk_count
            case _:
                size = 0
        if part and points + size > BATCH_POINTS:
            yield part
            part, points = [], 0
        part.append(work)
        points += size
    if part:
        yield part


def _apply(target: Target, run_id: str, work: Sequence[Work], reread: Reread, seconds: Seconds) -> Tally:
    ledger, store, name = target.ledger, target.store, target.collection.name
    drafts, intents, noted = _draft(target, work, reread)
    missing = {d.record.embedded_hash: d.embedded_text for d in drafts if d.vectors is None}
    if intents:
        held = ledger.writes.intend(run_id, name, intents)
        # A hold that came after the plan: the next one shows it.
        intents = [i for i in intents if i.document.document_id not in held]

    if missing:
        texts = [text for text in missing.values() if text is not None]
        with seconds.of("embed"):
            embedded = dict(zip(missing, target.embed(texts), strict=True))
        for draft in drafts:
            draft.vectors = draft.vectors or embedded[draft.record.embedded_hash]

    obsolete: list[str] = []
    if intents:
        with seconds.of("write"), store.session(name) as session:
            proven = _write(session, drafts)
            intents = [
                replace(i, chunks=tuple(replace(c, vector_digest=proven[c.point_id]) for c in i.chunks))
                for i in intents
            ]
            entries = [LogEntry.of(i.document, PAST[i.action], target.now(), run_id) for i in intents]
            obsolete = ledger.writes.commit(name, intents, entries)
            remove(session, obsolete)
        ledger.writes.settle(name, obsolete, target.now())
    if noted:
        now = target.now()
        ledger.documents.put(noted, [LogEntry.of(d, LogAction(d.state), now, run_id) for d in noted])
    return _count(intents, noted, drafts, embedded_hashes=len(missing), removed=len(obsolete))


def _draft(
    target: Target, work: Sequence[Work], reread: Reread
) -> tuple[list[Draft], list[Intent], list[Document]]:
    """Points, intents and mere rows of a batch; vectors and texts that the store has are read here, before
    anything of the batch is deleted."""
    name = target.collection.name
    facts = [item.document.document_id for item in work if isinstance(item, Facts)]
    committed = target.ledger.chunks.of(name, facts)
    hashes = {chunk.embedded_hash for item in work if isinstance(item, Text) for chunk in item.chunks}
    known = target.ledger.chunks.known_vectors(name, hashes)
    wanted = {record.point_id: record for record in known.values()}
    wanted |= {record.point_id: record for records in committed.values() for record in records}
    held: dict[str, Point] = {}
    if wanted:
        with target.store.session(name) as session:
            for identifiers in batched(wanted, READ_POINTS):
                for identifier, point in session.retrieve(identifiers, vectors=True).items():
                    # A vector that is not the one that was committed is not copied.
                    if payload.vector_digest(point) == wanted[identifier].vector_digest:
                        held[identifier] = point

    drafts: list[Draft] = []
    intents: list[Intent] = []
    noted: list[Document] = []
    instead: list[Item | Noted | Nothing] = []
    for item in work:
        match item:
            case Text():
                own = _text_points(target.collection, item)
                for draft in own:
                    same = known.get(draft.record.embedded_hash)
                    draft.vectors = _vectors(held.get(same.point_id) if same else None)
            case Facts():
                kept = _kept_points(item.document, committed.get(item.document.document_id, []), held)
                if kept is None:
                    instead.append(item.otherwise)
                    continue
                own = kept
            case Gone():
                intents.append(Intent(Action.DELETE, item.document))
                continue
            case Noted():
                noted.append(item.document)
                continue
            case _:
                continue
        drafts += own
        intents.append(Intent(item.action, item.document, tuple(draft.record for draft in own)))
    if instead:
        items = [item for item in instead if isinstance(item, Item)]
        settled = [item for item in instead if not isinstance(item, Item)]
        more = _draft(target, [*settled, *(reread(items) if items else ())], reread)
        return drafts + more[0], intents + more[1], noted + more[2]
    return drafts, intents, noted


def _text_points(collection: Collection, item: Text) -> list[Draft]:
    document = item.document
    drafts = []
    for index, (chunk, occurrence) in enumerate(zip(item.chunks, occurrences(item.chunks), strict=True)):
        passage = payload.Passage(chunk.text, chunk.heading_path, chunk.page, index)
        body = payload.build(document, passage)
        record = ChunkRecord(
            point_id=point_id(
                document.document_id, chunk.embedded_hash, occurrence, collection.embedding_fingerprint
            ),
            document_id=document.document_id,
            chunk_index=index,
            embedded_hash=chunk.embedded_hash,
            payload_digest=digest(body),
            page=chunk.page,
            tokens=chunk.tokens,
        )
        drafts.append(Draft(record, body, chunk.embedded_text))
    return drafts


def _kept_points(
    document: Document, records: Sequence[ChunkRecord], held: dict[str, Point]
) -> list[Draft] | None:
    """The document's points with new payloads; None when the store does not hold them as committed."""
    drafts = []
    for record in records:
        point = held.get(record.point_id)
        if point is None or digest(point.payload) != record.payload_digest:
            return None
        body = payload.build(document, payload.passage(point.payload))
        drafts.append(Draft(replace(record, payload_digest=digest(body)), body, vectors=_vectors(point)))
    return drafts


def _vectors(point: Point | None) -> Vectors | None:
    if point is None or point.dense is None or point.sparse is None:
        return None
    return point.dense, point.sparse


def _write(session: Session, drafts: Sequence[Draft]) -> dict[str, str]:
    """Upsert, and read back: {point id: digest of its vectors}. Raises StoreDamaged when one is amiss."""
    points = []
    for draft in drafts:
        assert draft.vectors is not None
        points.append(Point(draft.record.point_id, draft.payload, *draft.vectors))
    if points:
        session.upsert(points)
    expected = {draft.record.point_id: draft.record.payload_digest for draft in drafts}
    return read_back(session, expected)


def read_back(session: Session, expected: dict[str, str]) -> dict[str, str]:
    """The vector digests of points that must be there with these payload digests; StoreDamaged if not."""
    proven = {}
    for identifiers in batched(expected, READ_POINTS):
        found = session.retrieve(identifiers, vectors=True)
        for identifier in identifiers:
            point = found.get(identifier)
            vectors = payload.vector_digest(point) if point else ""
            if point is None or not vectors or digest(point.payload) != expected[identifier]:
                raise StoreDamaged(
                    f"The store did not keep point {identifier} as it was written. Nothing was committed; "
                    "the next sync repairs it. If it happens again, run: freshkb verify --repair"
                )
            proven[identifier] = vectors
    return proven


def remove(session: Session, ids: Sequence[str]) -> None:
    """Delete these points and see that they are gone. Raises StoreDamaged when one is not."""
    if not ids:
        return
    session.delete(ids)
    left = session.retrieve(ids, vectors=False)
    if left:
        raise StoreDamaged(
            f"The store still holds {len(left)} of {len(ids)} points that were deleted. The next sync tries "
            "again. If it happens again, run: freshkb verify --repair"
        )


def _count(
    intents: Sequence[Intent],
    noted: Sequence[Document],
    drafts: Sequence[Draft],
    *,
    embedded_hashes: int,
    removed: int,
) -> Tally:
    tally = Tally()
    for intent in intents:
        tally.documents[PAST[intent.action]] += 1
    for document in noted:
        if document.state is not State.INDEXED:
            tally.documents[document.state.value] += 1
    tally.chunks.update(embedded=embedded_hashes, reused=len(drafts) - embedded_hashes, deleted=removed)
    return tally
