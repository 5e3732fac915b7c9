"""Make the index equal to its sources: survey, plan, apply batch by batch, remember.

`Sync` is one run; `Sync.run` drives it from one thread. The Prefect flow drives the same steps, with a task
for each batch. While one batch is embedded and written, the next one is fetched, parsed and chunked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from connectors.base import SourceUnavailable
from index.apply import Target, apply
from index.approval import check_approval
from index.collection import ensure, retire
from index.errors import Locked
from index.ledger import LogAction, LogEntry
from index.mirror import Mirror
from index.model import Action, Collection, Document, Item, SourceRecord, State, Vectors
from index.origin import chosen_sources, source_of
from index.outcome import Progress, Quiet, Report, Seconds, SourceReport, Tally, in_words
from index.plan import Plan
from index.prepare import Gone, Work, prepare
from index.recover import recover
from index.redact import redact
from index.run import Run
from index.scan import forget_rules, noted, survey
from index.scratch import clear

log = logging.getLogger("freshkb.sync")


class Sync:
    """One run over some sources. Steps of one source: `plan`, `apply` for each batch, `finish`.

    `run`: the run that it is a part of, as a repair's sync is; else it is one of its own, of this `kind`.
    """

    def __init__(
        self,
        mirror: Mirror,
        *,
        kind: str = "sync",
        progress: Progress | None = None,
        stop: threading.Event | None = None,
        run: Run | None = None,
    ) -> None:
        self.mirror = mirror
        self.record = run or Run(mirror, kind)
        self.kind = self.record.kind
        self.run_id = self.record.run_id
        self.progress = progress or Quiet()
        self.stop = stop or threading.Event()
        self._records: dict[str, SourceRecord | None] = {}

    # ── The whole run ─────────────────────────────────────────────────────────────────────────────────

    def run(
        self,
        sources: Sequence[str] | None = None,
        *,
        approve: str | None = None,
        checksum: bool = False,
        folders: Sequence[str] | None = None,
    ) -> Report:
        """Sync these sources (None: all that are or were configured), and record the run.

        A source that another process writes is left out, and the report says so. Raises ConfigError for a
        source that there is not; Locked when no source is left; PlanChanged, before anything is done, when
        `approve` names no plan of now; StoreError and LedgerError when these fail.
        """
        report = Report(self.run_id)
        with self.recorded(report):
            chosen = chosen_sources(self.mirror, sources)
            clear(self.mirror.scratches)
            retire(self.mirror, self.run_id)
            if approve is not None:
                check_approval(self.mirror, chosen, approve)
            for source in chosen:
                report.sources.append(self._as_writer(source, approve, checksum, folders))
                if self.stop.is_set():
                    report.interrupted = True
                    break
            if report.sources and all(done.locked for done in report.sources):
                raise Locked(" ".join(done.error or "" for done in report.sources))
        return report

    def _as_writer(
        self, source: str, approve: str | None, checksum: bool, folders: Sequence[str] | None
    ) -> SourceReport:
        try:
            with self.mirror.ledger.writer(source, f"freshkb {self.kind}"):
                return self._run_source(source, approve, checksum, folders)
        except Locked as error:
            return self.finish(SourceReport(source, complete=False, error=str(error), locked=True))

    def _run_source(
        self, source: str, approve: str | None, checksum: bool, folders: Sequence[str] | None
    ) -> SourceReport:
        report, batches = self.plan(source, approve=approve, checksum=checksum, folders=folders)
        if report.missing:
            # Something is not where a hint made us look: only the whole source shows what became of it.
            report, batches = self.plan(source)
        self.begins(source, sum(map(len, batches)))
        try:
            for batch, tally in zip(batches, self._pipeline(source, batches), strict=True):
                report.tally.add(tally)
                self.advances(len(batch), tally)
                if self.stop.is_set():
                    return self.finish(report, whole=False)
        except SourceUnavailable as error:
            # It went away under our hands, which is no reason not to sync the others.
            report.complete = False
            report.error = f"{redact(str(error))} What was done before is whole."
            return self.finish(report, whole=False)
        return self.finish(report)

    def _pipeline(self, source: str, batches: Sequence[Sequence[Item]]) -> Iterator[Tally]:
        """Apply the batches in order, preparing each while the one before it is written."""
        if not batches:
            return
        target = self.target()
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as ahead:
            pending, seconds = self.ahead(ahead, source, batches[0])
            for number in range(len(batches)):
                work, taken = pending.result(), seconds
                if number + 1 < len(batches):
                    pending, seconds = self.ahead(ahead, source, batches[number + 1])
                tally = apply(target, self.run_id, work)
                tally.seconds.add(taken)
                yield tally

    def ahead(
        self, pool: ThreadPoolExecutor, source: str, batch: Sequence[Item]
    ) -> tuple[Future[list[Work]], Seconds]:
        """A batch that is prepared in another thread, and what that will have taken."""
        seconds = Seconds()
        return pool.submit(self.prepare, source, batch, self.known(batch), seconds), seconds

    # ── The steps of one source ───────────────────────────────────────────────────────────────────────

    def plan(
        self,
        source: str,
        *,
        approve: str | None = None,
        checksum: bool = False,
        folders: Sequence[str] | None = None,
    ) -> tuple[SourceReport, list[tuple[Item, ...]]]:
        """Mend what an earlier run left, survey the source, and record the plan. The writer lock is held."""
        mirror, ledger = self.mirror, self.mirror.ledger
        if ledger.collections.current() is not None:
            recover(self.target(), source, self.run_id)
        seen = survey(mirror, source, folders=folders, checksum=checksum, approved=approve)
        plan = seen.plan
        report = SourceReport(
            source=source,
            complete=plan.complete,
            unchanged=plan.unchanged,
            refused=plan.count(Action.REFUSE),
            plan_hash=plan.plan_hash,
            error=plan.error,
            reasons=tuple(sorted({item.reason for item in plan.of(Action.REFUSE)})),
            missing=plan.missing,
            findings=tuple(folder.reason for folder in seen.unlisted),
        )
        if plan.missing:
            return report, []
        if approve is not None and approve == plan.plan_hash:
            now, facts = mirror.now(), {"removals": plan.count(Action.DELETE)}
            approved = LogEntry(now, LogAction.APPROVED, source, approve, self.run_id, facts)
            ledger.runs.approve(approve, source, self.run_id, now, [approved])
        rows, entries = noted(mirror, source, seen, self.run_id)
        if rows:
            ledger.documents.put(rows, entries)
        self._records[source] = seen.record
        batches = plan.batches()
        log.debug("%s: planned: %s.", source, in_words(plan.counts()))
        if batches:
            forget_rules(mirror, source)
            ledger.runs.save_plan(self.run_id, source, plan.plan_hash or "", plan.counts(), batches)
        return report, batches

    def known(self, batch: Sequence[Item]) -> dict[str, Document]:
        """The ledger's rows of a batch, each with its last review."""
        ids, ledger = [item.document_id for item in batch], self.mirror.ledger
        reviews = ledger.reviews.of(ids)
        rows = ledger.documents.find(document_ids=ids)
        return {
            d.document_id: replace(d, reviewed_at=own[-1].at if (own := reviews.get(d.document_id)) else None)
            for d in rows
        }

    def prepare(
        self,
        source: str,
        batch: Sequence[Item],
        known: dict[str, Document],
        seconds: Seconds | None = None,
    ) -> list[Work]:
        """Fetch, parse and chunk a batch; what each took is added to `seconds`. `known` holds the ledger's
        rows, read by the caller, so that this may run in another thread than the one that writes the ledger.
        Once `stop` is set the rest of the batch is left to the next run."""
        if source not in {s.id for s in self.mirror.config.sources}:
            return [_removal(known[item.document_id], self.mirror) for item in batch]
        parts = source_of(self.mirror, source, seconds)
        work = []
        for item in batch:
            if not self.stop.is_set():
                work.append(prepare(item, known.get(item.document_id), parts))
                made = type(work[-1]).__name__.lower()
                log.debug("%s: document %s: %s, %s.", source, item.document_id, item.action, made)
        return work

    def finish(self, report: SourceReport, *, whole: bool = True) -> SourceReport:
        """Remember the source as it was seen, once everything planned was done."""
        ledger, now = self.mirror.ledger, self.mirror.now()
        record = self._records.pop(report.source, None)
        if whole and record is not None and self._is_still(report, record):
            ledger.sources.put(replace(record, listed_at=now, synced_at=now))
        report.standing = ledger.documents.counts().get(report.source, {})
        return report

    def _is_still(self, report: SourceReport, record: SourceRecord) -> bool:
        """Whether the source is what it was when it was listed. In another one, documents that were to be
        read are merely not there."""
        try:
            identity = redact(self.mirror.connector(record.source).probe())
        except SourceUnavailable as error:
            report.complete = False
            report.error = f"{redact(str(error))} What was done before is whole."
            return False
        if identity != record.identity:
            report.complete = False
            report.error = f"Source {record.source!r} was replaced while it was read. Sync it again."
        return identity == record.identity

    def target(self) -> Target:
        return self.target_of(ensure(self.mirror, self.run_id))

    def target_of(self, collection: Collection) -> Target:
        mirror = self.mirror

        def embed(texts: Sequence[str]) -> list[Vectors]:
            return mirror.embed(collection, texts, self.progress.chunks)

        return Target(mirror.ledger, mirror.store, collection, embed, mirror.now)

    # ── The run's record ──────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def recorded(self, report: Report) -> Iterator[None]:
        """The run is on record from here on, and ends as the report says."""
        with self.record:
            yield
            self._sum_up(report)
            report.seconds = (self.mirror.now() - self.record.started_at).total_seconds()
            errors = "; ".join(e for e in (*(s.error for s in report.sources), report.error) if e)
            self.record.ends(report.outcome, report.json(), errors)

    def begins(self, source: str, documents: int) -> None:
        """Tell everybody that so many documents of a source are to be done."""
        self.progress.source(source, documents)
        self.record.begins(source, documents)

    def advances(self, documents: int, tally: Tally) -> None:
        """Tell everybody that a batch of so many documents is done, and what it came to."""
        self.progress.documents(documents)
        self.record.advances(documents)
        log.info("%s: %s", self.record.progress, tally)

    def _sum_up(self, report: Report) -> None:
        """What the index holds by now, as the ledger has it. A run that wrote counts in the store, too."""
        ledger = self.mirror.ledger
        counts = ledger.documents.counts().values()
        report.documents = sum(by_state.get(State.INDEXED, 0) for by_state in counts)
        # What failed in its newest version is still found by an older one.
        report.documents += sum(1 for d in ledger.documents.find(states=[State.QUARANTINED]) if d.version)
        current = ledger.collections.current()
        if current is None:
            return
        known = report.chunks_total = ledger.chunks.count(current.name)
        if any(source.tally.chunks.total() for source in report.sources):
            with self.mirror.store.session(current.name) as session:
                stored = session.count()
            # Others may have written meanwhile: what is committed is in the store before and until after.
            if stored < min(known, ledger.chunks.count(current.name)):
                report.error = (
                    f"The store holds {stored:,} points, and the ledger knows {known:,}: "
                    "is it an older copy? Mend it with: freshkb verify --repair"
                )


def _removal(known: Document, mirror: Mirror) -> Work:
    """Of a document whose source is no longer configured: there is nothing to ask."""
    return Gone(replace(known, state=State.DELETED, deleted_at=mirror.now(), chunk_count=0, reason=""))


def plan(mirror: Mirror, source: str, *, checksum: bool = False) -> Plan:
    """What a sync would do now; nothing is written, and no lock is taken. Raises ConfigError for a source
    that there is not."""
    (chosen,) = chosen_sources(mirror, [source])
    return survey(mirror, chosen, checksum=checksum).plan
