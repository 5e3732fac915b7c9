"""Make the index equal to its sources: survey, plan, carry the plan out batch by batch, remember.

The batches are carried out by a `BatchRunner`: in this thread, or by Prefect's flow and task runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from connectors.base import SourceUnavailable
from index.actor import login
from index.disk.scratch import clear
from index.errors import Locked
from index.ledger import LogAction, LogEntry
from index.model import REMOVALS, Action, State
from index.outcome import Counts, RunReport, SourceReport, in_words
from index.records import SourceRecord
from index.redact import redact
from index.run import Run
from index.sync.approval import check_approval
from index.sync.collection import count_points, retire
from index.sync.noted import noted
from index.sync.plan import Plan
from index.sync.recover import recover
from index.sync.settle import settle
from index.sync.source import chosen_sources
from index.sync.survey import Survey, forget_rules, survey
from index.sync.target import target_of
from index.sync.unasked import unasked
from index.workspace import Workspace

log = logging.getLogger("freshkb.sync")


class BatchRunner(Protocol):
    """Carries out the sources of a run, and the batches of each."""

    def source(self, name: str, turn: Callable[[], SourceReport]) -> SourceReport:
        """Take the turn of a source, which calls `batches` once it has a plan."""

    def batches(self, source: str, numbers: Sequence[int]) -> Iterator[Counts]:
        """Carry out these batches in order; the counts of each."""


class InProcess:
    """Carries everything out in the thread that calls it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def source(self, name: str, turn: Callable[[], SourceReport]) -> SourceReport:
        return turn()

    def batches(self, source: str, numbers: Sequence[int]) -> Iterator[Counts]:
        if not numbers:
            return
        # Not imported by the many runs that have nothing to do.
        from index.sync.batches import Batches

        with Batches(self._run, source, numbers) as batches:
            for number in numbers:
                yield batches.carry_out(number)


@dataclass(frozen=True, slots=True)
class Look:
    """Options of a survey. `folders` are those of one source that hints named; None is all of it."""

    approve: str | None = None
    by: str = ""
    """Name of the person who approves."""
    checksum: bool = False
    folders: Sequence[str] | None = None
    asked: bool = True
    """Whether the source is asked; else only what has expired is removed."""


def sync(
    run: Run,
    sources: Sequence[str] | None = None,
    *,
    approve: str | None = None,
    by: str = "",
    checksum: bool = False,
    folders: Sequence[str] | None = None,
    asked: bool = True,
    batches: BatchRunner | None = None,
) -> RunReport:
    """Sync these sources (None: all that are or were configured), as this run or as a part of it. Unless they
    are `asked`, only documents whose retention has ended are removed, by the ledger's rows.

    `by` is the person who approves the plan of the hash `approve`; "" is the login name. A source that
    another process writes is left out, and the report says so. Raises ConfigError for an unknown source;
    Locked when no source is left; PlanChanged, before anything is done, when `approve` names no present plan;
    StoreError and LedgerError when these fail.
    """
    workspace, report, runner = run.workspace, RunReport(run.run_id), batches or InProcess(run)
    look = Look(approve, by or login(), checksum, folders, asked)
    with recorded(run, report):
        chosen = chosen_sources(workspace, sources)
        clear(workspace.scratches)
        retire(workspace, run.run_id)
        if approve is not None:
            check_approval(workspace, chosen, approve)
        for source in chosen:
            report.sources.append(_sync_as_writer(run, source, look, runner))
            if run.stop.is_set():
                report.interrupted = True
                break
        if report.sources and all(done.locked for done in report.sources):
            raise Locked(" ".join(done.error or "" for done in report.sources))
    return report


def plan_of(workspace: Workspace, source: str, *, checksum: bool = False) -> Plan:
    """The plan of a sync now; nothing is written, and no lock is taken. Raises ConfigError for an unknown
    source."""
    (chosen,) = chosen_sources(workspace, [source])
    return survey(workspace, chosen, checksum=checksum).plan


# ── One source ────────────────────────────────────────────────────────────────────────────────────────


def _sync_as_writer(run: Run, source: str, look: Look, runner: BatchRunner) -> SourceReport:
    try:
        with run.workspace.ledger.writer(source, f"freshkb {run.kind}"):
            return runner.source(source, lambda: _sync_source(run, source, look, runner))
    except Locked as error:
        report = SourceReport(source, complete=False, error=str(error), locked=True)
        return with_states(run.workspace, report)


