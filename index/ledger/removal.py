"""A removal: a point that was committed or intended, and that must not be in the store any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RemovalState(StrEnum):
    """present → absent → purged. A purged removal has no row any more."""

    PRESENT = "present"
    """The store may still hold the point."""
    ABSENT = "absent"
    """The store has proved that it does not hold the point. Bytes of it may still lie in its files."""


@dataclass(frozen=True, slots=True)
class PointRemoval:
    """A point whose bytes are to be purged."""

    point_id: str
    document_id: str
    absent_at: datetime | None
    """The time of the store's proof; None where it was not recorded."""
