"""Holds for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from index.ledger import Hold, HoldKind


def order(hold_id: str, at: datetime, reason: str = "lawsuit", **fields: Any) -> Hold:
    """A hold on documents that are named when it is placed, unless the fields say otherwise."""
    given = {"kind": HoldKind.DOCUMENT, "target": "", "source": "", **fields}
    return Hold(hold_id, reason=reason, placed_by="anna", placed_at=at, **given)
