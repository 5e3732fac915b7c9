"""An order to erase documents: an instruction of a person, from the moment it is durable."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from index.ledger.hold import short_id


class OrderKind(StrEnum):
    """By what its documents were named."""

    DOCUMENT = "document"
    PATTERN = "pattern"
    OWNER = "owner"
    PHRASE = "phrase"


class OrderState(StrEnum):
    OPEN = "open"
    """It is in force, and not proved to be carried out."""
    DONE = "done"
    """It was carried out, and its receipt was written. Its tombstones stand."""
    LIFTED = "lifted"
    """Its tombstones stand no more."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the ledger records it: no path, no title, no owner and no reason of it."""

    order_id: str
    kind: OrderKind
    placed_by: str
    placed_at: datetime
    state: OrderState = OrderState.OPEN
    documents: int = 0
    chunks: int = 0
    subjects: Sequence[str] = field(default_factory=list)
    """A keyed hash for each document, as `subject` makes it under a salt that is not on record."""
    trace_key: str = ""
    """Of an open one: the key, in hex, that its traces are encrypted with; "" before there are any."""
    done_at: datetime | None = None
    receipt: str = ""
    """The signed receipt; "" before it is done."""
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lift_reason: str = ""


#: How the reason begins of a row whose newest version an order keeps out.
WITHHELD = "withheld by order "


def withheld_by(order_id: str) -> str:
    """The reason of such a row; more words may follow it.

    >>> withheld_by("E-7K3QM9X")
    'withheld by order E-7K3QM9X'
    """
    return f"{WITHHELD}{order_id}"


def order_id(unique: str) -> str:
    """A short id made of a random UUID, as in ``E-7K3QM9X``."""
    return short_id("E", unique)


def subject(salt: bytes, source: str, uri: str) -> str:
    """HMAC-SHA256 of ``source:uri`` under the salt, in hex: it shows which document it was to whoever has the
    salt, and to nobody else."""
    return hmac.digest(salt, f"{source}:{uri}".encode("utf-8", "surrogatepass"), "sha256").hex()
