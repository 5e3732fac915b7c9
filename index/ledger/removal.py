"""A removal: a point that was committed or intended, and that must not be in the store any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RemovalState(StrEnum):
    """present → absent → purged. A purged one has no row any more."""

    PRESENT = "present"
    """The store may still hold the point."""
    ABSENT = "absent"
    """The store has proved that it does not. Bytes of it may still lie in its files."""


@dataclass(frozen=True, slots=True)
class PointRemoval:
    """One point whose bytes are to be purged."""

    point_id: str
    document_id: str
    absent_at: datetime | None
    """When the store proved it; None where that was not recorded."""
