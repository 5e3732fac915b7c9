"""A legal hold: an order not to remove documents, and the documents that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from connectors.base import Patterns
from index.freshness.owners import fold, folded


class HoldKind(StrEnum):
    DOCUMENT = "document"
    PATTERN = "pattern"
    SOURCE = "source"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Hold:
    """An order not to remove the documents that it was placed on, nor those that come to match it."""

    hold_id: str
    kind: HoldKind
    target: str
    """The pattern, the source or the owner; "" for documents, which the ledger lists."""
    source: str
    """The only source that it covers; "" for all."""
    reason: str
    placed_by: str
    placed_at: datetime
    matter: str = ""
    """The number of the matter."""
    until: datetime | None = None
    """The instant at which it ends by itself."""
    released_at: datetime | None = None
    released_by: str = ""
    release_reason: str = ""

    def stands(self, now: datetime) -> bool:
        """Whether it is neither released nor over."""
        return self.released_at is None and (self.until is None or now < self.until)

    def covers(self, source: str, uri: str, owners: Sequence[str]) -> bool:
        """Whether a document matches it. A hold on documents matches no other."""
        if self.source not in ("", source):
            return False
        match self.kind:
            case HoldKind.DOCUMENT:
                return False
            case HoldKind.SOURCE:
                return True
            case HoldKind.OWNER:
                return fold(self.target) in folded(owners)
            case HoldKind.PATTERN:
                return _patterns(self.target).match(uri)


#: Digits and capital letters that are not taken for one another.
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def hold_id(unique: str) -> str:
    """A short id made of a random UUID, as in ``H-7K3QM9X``."""
    return short_id("H", unique)


def short_id(prefix: str, unique: str) -> str:
    """An id that people can read out, of 35 bits of a random UUID."""
    bits = UUID(unique).int >> 93
    return f"{prefix}-" + "".join(_SIGNS[bits >> shift & 31] for shift in range(30, -1, -5))


@lru_cache(64)
def _patterns(pattern: str) -> Patterns:
    return Patterns([pattern])
