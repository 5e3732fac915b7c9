"""Orders placed and lifted."""

from __future__ import annotations

import secrets
from pathlib import Path

from index.actor import login
from index.erase import reveal as reveals
from index.erase.target import NOTHING, Target, chosen, phrases_of
from index.errors import ConfigError, Refused
from index.ledger import (
    Erased,
    HeldBack,
    LogAction,
    LogEntry,
    Order,
    OrderKind,
    OrderState,
    Tombstone,
    TombstoneKind,
    order_id,
    subject,
)
from index.model import rfc3339
from index.workspace import Workspace

#: Bytes of the salt of a receipt.
SALT_BYTES = 32
#: Holds that a message names.
_NAMED_MAX = 5


def place(
    workspace: Workspace, target: Target, reason: str, *, by: str = "", reveal: Path | None = None
) -> Order:
    """Place an order to erase these documents and all that have the same bytes, by the login name unless `by`
    names another person. The reason is kept in the file `reveal`, with the salt of the receipt, and nowhere
    else.

    Raises ConfigError as `index.erase.target.chosen` does, for a blank reason, and for a reveal file that is
    there already; Refused when a hold stands on one of them, which is logged. Then nothing was erased.
    """
    if not reason.strip():
        raise ConfigError(f"An erasure needs a reason: --reason TEXT. {NOTHING}")
    ledger, documents = workspace.ledger, chosen(workspace, target)
    order = Order(order_id(workspace.new_id()), target.kind, by.strip() or login(), workspace.now())
    salt, written = secrets.token_bytes(SALT_BYTES), False

    def digest(document: Erased) -> str:
        return subject(salt, document.source, document.uri)

    def entries(placed: Order) -> list[LogEntry]:
        facts = {"kind": placed.kind.value, "documents": placed.documents}
        return [LogEntry(placed.placed_at, LogAction.ERASURE_ORDERED, "", placed.order_id, facts=facts)]

    ids = [document.document_id for document in documents]
    try:
        with ledger.erasures.placing(
            order, ids, entries, digest, standing=_phrases(workspace, target)
        ) as found:
            if reveal is not None:
                reveals.write(reveal, order.order_id, salt, order.placed_by, reason.strip(), found)
                written = True
    except HeldBack as error:
        raise _refused(workspace, error.document_ids) from None
    except BaseException:
        if written and reveal is not None:
            reveal.unlink(missing_ok=True)
        raise
    placed = ledger.erasures.get(order.order_id)
    assert placed is not None
    return placed


def lift(workspace: Workspace, name: str, reason: str, *, by: str = "") -> Order:
    """Take back the tombstones of an order that is done: the next sync indexes what its sources still hold.

    Raises ConfigError for a blank reason, an unknown order, and one that is open or lifted already.
    """
    now, ledger = workspace.now(), workspace.ledger
    if not reason.strip():
        raise ConfigError("To lift an order needs a reason: --reason TEXT. Nothing was lifted.")
    found = ledger.erasures.get(name) or ledger.erasures.get(name.upper())
    if found is None:
        raise ConfigError(f"There is no order {name!r}. See: freshkb receipts list")
    entry = LogEntry(now, LogAction.ERASURE_LIFTED, "", found.order_id)
    if not ledger.erasures.lift(found.order_id, by.strip() or login(), reason.strip(), now, [entry]):
        if found.state is OrderState.OPEN:
            said = "is not carried out yet; carry it out with: freshkb erase"
        else:
            said = f"was lifted at {rfc3339(found.lifted_at)}"
        raise ConfigError(f"Order {found.order_id} {said}. Nothing was lifted.")
    return ledger.erasures.get(found.order_id) or found


def _phrases(workspace: Workspace, target: Target) -> list[Tombstone]:
    if target.kind is not OrderKind.PHRASE:
        return []
    keys = workspace.ledger.tombstones.keys()
    return [
        Tombstone(keys.phrase(words), TombstoneKind.PHRASE, len(words.split()))
        for words in phrases_of(target).folded
    ]


def _refused(workspace: Workspace, document_ids: list[str]) -> Refused:
    """Put the attempt on record. The error names the holds."""
    ledger, now = workspace.ledger, workspace.now()
    holds = ledger.holds.of(document_ids)
    ledger.log.append(
        [
            LogEntry(now, LogAction.ERASURE_REFUSED, "", document_id, facts={"hold": own[0].hold_id})
            for document_id, own in holds.items()
        ]
    )
    named = list(dict.fromkeys(hold.hold_id for own in holds.values() for hold in own))
    more = f" and {len(named) - _NAMED_MAX:,} more" if len(named) > _NAMED_MAX else ""
    count = "A document" if len(document_ids) == 1 else f"{len(document_ids):,} documents"
    return Refused(
        f"{count} of this erasure cannot be erased while a legal hold stands: {', '.join(named[:_NAMED_MAX])}"
        f"{more}. {NOTHING} See: freshkb hold list. The attempt was logged."
    )
