"""The verb: an order is carried out, proved, and its receipt signed. See the page of the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.erase import receipt as receipts
from index.erase import traces as tracing
from index.erase.prove import prove
from index.erase.remove import ORDERS, remove, writer
from index.erase.target import NOT_COVERED
from index.errors import FreshkbError, Locked
from index.ledger import LogAction, LogEntry, Order, OrderState
from index.outcome import RunReport
from index.purge.purge import Place
from index.redact import redact
from index.run import Run


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


def carry_out_all(run: Run, order_ids: Sequence[str]) -> list[ErasureReport]:
    """Carry out these orders as one run, whose outcome is the worst of them."""
    with run:
        reports = [carry_out(run, order_id) for order_id in order_ids]
        found = {report.outcome for report in reports}
        worst = next(
            (outcome for outcome in ("interrupted", "failed", "refused") if outcome in found), "done"
        )
        errors = " ".join(report.error for report in reports if report.error)
        run.ends(worst, {"orders": len(reports), "done": sum(report.done for report in reports)}, errors)
    return reports


def finish_open(run: Run, report: RunReport) -> None:
    """Carry out the open orders after a run that writes; why one stays open is an error of its report, unless
    another process is at work on it."""
    workspace = run.workspace
    if report.interrupted:
        return
    for order in workspace.ledger.erasures.open():
        if run.stop.is_set():
            return
        done = carry_out(Run(workspace, "erase", stop=run.stop), order.order_id)
        if not (done.done or done.locked):
            said = f"Order {order.order_id} to erase is not carried out: {done.error}"
            report.error = f"{report.error} {said}" if report.error else said
    # Those of orders that are done stay behind when a process was killed just then.
    tracing.forget(workspace)


def _attempted(run: Run, order_id: str, since: int | None) -> ErasureReport:
    ledger = run.workspace.ledger

    def order() -> Order:
        found = ledger.erasures.get(order_id)
        assert found is not None
        return found

    places: list[Place] = []
    try:
        # One process at a time: another may have been at work on it.
        with writer(run, ORDERS):
            if order().state is not OrderState.OPEN:
                return ErasureReport(order(), receipt=receipts.path_of(run.workspace, order_id))
            kept, traces = remove(run, order(), since)
            if not run.stop.is_set():
                places, error = prove(run, traces)
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
