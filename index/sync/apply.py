"""The write order. It exists here and nowhere else.

::

    (fetch → parse → chunk: index.sync.prepare)
    ledger: intend, durable        nothing reaches the store that the ledger does not know (I1)
    embed what is missing
    ledger: the intents stand      no other run has taken this one for dead
    store: upsert, read back       ids, payloads, both vectors
    ledger: commit                 the versions flip (I2), and their log entries are on record, pending
    store: delete, read back       the points of old versions only
    ledger: settle                 the removals are absent, and the entries are published, once, by this
                                   run or by the recovery of the next

A crash between any two steps leaves a state that `index.sync.recover` mends at the start of the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from index import payload
from index.batched import batched
from index.errors import FreshkbError, LedgerError, StoreDamaged
from index.ledger import Hold, Ledger, LogAction, LogEntry
from index.model import REMOVALS, Action, Point, State, digest
from index.outcome import Counts, Seconds
from index.records import Document, Intent
from index.store.base import Session
from index.sync.draft import Draft, Reread, drafted
from index.sync.target import Target
from index.sync.withhold import forbidden
from index.sync.work import NewMetadata, NewVersion, Withheld, Work

PAST = {
    Action.ADD: LogAction.ADDED,
    Action.UPDATE: LogAction.UPDATED,
    Action.MOVE: LogAction.MOVED,
    Action.TOUCH: LogAction.TOUCHED,
    Action.HOLD: LogAction.HELD,
    Action.EXPIRE: LogAction.EXPIRED,
    Action.REINDEX: LogAction.REINDEXED,
}

#: The code of a text that lost half of itself: an update that is never silent.
SHRUNK = "shrunk"


def apply(target: Target, run_id: str, batch: Iterable[Work], reread: Reread) -> Counts:
    """Bring the documents of one batch to what was prepared. Repeating it reaches the same state (I3).

    `reread` is called before anything of a batch is written. Raises StoreError when the store did not do what
    it was told, LedgerError when the ledger cannot be written; either leaves an intent for recovery to find.
    """
    counts = Counts()
    for work in _portions(batch, target.sizes.batch_points):
        counts.add(_apply(target, run_id, work, reread, counts.seconds))
    return counts


def _portions(batch: Iterable[Work], most: int) -> Iterator[list[Work]]:
    """The batch in parts of at most so many points, or of one document."""
    part: list[Work] = []
    points = 0
    for work in batch:
        match work:
            case NewVersion():
                size = len(work.chunks)
            case NewMetadata():
                size = work.document.chunk_count
            case _:
                size = 0
        if part and points + size > most:
            yield part
            part, points = [], 0
        part.append(work)
        points += size
    if part:
        yield part


def _apply(target: Target, run_id: str, work: Sequence[Work], reread: Reread, seconds: Seconds) -> Counts:
    ledger, store, name = target.ledger, target.store, target.collection.name
    drafts, intents, noted = drafted(target, work, reread)
    refused: set[str] = set()
    withheld = 0
    if intents:
        refused = ledger.writes.intend(run_id, name, intents)
        if refused:
            # A hold, or an order to erase, that came after the plan: the next one shows it.
            kept = [i for i in intents if i.document.document_id in refused]
            held = [(i.document, LogAction.REMOVAL_REFUSED) for i in kept if i.action in REMOVALS]
            ledger.log.append(_entries(target, run_id, held))
            withheld = len(kept) - len(held)
            intents = [i for i in intents if i.document.document_id not in refused]
            drafts = [draft for draft in drafts if draft.record.document_id not in refused]

    missing = {d.record.embedded_hash: d.embedded_text for d in drafts if d.vectors is None}
    if missing:
        texts = [text for text in missing.values() if text is not None]
        with seconds.of("embed"):
            embedded = dict(zip(missing, target.embed(texts), strict=True))
        for draft in drafts:
            draft.vectors = draft.vectors or embedded[draft.record.embedded_hash]

    if intents and (late := forbidden(ledger, work, intents)):
        # An order came meanwhile. Their intents stay for the next recovery, as those of a crash here.
        withheld += len(late)
        intents = [i for i in intents if i.document.document_id not in late]
        drafts = [draft for draft in drafts if draft.record.document_id not in late]

    obsolete: list[str] = []
    if intents:
        with seconds.of("write"), store.session(name) as session:
            _require_standing(target, run_id, intents)
            with _doubted_on_failure(target, drafts):
                proven = _write(session, drafts, target.sizes.read_points)
                intents = [
                    replace(i, chunks=tuple(replace(c, vector_digest=proven[c.point_id]) for c in i.chunks))
                    for i in intents
                ]
                entries = _entries(target, run_id, [(i.document, _past(i)) for i in intents])
                obsolete = ledger.writes.commit(name, intents, entries)
            remove(session, obsolete)
        ledger.writes.settle(name, obsolete, target.now())
    withheld += _join(ledger, work, refused)
    if noted:
        ledger.documents.put(noted, _entries(target, run_id, [(d, LogAction(d.state)) for d in noted]))
    counts = _count(intents, noted, drafts, embedded_hashes=len(missing), removed=len(obsolete))
    if withheld:
        counts.documents["withheld"] = withheld
    return counts


def _require_standing(target: Target, run_id: str, intents: Sequence[Intent]) -> None:
    """Raises LedgerError when the recovery of another run has cleared up an intent, which it may do once the
    writer lock of this run was lost: with a session of PostgreSQL."""
    ids = {intent.document.document_id for intent in intents}
    gone = ids - target.ledger.points.intended(run_id, target.collection.name, ids)
    if gone:
        raise LedgerError(
            f"{len(gone)} of {len(ids)} documents cannot be written: another run has cleared up after this "
            "one. Was the connection to the ledger cut? What was done before is whole; run the command again."
        )


@contextmanager
def _doubted_on_failure(target: Target, drafts: Sequence[Draft]) -> Iterator[None]:
    """A recovery that clears up in this block may delete points before they are written. Those are on record
    as present again when the block fails, for the next recovery; a purge finds them when this process dies,
    too."""
    try:
        yield
    except FreshkbError:
        with suppress(LedgerError):
            target.ledger.writes.record_present(
                target.collection.name, [draft.record.point_id for draft in drafts]
            )
        raise


def _join(ledger: Ledger, work: Sequence[Work], refused: Collection[str]) -> int:
    """Put the paths of erased bytes under their orders, but for those of documents that a hold has kept.
    Returns their number."""
    joined: dict[str, dict[str, str]] = {}
    for one in work:
        if isinstance(one, Withheld) and (one.document is None or one.document.document_id not in refused):
            joined.setdefault(one.source, {})[one.uri] = one.order_id
    for source, found in joined.items():
        ledger.tombstones.withhold(found, source)
    return sum(map(len, joined.values()))


def _past(intent: Intent) -> LogAction:
    """Of a removal the state says why."""
    return LogAction(intent.document.state) if intent.action is Action.DELETE else PAST[intent.action]


def _entries(target: Target, run_id: str, done: Sequence[tuple[Document, LogAction]]) -> list[LogEntry]:
    """The log's entries of these changes; of a document that a hold keeps, with the id of the first hold."""
    keeping = (LogAction.HELD, LogAction.REMOVAL_REFUSED)
    stayed = [document.document_id for document, action in done if action in keeping]
    holds = target.ledger.holds.of(stayed) if stayed else {}
    now = target.now()
    return [
        LogEntry.of(document, action, now, run_id, **_first(holds.get(document.document_id, ())))
        if action in keeping
        else LogEntry.of(document, action, now, run_id)
        for document, action in done
    ]


