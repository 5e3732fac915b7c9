"""The verb: an order is carried out, proved, and its receipt signed. See the page of the package."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.erase import receipt as receipts
from index.erase import traces as tracing
from index.erase.kept import clear_scratch, is_report, remove_reports
from index.erase.phrases import KeyedPhrases
from index.erase.target import NOT_COVERED
from index.erase.traces import Traces
from index.errors import FreshkbError, Locked, StoreDamaged
from index.ledger import LogAction, LogEntry, Order, OrderKind, OrderState
from index.model import State
from index.purge.purge import Place, purge_places
from index.records import Collection as StoreCollection
from index.records import Document
from index.redact import redact
from index.run import Run
from index.search.find import find
from index.search.reader import Reader
from index.store.base import Filter
from index.sync.apply import apply
from index.sync.collection import retire
from index.sync.recover import recover
from index.sync.source import known_sources
from index.sync.target import target_of
from index.sync.work import Removal
from index.workspace import Workspace

COMMAND = "freshkb erase"

#: How long an order waits for a source that another process writes, and how often it asks.
PATIENCE_SECONDS = 30.0
_ASK_SECONDS = 0.2

#: Changes after which a document may hold a phrase that it did not hold before.
_WRITTEN = (LogAction.ADDED, LogAction.UPDATED, LogAction.INDEXED, LogAction.RESTORED, LogAction.QUARANTINED)


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """An order after an attempt to carry it out."""

    order: Order
    places: tuple[Place, ...] = ()
    not_covered: tuple[str, ...] = NOT_COVERED
    receipt: Path | None = None
    """The file of the receipt; None while the order is open."""
    error: str = ""
    """Why it is open."""
    locked: bool = False
    """Whether another process held what was needed."""
    interrupted: bool = False

    @property
    def done(self) -> bool:
        return self.order.state is not OrderState.OPEN

    @property
    def outcome(self) -> str:
        if self.interrupted:
            return "interrupted"
        return "done" if self.done else "refused" if self.locked else "failed"

    @property
    def exit_code(self) -> int:
        return {"interrupted": 130, "failed": 1, "refused": 4, "done": 0}[self.outcome]

    def json(self) -> dict[str, Any]:
        return {
            "order_id": self.order.order_id,
            "state": "done" if self.done else "pending",
            "documents": self.order.documents,
            "chunks": self.order.chunks,
            "places": [place.json() for place in self.places],
            "not_covered": list(self.not_covered),
            "receipt": str(self.receipt) if self.receipt else None,
            "error": self.error or None,
        }


def carry_out(run: Run, order_id: str, *, since: int | None = None) -> ErasureReport:
    """Carry out an open order, as this run or as a part of it. What fails leaves it open, and is in the
    report; another attempt goes on where this one ended.

    `since`: number of the log's last entry before the documents of a phrase were looked for, so that only
    what was written later is looked at again; None looks at all.
    """
    with run:
        report = _attempted(run, order_id, since)
        run.ends(report.outcome, report.json(), report.error)
    return report


def finish_open(run: Run) -> list[str]:
    """Carry out the open orders beside a run that writes. Returns sentences on those that stay open, unless
    another process is at work on them, or the run was asked to end."""
    workspace, left = run.workspace, list[str]()
    for order in workspace.ledger.erasures.open():
        if run.stop.is_set():
            break
        done = carry_out(Run(workspace, "erase", stop=run.stop), order.order_id)
        if not (done.done or done.locked or done.interrupted):
            left.append(f"Order {order.order_id} to erase is not carried out: {done.error}")
    tracing.forget(workspace)
    return left


def _attempted(run: Run, order_id: str, since: int | None) -> ErasureReport:
    ledger = run.workspace.ledger

    def order() -> Order:
        found = ledger.erasures.get(order_id)
        assert found is not None
        return found

    places: list[Place] = []
    try:
        kept, traces = _remove(run, order(), since)
        if not run.stop.is_set():
            places, error = _prove(run, order(), traces)
            if not error:
                path = _certify(run, order(), places, (*NOT_COVERED, *kept))
                tracing.forget(run.workspace)
                return ErasureReport(order(), tuple(places), (*NOT_COVERED, *kept), path)
            return ErasureReport(order(), tuple(places), error=error)
    except Locked as error:
        return ErasureReport(order(), tuple(places), error=str(error), locked=True)
    except (FreshkbError, OSError) as error:
        return ErasureReport(order(), tuple(places), error=redact(str(error)))
    return ErasureReport(order(), error="Interrupted.", interrupted=True)


# ── Removed ───────────────────────────────────────────────────────────────────────────────────────────


def _remove(run: Run, order: Order, since: int | None) -> tuple[list[str], Traces | None]:
    """Delete points and rows. Returns sentences on what stays, and the traces; None where they are lost."""
    workspace, ledger = run.workspace, run.workspace.ledger
    current, kept = workspace.readable(), list[str]()
    with ExitStack() as locks:
        if order.kind is OrderKind.PHRASE:
            kept += _with_phrase(run, order, since)
        locked: set[str] = set()
        while more := sorted(_sources(workspace, order) - locked):
            for source in more:
                locks.enter_context(_writer(run, source))
                if current is not None:
                    recover(target_of(run, current), source, run.run_id)
            locked.update(more)
            # A run in flight may have written the same bytes elsewhere, before it ended.
            kept += _joined(workspace, order, ledger.erasures.documents(order.order_id))
        if current is not None:
            retire(workspace, run.run_id)
        found = list(
            ledger.documents.find(
                document_ids=ledger.erasures.documents(order.order_id), states=[State.ERASED]
            )
        )
        traces = _traces(workspace, order, current, found)
        if current is not None and found:
            _delete(run, current, found)
            _read_back(workspace, current, found, traces)
        ledger.erasures.reduce(order.order_id)
    return list(dict.fromkeys(kept)), traces


def _sources(workspace: Workspace, order: Order) -> set[str]:
    """The sources of the order's documents, and of changes under way that it forbids."""
    ids = set(workspace.ledger.erasures.documents(order.order_id))
    found = workspace.ledger.documents.find(document_ids=ids, states=[State.ERASED])
    flying = [intent.document for _, _, intent in workspace.ledger.points.intents()]
    barred = workspace.ledger.erasures.barred(flying)
    return {d.source for d in found} | {d.source for d in flying if d.document_id in barred}


