"""A drop folder with its places, and an index that is a dictionary."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.base import Context, Settled
from connectors.drop import FORMER, NOTE, DropConnector
from connectors.files import FilesConnector, FilesSettings
from connectors.moving import PART

PLACES = ("inbox", "quarantine", "archive")
Trees = dict[str, dict[str, bytes]]


class Folders:
    def __init__(self, home: Path) -> None:
        self.home = home
        for name in PLACES:
            (home / name).mkdir(parents=True)
        self.settled: dict[str, Settled] = {}
        """What the index says of each uri."""

    def connector(self, **settings: Any) -> DropConnector:
        given = {"root": "inbox", "mode": "drop", "archive": "archive", "quarantine": "quarantine"}
        read = FilesSettings.model_validate(given | settings)
        made = FilesConnector(read, Context("drop", self.home, 100_000))
        assert isinstance(made, DropConnector)
        return made

    def put(self, place: str, uri: str, data: bytes) -> Path:
        path = self.home / place / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def index(self, uri: str, reason: str = "") -> None:
        """The index has done with the version of now."""
        self.settled[uri] = Settled(reason, self.connector().fetch(uri, None).content_hash, None)

    def settlement(self, uris: Sequence[str]) -> Mapping[str, Settled]:
        return {uri: self.settled[uri] for uri in uris if uri in self.settled}

    def settle(self, **settings: Any) -> Sequence[str]:
        return self.connector(**settings).settle(self.settlement)

    def trees(self) -> Trees:
        """{place: {uri: bytes}}, without notes and former versions."""
        found: Trees = {}
        for place in PLACES:
            top = self.home / place
            paths = [path.relative_to(top) for path in top.rglob("*") if path.is_file()]
            found[place] = {
                path.as_posix(): (top / path).read_bytes()
                for path in paths
                if path.parts[0] not in (FORMER, PART) and not path.name.endswith(NOTE)
            }
        return found

    def former(self, place: str) -> list[tuple[str, bytes]]:
        """(uri, bytes) of each version that was put aside."""
        top = self.home / place / FORMER
        paths = sorted(path.relative_to(top) for path in top.rglob("*") if path.is_file())
        return [("/".join(path.parts[1:]), (top / path).read_bytes()) for path in paths]

    def documents(self) -> dict[str, str]:
        """{uri: sha256} by a complete listing, each document read."""
        connector = self.connector()
        listing = connector.list()
        uris = [entry.uri for entry in listing]
        assert listing.complete, listing.errors
        assert uris == sorted(uris)
        return {uri: connector.fetch(uri, None).content_hash for uri in uris}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