def _sync_source(run: Run, source: str, look: Look, runner: BatchRunner) -> SourceReport:
    planned = _plan(run, source, look)
    if planned.report.missing:
        # A document is missing in a hinted folder: only a listing of the whole source decides.
        planned = _plan(run, source, Look())
    report = planned.report
    run.begins(source, sum(planned.sizes))
    try:
        for size, counts in zip(planned.sizes, runner.batches(source, planned.numbers), strict=True):
            report.counts.add(counts)
            run.advances(size, counts)
            if run.stop.is_set():
                return with_states(run.workspace, report)
    except SourceUnavailable as error:
        # The source became unavailable meanwhile: sync the others.
        report.complete = False
        report.error = f"{redact(str(error))} What was done before is whole."
    else:
        _remember(run.workspace, planned)
        if look.asked and report.error is None and source in {s.id for s in run.workspace.config.sources}:
            report.findings += settle(run.workspace, source)
    return with_states(run.workspace, report)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A source's plan on record: its batches by number, with the documents of each."""

    report: SourceReport
    record: SourceRecord | None = None
    numbers: Sequence[int] = ()
    sizes: Sequence[int] = ()


def _plan(run: Run, source: str, look: Look) -> _Planned:
    """Recover from earlier runs, survey the source, and record the plan. The writer lock is held."""
    workspace, ledger = run.workspace, run.workspace.ledger
    if ledger.collections.current() is not None:
        recover(target_of(run), source, run.run_id)
    if look.asked:
        seen = survey(workspace, source, folders=look.folders, checksum=look.checksum, approved=look.approve)
    else:
        seen = Survey(unasked(workspace, source, look.approve))
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
        withheld=plan.withheld,
        findings=tuple(folder.reason for folder in seen.unlisted),
    )
    if plan.missing:
        return _Planned(report)
    if look.approve is not None and look.approve == plan.plan_hash:
        now, facts = workspace.now(), {"removals": sum(1 for _ in plan.of(*REMOVALS))}
        approved = LogEntry(now, LogAction.APPROVED, source, look.approve, run.run_id, facts)
        ledger.runs.approve(look.approve, source, run.run_id, now, [approved], look.by)
    rows, entries = noted(workspace, source, seen, run.run_id)
    if rows:
        ledger.documents.put(rows, entries)
    log.debug("%s: planned: %s.", source, in_words(plan.counts()))
    batches = plan.batches(workspace.sizes.batch_documents)
    if not batches:
        return _Planned(report, seen.record)
    forget_rules(workspace, source)
    ledger.runs.save_plan(run.run_id, source, plan.plan_hash or "", plan.counts(), batches)
    numbers = [number for number, owner in ledger.runs.batches(run.run_id) if owner == source]
    return _Planned(report, seen.record, numbers, [len(batch) for batch in batches])


def _remember(workspace: Workspace, planned: _Planned) -> None:
    """Record the source as it was surveyed, once everything planned was done; unless another source has taken
    its place meanwhile, in which the planned documents are merely missing."""
    report, record, now = planned.report, planned.record, workspace.now()
    if record is None:
        return
    try:
        identity = redact(workspace.connector(record.source).probe())
    except SourceUnavailable as error:
        report.complete = False
        report.error = f"{redact(str(error))} What was done before is whole."
        return
    if identity != record.identity:
        report.complete = False
        report.error = f"Source {record.source!r} was replaced while it was read. Sync it again."
        return
    workspace.ledger.sources.put(replace(record, listed_at=now, synced_at=now))


def with_states(workspace: Workspace, report: SourceReport) -> SourceReport:
    """The report with the documents of its source by state, as they are now."""
    report.by_state = workspace.ledger.documents.counts().get(report.source, {})
    return report


# ── The run ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def recorded(run: Run, report: RunReport) -> Iterator[None]:
    """Enter the run, and end it with the outcome of the report."""
    with run:
        yield
        _sum_up(run.workspace, report)
        report.error = " ".join(filter(None, (report.error, run.anchor()))) or None
        report.seconds = (run.workspace.now() - run.started_at).total_seconds()
        errors = "; ".join(e for e in (*(s.error for s in report.sources), report.error) if e)
        run.ends(report.outcome, report.json(), errors)


def _sum_up(workspace: Workspace, report: RunReport) -> None:
    """Total the index's documents and chunks by the ledger. A run that wrote also counts the store's
    points."""
    ledger = workspace.ledger
    counts = ledger.documents.counts().values()
    report.documents = sum(by_state.get(State.INDEXED, 0) for by_state in counts)
    # Quarantined documents with an older version are still found by it.
    report.documents += sum(1 for d in ledger.documents.find(states=[State.QUARANTINED]) if d.version)
    current = ledger.collections.current()
    if current is None:
        return
    report.chunks_total = ledger.chunks.count(current.name)
    if any(source.counts.chunks.total() for source in report.sources):
        stored, known = count_points(workspace, current.name)
        if stored < known:
            report.error = (
                f"The store holds {stored:,} points, and the ledger knows {known:,}: "
                "is it an older copy? Mend it with: freshkb verify --repair"
            )
