"""The documents and points that a verification found fault with, mended batch by batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.base import SourceUnavailable
from index.actor import login
from index.batched import batched
from index.ledger import Hold, HoldKind, LogAction, LogEntry, hold_id
from index.model import LIVE, Action, Cause, Item, Point, State
from index.parse.formats import format_of
from index.proof import whole
from index.records import ChunkRecord, Document, Review
from index.run import Run
from index.sync.apply import apply
from index.sync.batches import known_documents, prepare_items
from index.sync.govern import governed
from index.sync.source import known_sources, source_of
from index.sync.sync import plan_of
from index.sync.target import Target
from index.sync.work import NewMetadata, NewVersion, RowOnly, Work
from index.verify.checks import Ids, review_lost
from index.verify.differences import Verification
from index.verify.strangers import Strangers
from index.verify.survivors import Survivors
from index.workspace import Workspace


class Mending:
    """The documents and points that a verification found fault with."""

    def __init__(
        self, workspace: Workspace, run: Run, target: Target, found: Verification, again: Sequence[str]
    ) -> None:
        self._workspace = workspace
        self._run = run
        self._target = target
        self._name = target.collection.name
        self._sources = set(known_sources(workspace))
        self._configured = {source.id for source in workspace.config.sources}
        self._held = workspace.ledger.holds.held()
        self.strangers = Strangers(workspace, target, found, self._absence_counts, self._held)
        wrong = (difference.document_id for difference in (*found.missing, *found.altered))
        self._damaged = {name for name in wrong if name} | set(again)
        self._answers: dict[str, bool] = {}
        """{source: whether it can be reached now}; the points of an unreachable one stay as they are."""
        self._deferred: list[str] = []
        """Documents that lost text, and that the sync is about to remove."""
        self.lost: dict[str, str] = {}
        """{document id: sentence on its lost text}."""

    def documents(self) -> None:
        """Write every damaged document anew, from its source or from what its payloads prove."""
        self._disown()
        for ids in batched(sorted(self._damaged), self._workspace.sizes.batch_documents):
            if self._run.stop.is_set():
                return
            self._mend(ids)

    def admit(self) -> None:
        """Write documents that lost text and were not removed after all as they are now."""
        deferred, self._deferred = self._deferred, []
        for ids in batched(deferred, self._workspace.sizes.batch_documents):
            self._mend(ids, last=True)

    def _disown(self) -> None:
        """Drop rows of chunks that neither id nor payload ties to their document: the ids may be those of
        another document, which could not be written beside them."""
        for ids in batched(sorted(self._damaged), self._workspace.sizes.batch_documents):
            for document_id, records in self._workspace.ledger.chunks.of(self._name, ids).items():
                known = Ids(document_id, self._fingerprint, len(records))
                wrong = [record for record in records if not known.genuine(record)]
                points = self._points([record.point_id for record in wrong])
                self._forget([r for r in wrong if not whole(r, points.get(r.point_id))], points)

    def _forget(self, records: Sequence[ChunkRecord], points: Mapping[str, Point]) -> None:
        """Drop these rows; their points become strangers."""
        ids = [record.point_id for record in records]
        entries = [
            self._entry_of(
                name, LogAction.ROWS_DELETED, chunks=sum(1 for r in records if r.document_id == name)
            )
            for name in sorted({record.document_id for record in records})
        ]
        self._workspace.ledger.chunks.delete_rows(self._name, ids, entries)
        self.strangers.add(points[name] for name in ids if name in points)

    def _entry_of(self, document_id: str, action: LogAction, **facts: int) -> LogEntry:
        return LogEntry(self._workspace.now(), action, "", document_id, self._run.run_id, facts)

    def _entry(self, row: Document, action: LogAction, **facts: int) -> LogEntry:
        return LogEntry.of(row, action, self._workspace.now(), self._run.run_id, **facts)

    @property
    def _fingerprint(self) -> str:
        return self._target.collection.embedding_fingerprint

    def _points(self, ids: Iterable[str]) -> dict[str, Point]:
        found: dict[str, Point] = {}
        for some in batched(ids, self._workspace.sizes.read_points):
            with self._target.store.session(self._name) as session:
                found |= session.retrieve(some, vectors=True)
        return found

    # ── One batch ─────────────────────────────────────────────────────────────────────────────────────

    def _mend(self, ids: Sequence[str], *, last: bool = False) -> None:
        by_source: dict[str, list[tuple[Survivors, Document]]] = defaultdict(list)
        for survivors in self._survivors(ids):
            row = self._row(survivors)
            if row is not None:
                by_source[row.source].append((survivors, row))
        for source, damaged in by_source.items():
            if self._absence_counts(source):
                work = list(self._work(source, damaged, last=last))
                # The texts are whole: nothing has to be read again.
                apply(self._target, self._run.run_id, work, lambda _: [])

    def _survivors(self, ids: Sequence[str]) -> Iterator[Survivors]:
        ledger = self._workspace.ledger
        documents = {d.document_id: d for d in ledger.documents.find(document_ids=ids, states=list(State))}
        for document_id, records in ledger.chunks.of(self._name, ids).items():
            points = self._points([record.point_id for record in records])
            yield Survivors(document_id, self._fingerprint, documents.get(document_id), records, points)

    def _row(self, survivors: Survivors) -> Document | None:
        """The document's row, mended and recorded; None when no row is to be written."""
        ledger, known, row = self._workspace.ledger, survivors.document, survivors.row()
        if known is not None and known.state not in LIVE and known.document_id in self._held:
            self.lost[known.document_id] = (
                f"{known.source}:{known.uri}: the ledger calls it {known.state}, and a hold stands on it. "
                "Nothing of it was removed. Restore the ledger from a backup, or release the hold."
            )
            return None
        if row is not None and (not self._free(row) or ledger.tombstones.barred([row])):
            # The lost document was found at its source, and recorded under another id since; or it is erased.
            row = None
        if row is None:
            self._forget(survivors.records, survivors.points)
            return None
        if row.content_hash is None and not survivors.records:
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
        here = self._workspace.ledger.documents.find(source=row.source, uris=[row.uri])
        return row.source in self._sources and all(other.document_id == row.document_id for other in here)

    def _blank(self, row: Document) -> Document:
        """The row as of a document that never was in the index, so that the sync reads it anew."""
        unsupported = row.source in self._configured and format_of(row.uri) is None
        if unsupported and row.document_id not in self._held:
            return replace(row, state=State.DELETED, deleted_at=self._workspace.now())
        return Document(row.document_id, row.source, row.uri, State.PENDING, first_seen_at=row.first_seen_at)

    def _absence_counts(self, source: str | None) -> bool:
        """Whether a document's absence there counts: the source has a plan without error, or is not
        configured."""
        if source is None or source not in self._configured:
            return True
        if source not in self._answers:
            self._answers[source] = plan_of(self._workspace, source).error is None
        return self._answers[source]

    # ── One document ──────────────────────────────────────────────────────────────────────────────────

    def _work(
        self, source: str, damaged: Sequence[tuple[Survivors, Document]], *, last: bool
    ) -> Iterator[Work]:
        items = [Item(Action.UPDATE, row.uri, row.document_id, cause=Cause.REPAIR) for _, row in damaged]
        known = known_documents(self._workspace, items)
        try:
            prepared = prepare_items(self._run, source, items, known).work
        except SourceUnavailable:
            self._answers[source] = False
            return
        for (survivors, row), work in zip(damaged, prepared, strict=False):
            match work:
                case NewVersion():
                    yield work
                case RowOnly(document) | NewMetadata(_, document, _):
                    yield self._salvaged(survivors, row, document)
                case _ if last or self._kept(row) or row.chunk_count <= len(survivors.chunks(row)):
                    yield self._salvaged(survivors, row, known[row.document_id])
                case _:
                    self._deferred.append(row.document_id)

    def _kept(self, row: Document) -> bool:
        """Whether a hold keeps the document that its source has lost. A hold whose row is lost is placed."""
        ledger, name = self._workspace.ledger, row.document_id
        if row.state is State.HELD and not ledger.holds.once_held([name]):
            now, reason = self._workspace.now(), "The former hold on it was lost."
            hold = Hold(hold_id(self._workspace.new_id()), HoldKind.DOCUMENT, "", "", reason, login(), now)
            facts = {"kind": hold.kind.value, "restored": 1}
            placed = LogEntry(now, LogAction.HOLD_PLACED, "", hold.hold_id, self._run.run_id, facts)
            ledger.holds.place(hold, [name], [placed])
            self._held.add(name)
        return name in self._held

    def _salvaged(self, survivors: Survivors, row: Document, now: Document) -> NewVersion:
        """The document as it is now, with the chunks that its payloads prove."""
        chunks = survivors.chunks(row)
        lost = row.chunk_count - len(chunks)
        if now.source in self._configured:
            now = governed(now, source_of(self._workspace, now.source).rules, self._workspace.now())
        if lost > 0:
            what = f"{lost} of {row.chunk_count} chunks of its text are lost."
            self.lost[row.document_id] = (
                f"{row.source}:{row.uri}: {what} The store has not kept them, nor can the source give them."
            )
            # Without the fingerprint the next sync reads it as a whole.
            now = replace(now, reason=f"{now.reason} {what}".lstrip(), extraction_fingerprint="")
            if now.state is State.INDEXED:
                now = replace(now, token=None, seen_extraction="")
        return NewVersion(Action.UPDATE, replace(now, chunk_count=len(chunks)), chunks)
