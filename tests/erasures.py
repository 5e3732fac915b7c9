"""Orders to erase for tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from index.ledger import Erased, Ledger, LogAction, LogEntry, Order, OrderKind, Tombstone, subject
from index.model import State
from index.run import Run
from index.sync.apply import apply
from index.sync.recover import recover
from index.sync.target import target_of
from index.sync.work import Removal
from index.workspace import Workspace

#: Of the receipts' subjects.
SALT = b"salt"


def digest(document: Erased) -> str:
    return subject(SALT, document.source, document.uri)


def placed(
    ledger: Ledger,
    order_id: str,
    document_ids: Collection[str],
    at: datetime,
    *,
    standing: Collection[Tombstone] = (),
    entries: Sequence[LogEntry] | None = None,
) -> list[Erased]:
    """Place an order on these documents. Returns all that it covers."""
    made = Order(order_id, OrderKind.DOCUMENT, "anna", at)

    def said(order: Order) -> Sequence[LogEntry]:
        if entries is not None:
            return entries
        return [LogEntry(at, LogAction.ERASURE_ORDERED, "", order.order_id)]

    with ledger.erasures.placing(made, document_ids, said, digest, standing=standing) as found:
        return found


def carried_out(workspace: Workspace, order_id: str) -> None:
    """Remove the documents of an order from store and ledger, and end it, without any proof."""
    run, ledger = Run(workspace, "erase"), workspace.ledger
    with run:
        target = target_of(run)
        found = list(
            ledger.documents.find(document_ids=ledger.erasures.documents(order_id), states=[State.ERASED])
        )
        for source in {document.source for document in found}:
            recover(target, source, run.run_id)
        apply(target, run.run_id, [Removal(replace(d, chunk_count=0)) for d in found], lambda _: [])
        ledger.erasures.reduce(order_id)
        ledger.erasures.finish(order_id, "{}", workspace.now())
        run.ends("done", {}, "")
