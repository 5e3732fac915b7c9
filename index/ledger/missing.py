"""A ledger that is missing while there is an index that belongs to it. None is made in its place: it would
know no hold and no order to erase, and what was erased would be back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from index.errors import LedgerDamaged


class Left(NamedTuple):
    """An index that was found where there is no ledger."""

    place: str
    """The embedded store's folder, or the address of a server."""
    collection: str = ""
    """A collection of the server; "" for the embedded store, all of which is one knowledge base's."""


def how(path: Path) -> str:
    """What the file at this path lacks to be a ledger: "" when it may be one."""
    if not path.exists():
        return "is missing"
    return "is empty" if path.stat().st_size == 0 else ""


def missing(ledger: str, lacks: str, left: Left, *, on_sqlite: bool) -> LedgerDamaged:
    """LedgerDamaged with what to do. A repair makes a new ledger only beside an embedded store: a server may
    hold the index of another knowledge base, and a database may be the wrong one."""
    setting = "state_dir" if on_sqlite else "ledger"
    anew = "make both anew from the sources, which know neither holds nor reviews"
    if left.collection:
        return LedgerDamaged(
            f"The ledger {ledger} {lacks}, and there is an index already: collection {left.collection!r} on "
            f"{left.place}. Nothing was changed. Where that is another knowledge base's, give this one a "
            f"name of its own (index.collection). Where it is this one's, set {setting} to where its ledger "
            "is. If the ledger is lost, drop that collection there, and restore a backup. Without one, "
            f"{anew}, with: freshkb sync"
        )
    if on_sqlite:
        return LedgerDamaged(
            f"The ledger {ledger} {lacks}, and the store beside it holds the index that belongs to it. "
            f"Restore it from a backup. Without one, {anew}, with: freshkb verify --repair"
        )
    return LedgerDamaged(
        f"The ledger {ledger} {lacks}, and the store {left.place} holds the index that belongs to it. "
        f"Nothing was changed. Set {setting} to the database where it is. If it is lost, move {left.place} "
        f"aside, and restore a backup. Without one, {anew}, with: freshkb sync"
    )