def _first(holds: Sequence[Hold]) -> dict[str, str]:
    return {"hold": holds[0].hold_id} if holds else {}


def _write(session: Session, drafts: Sequence[Draft], size: int) -> dict[str, str]:
    """Upsert, and read back: {point id: digest of its vectors}. Raises StoreDamaged when one is amiss."""
    points = []
    for draft in drafts:
        assert draft.vectors is not None
        points.append(Point(draft.record.point_id, draft.payload, *draft.vectors))
    if points:
        session.upsert(points)
    expected = {draft.record.point_id: draft.record.payload_digest for draft in drafts}
    return read_back(session, expected, size)


def read_back(session: Session, expected: dict[str, str], size: int) -> dict[str, str]:
    """The vector digests of points that must be there with these payload digests, read so many at once.
    StoreDamaged if one is not."""
    proven = {}
    for identifiers in batched(expected, size):
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
) -> Counts:
    counts = Counts()
    for intent in intents:
        counts.documents[_past(intent)] += 1
        if intent.extract is not None and any(found["code"] == SHRUNK for found in intent.document.findings):
            counts.documents[SHRUNK] += 1
    for document in noted:
        if document.state is not State.INDEXED:
            counts.documents[document.state.value] += 1
    counts.chunks.update(embedded=embedded_hashes, reused=len(drafts) - embedded_hashes, deleted=removed)
    return counts
