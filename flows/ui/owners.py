"""The owners that a person answers for."""

from __future__ import annotations

from collections.abc import Iterable

from index.config.rules import Rules
from index.freshness.owners import fold
from index.people import directory_of
from index.workspace import Workspace

#: What may stand before the name of a person.
_KINDS = ("", "user:", "@")


class Owners:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._directory = directory_of(workspace.config)
        self._of_sources = {owner for source in workspace.config.sources if (owner := Rules(source).owner)}
        self._known: dict[str, set[str]] = {}

    def of(self, name: str) -> set[str]:
        """The folded names of the owners that a person of this name answers for: their own, and those of
        groups that they are a member of."""
        if name not in self._known:
            own = {fold(f"{kind}{name}") for kind in _KINDS}
            self._known[name] = own.union(*map(self._directory.owners_of, own))
        return self._known[name]

    def person(self, hashed: str, owners: Iterable[str]) -> str | None:
        """The name of the person with this keyed hash, among all whom digests may go to: `owners` of
        documents, those of sources, and whom the directory names; None when it is nobody's."""
        keys = self._workspace.ledger.tombstones.keys()
        names = {*owners, *self._of_sources, *self._directory.names()}
        return next((name for name in sorted(names) if keys.person(fold(name)) == hashed), None)