@contextmanager
def _writer(run: Run, source: str) -> Iterator[None]:
    """The writer lock of a source, waited for. Raises Locked when it is not free in time."""
    until = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as lock:
        while True:
            try:
                lock.enter_context(run.workspace.ledger.writer(source, COMMAND))
                break
            except Locked as error:
                if time.monotonic() > until or run.stop.wait(_ASK_SECONDS):
                    said = str(error).partition("; nothing was done.")[0]
                    raise Locked(
                        f"{said}. The order is in force: its documents are out of search, and nothing of "
                        "them is written. It is carried out by the next erase, purge or sync."
                    ) from error
        yield


def _joined(workspace: Workspace, order: Order, document_ids: Collection[str]) -> list[str]:
    """Put documents under the order, as far as no hold keeps them. Returns sentences on those that stay."""
    _, stay = workspace.ledger.erasures.join(order.order_id, document_ids)
    if not stay:
        return []
    count = "A document" if len(stay) == 1 else f"{len(stay):,} documents"
    return [f"{count} with the same content, which a legal hold keeps."]


def _with_phrase(run: Run, order: Order, since: int | None) -> list[str]:
    """Wait for runs that may have read a text before its phrase was suppressed, and put what they wrote under
    the order."""
    workspace, ledger = run.workspace, run.workspace.ledger
    for source in known_sources(workspace):
        with _writer(run, source):
            pass
    phrases = KeyedPhrases(ledger.erasures.keys(), ledger.erasures.of(order.order_id))
    written = None if since is None else ledger.log.subjects_since(since, _WRITTEN)
    if not phrases or written == set():
        return []
    found = find(Reader(workspace), phrases, document_ids=written)
    kept: list[str] = []
    for one in list(found):
        kept += _joined(workspace, order, [one.document.document_id])
    return kept


def _traces(
    workspace: Workspace, order: Order, current: StoreCollection | None, found: Sequence[Document]
) -> Traces | None:
    """The traces of the order with their control: kept ones, or those of what is still there."""
    kept = tracing.kept(workspace, order.order_id, order.trace_key) if order.trace_key else None
    if kept is not None or not found:
        return kept
    traces = tracing.gather(workspace, current, found)
    held = tracing.search(workspace, traces)
    traces.control = tracing.counted(held)
    tracing.keep(workspace, order.order_id, traces)
    return traces


def _delete(run: Run, current: StoreCollection, found: Sequence[Document]) -> None:
    now = run.workspace.now()
    gone = [Removal(replace(d, state=State.ERASED, deleted_at=now, chunk_count=0, reason="")) for d in found]
    apply(target_of(run, current), run.run_id, gone, lambda _: [])


