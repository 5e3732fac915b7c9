"""Precedence: hold, erasure, retention, deletion at the source. The first of them that applies to a document
decides its fate."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """The fate of a document."""

    KEPT = "kept"
    """Nothing asks for its removal."""
    HELD = "held"
    """Its removal is asked for, and a hold forbids it."""
    ERASED = "erased"
    EXPIRED = "expired"
    DELETED = "deleted"


def fate(*, held: bool = False, ordered: bool = False, expired: bool = False, absent: bool = False) -> Fate:
    """The fate of a document. `held`: a hold stands on it; `ordered`: an order to erase it does. `expired`:
    its retention has ended. `absent`: its source no longer has it.

    >>> fate(held=True, ordered=True)
    <Fate.HELD: 'held'>
    """
    if held and (ordered or expired or absent):
        return Fate.HELD
    if ordered:
        return Fate.ERASED
    if expired:
        return Fate.EXPIRED
    return Fate.DELETED if absent else Fate.KEPT
