"""Mend what `index.verify` found.

What the source can give again is read from it and written as a whole. What it cannot (a document that is held
after it vanished, or whose new version does not parse) is written from what ledger and store still prove
(`index.salvage`). Where a text is lost nonetheless, ledger and store are made to agree on what is left of it,
the document's reason says so, and the repair is no success. Foreign points go last: one of them may be the
only place where a text still is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice

from connectors.base import SourceUnavailable
from index import payload
from index.apply import READ_POINTS, Target, apply, batched, remove
from index.collection import create, drop_orphans, entry
from index.errors import StoreDamaged
from index.finding import KINDS, Verification
from index.judge import Ids, review_lost
from index.ledger import LogAction, LogEntry
from index.mirror import Mirror
from index.model import Action, Document, Item, Point, Review, State
from index.origin import known_sources, origin
from index.plan import BATCH_DOCUMENTS
from index.prepare import Facts, Noted, Text, Work, governed
from index.provenance import as_made, lost
from index.rebuild import rebuild
from index.recover import recover
from index.salvage import Remains
from index.sync import Sync, plan
from index.verify import verify


def repair(mirror: Mirror, found: Verification, run: Sync) -> None:
    """Mend the findings, then sync. Sets `found.repaired` to the number of findings that are gone afterwards,
    and adds to `found` what is wrong now and was not before, and to its errors the texts that are lost.

    Stopped, it finishes the batch in hand, and `found.interrupted` says so: the next repair does the rest.
    """
    with run.record:
        try:
            lost = _mend(mirror, found, run)
        except StoreDamaged:
            if found.rebuild:
                raise
            # What can be read and not be written shows only now.
            found.rebuild = True
            lost = _mend(mirror, found, run)
        if run.stop.is_set():
            found.interrupted = True
            return
        _conclude(found, verify(mirror, sample=found.sample, deep=found.deep, stop=run.stop), lost)


def _mend(mirror: Mirror, found: Verification, run: Sync) -> dict[str, str]:
    """By document, what is lost."""
    wrong = found
    if found.rebuild:
        with _as_writer(mirror):
            rebuild(mirror, run.run_id, read=not found.deadly)
        # The points of the new collection are what is to be mended.
        wrong = verify(mirror, sample=found.sample, deep=found.deep, stop=run.stop)
    with _as_writer(mirror):
        _mend_collection(mirror, run.run_id)
        target = run.target()
        for source in known_sources(mirror):
            recover(target, source, run.run_id)
        mending = _Mending(mirror, run, target, wrong)
        mending.documents()
        mending.foreign()
    run.run(checksum=found.deep)
    with _as_writer(mirror):
        mending.admit()
        drop_orphans(mirror)
    return mending.lost


@contextmanager
def _as_writer(mirror: Mirror) -> Iterator[None]:
    """The one writer of all sources."""
    with ExitStack() as locks:
        for source in known_sources(mirror):
            locks.enter_context(mirror.ledger.writer(source, "freshkb verify --repair"))
        yield


def _conclude(found: Verification, left: Verification, lost: dict[str, str]) -> None:
    before = {finding.subject for finding in found.all}
    still = {finding.subject for finding in left.all}
    found.repaired = sum(
        finding.subject not in still and finding.document_id not in lost for finding in found.all
    )
    for kind in KINDS:
        found.of(kind).extend(new for new in left.of(kind) if new.subject not in before)
    found.errors = [*left.errors, *lost.values()]


def _mend_collection(mirror: Mirror, run_id: str) -> None:
    """The ledger names the collection that its points are in, and the store has it."""
    ledger, store = mirror.ledger, mirror.store
    row = ledger.collections.current()
    made = as_made(mirror, row) if row is not None else None
    if made is None or store.instance(made.name) is None:
        left = lost(mirror)
        if left is not None and row is not None:
            dropped = entry(mirror, LogAction.COLLECTION_DROPPED, row, run_id)
            ledger.writes.drop_collection(row.name, [dropped])
        made = left or made or create(mirror, "current", run_id)
    if made != row:
        ledger.collections.put(made, [entry(mirror, LogAction.COLLECTION_RESTORED, made, run_id)])
    if store.instance(made.name) is None:
        # Whatever comes in between, the next sync looks at every document again and finds its points gone.
        documents = ledger.documents.find()
        while some := [replace(d, seen_extraction="") for d in islice(documents, BATCH_DOCUMENTS)]:
            ledger.documents.refresh(some)
        store.create(made.name, dimension=made.dimension, instance=ledger.instance_id)
        store.publish(mirror.config.index.collection, made.name)


class _Mending:
    """The documents and points that a verification found fault with."""

    def __init__(self, mirror: Mirror, run: Sync, target: Target, found: Verification) -> None:
        self._mirror = mirror
        self._run = run
        self._target = target
        self._name = target.collection.name
        self._sources = set(known_sources(mirror))
        self._configured = {source.id for source in mirror.config.sources}
        self._held = {hold.document_id for hold in mirror.ledger.holds.standing()}
        self._claims: dict[str, list[str]] = defaultdict(list)
        """Ids of points that no row knows, by the document whose they say they are."""
        for finding in (extra for extra in found.extra if not extra.collection):
            self._claims[finding.document_id or ""].append(finding.point_id or "")
        self._damaged = {
            finding.document_id
            for finding in (*found.missing, *found.extra, *found.altered)
            if finding.document_id
        }
        self._unheard: set[str] = set()
        """Documents whose source cannot be asked now: their points stay as they are."""
        self._deferred: list[str] = []
        """Documents that lost text, and that the sync is about to remove."""
        self.lost: dict[str, str] = {}
        """By document, what it lost."""

    def documents(self) -> None:
        """Write every damaged document anew, from its source or from what remains of it."""
        self._disown()
        for ids in batched(sorted(self._damaged), BATCH_DOCUMENTS):
            if self._run.stop.is_set():
                return
            self._mend(ids)

    def foreign(self) -> None:
        """Remove the points that still nobody knows."""
        if self._run.stop.is_set():
            return
        unknown = [i for owner, ids in self._claims.items() if owner not in self._unheard for i in ids]
        known = self._mirror.ledger.points.known(self._name, unknown)
        with self._target.store.session(self._name) as session:
            remove(session, [identifier for identifier in unknown if identifier not in known])

    def admit(self) -> None:
        """What lost text and was not removed after all is written as it is now."""
        deferred, self._deferred = self._deferred, []
        if self._run.stop.is_set():
            return
        for ids in batched(deferred, BATCH_DOCUMENTS):
            self._mend(ids, last=True)

    def _disown(self) -> None:
        """Drop rows of chunks whose ids do not follow, unless their points say whose they are, too: the ids
        may be those of another document, which could not be written beside them."""
        ledger = self._mirror.ledger
        for ids in batched(sorted(self._damaged), BATCH_DOCUMENTS):
            for document_id, records in ledger.chunks.of(self._name, ids).items():
                known = Ids(document_id, self._fingerprint, len(records))
                wrong = [record for record in records if not known.genuine(record)]
                points = self._points([record.point_id for record in wrong])
                for record in wrong:
                    point = points.get(record.point_id)
                    claimed = payload.metadata(point.payload).get("document_id") if point else None
                    if claimed != document_id:
                        owner = claimed if isinstance(claimed, str) else document_id
                        self._delete_rows(document_id, [record.point_id])
                        self._claims[owner].append(record.point_id)
                        self._damaged.add(owner)

    def _delete_rows(self, document_id: str, point_ids: list[str]) -> None:
        facts = {"chunks": len(point_ids)}
        now, run_id = self._mirror.now(), self._run.run_id
        entry = LogEntry(now, LogAction.ROWS_DELETED, "", document_id, run_id, facts)
        self._mirror.ledger.chunks.delete_rows(self._name, point_ids, [entry])

    def _entry(self, row: Document, action: LogAction, **facts: int) -> LogEntry:
        return LogEntry.of(row, action, self._mirror.now(), self._run.run_id, **facts)

    @property
    def _fingerprint(self) -> str:
        return self._target.collection.embedding_fingerprint

    def _points(self, ids: Iterable[str]) -> dict[str, Point]:
        found: dict[str, Point] = {}
        for some in batched(ids, READ_POINTS):
            with self._target.store.session(self._name) as session:
                found |= session.retrieve(some, vectors=True)
        return found

    # ── One batch ─────────────────────────────────────────────────────────────────────────────────────

    def _mend(self, ids: Sequence[str], *, last: bool = False) -> None:
        by_source: dict[str, list[tuple[Remains, Document]]] = defaultdict(list)
        for remains in self._remains(ids):
            row = self._row(remains)
            if row is not None:
                by_source[row.source].append((remains, row))
        for source, damaged in by_source.items():
            if self._heard(source):
                work = list(self._work(source, damaged, last=last))
                apply(self._target, self._run.run_id, work)
            else:
                self._unheard |= {row.document_id for _, row in damaged}

    def _remains(self, ids: Sequence[str]) -> Iterator[Remains]:
        ledger = self._mirror.ledger
        documents = {d.document_id: d for d in ledger.documents.find(document_ids=ids, states=list(State))}
        for document_id, records in ledger.chunks.of(self._name, ids).items():
            claimed = self._claims.get(document_id, [])
            points = self._points([*(record.point_id for record in records), *claimed])
            yield Remains(document_id, self._fingerprint, documents.get(document_id), records, points)

    def _row(self, remains: Remains) -> Document | None:
        """The document's row, mended and recorded; None when there is nothing to be written of it."""
        ledger, row = self._mirror.ledger, remains.row()
        if row is not None and not self._free(row):
            # Lost, found at its source, and recorded under another id since.
            row = None
        if row is None:
            self._delete_rows(remains.document_id, [record.point_id for record in remains.records])
            self._claims[remains.document_id] += [record.point_id for record in remains.records]
            return None
        if row.content_hash is None and not remains.records:
            blank = self._blank(row)
            action = LogAction.DELETED if blank.state is State.DELETED else LogAction.RESTORED
            ledger.documents.put([blank], [self._entry(blank, action)])
            return None
        row = replace(row, version=max(row.version, 1))
        ledger.documents.put([row], [self._entry(row, LogAction.RESTORED)])
        reviews = ledger.reviews.of([row.document_id]).get(row.document_id, [])
        if row.reviewed_at is not None and review_lost(row, reviews):
            restored = Review(row.document_id, "unknown", "Restored from the index.", row.reviewed_at)
            ledger.reviews.add([restored], [self._entry(row, LogAction.REVIEWED, restored=1)])
        return row

    def _free(self, row: Document) -> bool:
        here = self._mirror.ledger.documents.find(source=row.source, uris=[row.uri])
        return row.source in self._sources and all(other.document_id == row.document_id for other in here)

    def _blank(self, row: Document) -> Document:
        """Of a document that never was in the index: the sync looks at it as if for the first time."""
        if row.source in self._configured and not origin(self._mirror, row.source).extraction.of(row.uri):
            return replace(row, state=State.DELETED, deleted_at=self._mirror.now())
        return Document(row.document_id, row.source, row.uri, State.PENDING, first_seen_at=row.first_seen_at)

    def _heard(self, source: str) -> bool:
        """Whether a document's absence there means anything: not when a sync would call it an error."""
        return source not in self._configured or plan(self._mirror, source).error is None

    # ── One document ──────────────────────────────────────────────────────────────────────────────────

    def _work(
        self, source: str, damaged: Sequence[tuple[Remains, Document]], *, last: bool
    ) -> Iterator[Work]:
        items = [Item(Action.UPDATE, row.uri, row.document_id, reason="repair") for _, row in damaged]
        known = self._run.known(items)
        try:
            prepared = self._run.prepare(source, items, known)
        except SourceUnavailable:
            self._unheard |= set(known)
            return
        for (remains, row), work in zip(damaged, prepared, strict=False):
            match work:
                case Text():
                    yield work
                case Noted(document) | Facts(_, document, _):
                    yield self._salvaged(remains, row, document)
                case _ if last or self._kept(row) or row.chunk_count <= len(remains.chunks(row)):
                    yield self._salvaged(remains, row, known[row.document_id])
                case _:
                    self._deferred.append(row.document_id)

    def _kept(self, row: Document) -> bool:
        """Whether a hold keeps the document that its source has lost. A hold whose row is lost is placed."""
        ledger, name = self._mirror.ledger, row.document_id
        if row.state is State.HELD and not ledger.holds.once_held([name]):
            placed = self._entry(row, LogAction.HOLD_PLACED, restored=1)
            ledger.holds.place([name], "restored", "Its row was lost.", self._mirror.now(), [placed])
            self._held.add(name)
        return name in self._held

    def _salvaged(self, remains: Remains, row: Document, now: Document) -> Text:
        """The document as it is now, with the chunks that it still has."""
        chunks = remains.chunks(row)
        lost = row.chunk_count - len(chunks)
        if now.source in self._configured:
            now = governed(now, origin(self._mirror, now.source).rules, self._mirror.now())
        if lost > 0:
            what = f"{lost} of {row.chunk_count} chunks of its text are lost."
            self.lost[row.document_id] = (
                f"{row.source}:{row.uri}: {what} The store has not kept them, nor can the source give them."
            )
            # Read as a whole as soon as the source can.
            now = replace(now, reason=f"{now.reason} {what}".lstrip(), extraction_fingerprint="")
            if now.state is State.INDEXED:
                now = replace(now, token=None, seen_extraction="")
        return Text(Action.UPDATE, replace(now, chunk_count=len(chunks)), chunks)