def _read_back(
    workspace: Workspace, current: StoreCollection, found: Sequence[Document], traces: Traces | None
) -> None:
    """Ask the store in two other ways than by ids, which `apply` has done. Raises StoreDamaged."""
    ids = tuple(document.document_id for document in found)
    with workspace.store.session(current.name) as session:
        left = session.count(Filter(document_ids=ids))
        for vector in traces.queries if traces else ():
            hits = session.search(mode="dense", dense=vector, sparse=None, limit=5, where=Filter())
            left += sum(hit.point.payload.get("doc_id") in ids for hit in hits)
    if left:
        raise StoreDamaged(
            f"The store still finds {left} points of erased documents by their document or by their vectors. "
            "Mend it with: freshkb verify --repair"
        )


# ── Proved ────────────────────────────────────────────────────────────────────────────────────────────


def _prove(run: Run, order: Order, traces: Traces | None) -> tuple[list[Place], str]:
    """Purge every place, and search all files again. Returns the places, and why it is no proof; "" when it
    is."""
    workspace = run.workspace
    purged = purge_places(run)
    if purged.outcome != "done":
        why = " ".join(purged.errors) or "The purge was interrupted."
        return list(purged.places), why
    scratch = clear_scratch(workspace)
    held = tracing.search(workspace, traces) if traces else {}
    reports = remove_reports(workspace, held)
    held = {path: names for path, names in held.items() if not is_report(workspace, path)}
    if traces is not None and held:
        names = set().union(*held.values())
        stay = tracing.staying(workspace, traces, names)
        held = {path: left for path, found in held.items() if (left := found - stay)}
    places = [_place(workspace, place, traces) for place in purged.places]
    places += [reports, scratch, _log_place()]
    if not held:
        return places, ""
    shown = ", ".join(sorted(path.name for path in held)[:5])
    count = "A file" if len(held) == 1 else f"{len(held):,} files"
    return places, (
        f"{count} of {workspace.config.state_dir} may hold a piece of what was erased: {shown}. Remove what "
        "is no part of the index, and run: freshkb erase"
    )


def _place(workspace: Workspace, place: Place, traces: Traces | None) -> Place:
    """The place with what the search of its files has shown."""
    if place.place == "store":
        seen = workspace.store.kind == "edge"
        said = f"The points were deleted by id and read back absent by id and by document. {place.evidence}"
    else:
        seen = bool(workspace.ledger.files)
        said = (
            "Rows of the documents were deleted, with reviews, plans and what records of runs said of them; "
            f"keyed hashes stay. {place.evidence}"
        )
    return Place(place.place, place.claim, f"{said} {_searched(place.place, traces)}" if seen else said)


def _searched(place: str, traces: Traces | None) -> str:
    if traces is None:
        return "Its files were not searched: the order was interrupted, and its traces were lost."
    control = traces.control or {}
    kinds = ("texts", "vectors", "ids") if place == "store" else ("names",)
    nouns = {"texts": "texts", "vectors": "vectors", "ids": "ids", "names": "paths and titles"}
    looked = ", ".join(f"{traces.owners(kind):,} {nouns[kind]}" for kind in kinds)
    found = ", ".join(f"{control.get(kind, 0):,}" for kind in kinds)
    return (
        f"All files of the state folder were searched for pieces of {looked}: before, {found} of them were "
        "found; afterwards none, but for pieces that documents which stay have, too."
    )


def _log_place() -> Place:
    said = (
        "Entries of the log have keyed hashes in the places of the documents' ids; records of runs have ids "
        "and counts."
    )
    return Place("log", "purged", said)


# ── Certified ─────────────────────────────────────────────────────────────────────────────────────────


def _certify(run: Run, order: Order, places: Sequence[Place], not_covered: Sequence[str]) -> Path:
    """Put the end of the order on record, and sign its receipt. Returns its file."""
    workspace, log = run.workspace, run.workspace.ledger.log
    now = workspace.now()
    if not (said := log.of(order.order_id, [LogAction.ERASURE_DONE])):
        facts: dict[str, int | str] = {
            "order": order.order_id,
            "documents": order.documents,
            "chunks": order.chunks,
        }
        log.append([LogEntry(now, LogAction.ERASURE_DONE, "", order.order_id, run.run_id, facts)])
        said = log.of(order.order_id, [LogAction.ERASURE_DONE])
    sequence = said[-1].sequence
    assert sequence is not None
    text = receipts.issued(workspace, order, sequence, places, not_covered, now)
    workspace.ledger.erasures.finish(order.order_id, text, now)
    return receipts.keep(workspace, order.order_id, text)
