"""Orders to erase for tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from index.ledger import Erased, Ledger, LogAction, LogEntry, Order, OrderKind, Tombstone, subject

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
