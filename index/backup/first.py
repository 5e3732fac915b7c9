"""The first moment of a restored ledger: what is done in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.backup.manifest import Manifest
from index.erase.replay import Proof, placed_again
from index.errors import Refused
from index.ledger import Ledger, LogAction, LogEntry, Order
from index.ledger.history import GENERATION
from index.workspace import Workspace


@dataclass(slots=True)
class FirstMoment:
    """The log says that there was a restore, and the orders of proofs are in force."""

    workspace: Workspace
    manifest: Manifest
    lost: Mapping[str, int | str]
    """Facts of what the anchors know and the backup does not have."""
    proofs: Sequence[Proof]
    orders: Sequence[Order] = ()
    """Those that were placed."""

    def __call__(self, ledger: Ledger) -> None:
        """Raises Refused when a hold keeps a document of an order."""
        entry = self._entry()
        if GENERATION in entry.facts:
            ledger.history.begin(entry)
        else:
            ledger.log.append([entry])
        if not self.proofs:
            return
        # The store has its points already; it stays open when this workspace is let go of.
        given = self.workspace
        inside = Workspace(given.config, now=given.now, store=given.store, ledger=ledger, sizes=given.sizes)
        try:
            self.orders = placed_again(inside, self.proofs)
        except Refused as error:
            raise Refused(
                f"{error} Nothing was restored. To release a hold of a backup, restore it without log.anchors"
                " and without this receipt; then set the anchors again, and replay the order."
            ) from error

    def _entry(self) -> LogEntry:
        manifest = self.manifest
        facts: dict[str, int | str] = {
            "documents": manifest.documents,
            "points": manifest.points,
            "made_at": manifest.made_at,
            **self.lost,
        }
        now = self.workspace.now()
        return LogEntry(now, LogAction.LEDGER_RESTORED, "", manifest.instance, facts=facts)
