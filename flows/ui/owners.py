"""The owners that a person answers for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from index.config import Config
from index.config.rules import Rules
from index.freshness.owners import fold
from index.people import Directory, directory_of
from index.workspace import Workspace

#: What may stand before the name of a person.
_KINDS = ("", "user:", "@")


class Owners:
    """By the directory of owners as it is now: whoever is taken out of its file answers for nothing more."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._read = _state(workspace.config), directory_of(workspace.config)
        self._of_sources = {owner for source in workspace.config.sources if (owner := Rules(source).owner)}

    def of(self, name: str) -> set[str]:
        """The folded names of the owners that a person of this name answers for: their own, and those of
        groups that they are a member of."""
        own = {fold(f"{kind}{name}") for kind in _KINDS}
        return own.union(*map(self._directory().owners_of, own))

    def person(self, hashed: str, owners: Iterable[str]) -> str | None:
        """The name of the person with this keyed hash, among all whom digests may go to: `owners` of
        documents, those of sources, and whom the directory names; None when it is nobody's."""
        keys = self._workspace.ledger.tombstones.keys()
        names = {*owners, *self._of_sources, *self._directory().names()}
        return next((name for name in sorted(names) if keys.person(fold(name)) == hashed), None)

    def _directory(self) -> Directory:
        state, directory = self._read
        now = _state(self._workspace.config)
        if now != state:
            directory = directory_of(self._workspace.config)
            self._read = now, directory
        return directory


def _state(config: Config) -> tuple[int, ...] | None:
    """Another one once the file of the directory is; None where it is no file, or cannot be read."""
    owners = config.notify.owners
    if not isinstance(owners, Path):
        return None
    try:
        found = owners.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
