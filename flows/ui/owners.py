"""The owners that a person answers for."""

from __future__ import annotations

from index.freshness.owners import fold
from index.workspace import Workspace

#: What may stand before the name of a person.
_KINDS = ("", "user:", "@")


class Owners:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def of(self, name: str) -> set[str]:
        """The folded names of the owners that a person of this name answers for."""
        return {fold(f"{kind}{name}") for kind in _KINDS}

    def person(self, hashed: str) -> str | None:
        """The name of the person with this keyed hash, among owners and people; None when it is nobody's."""
        ledger = self._workspace.ledger
        keys = ledger.tombstones.keys()
        return next(
            (name for name in sorted(ledger.documents.owners()) if keys.person(fold(name)) == hashed), None
        )
