"""Random changes at the server against a model of it, step by step: the listing is the model, and whoever
keeps tokens as an index does never holds a text that is not there any more."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from connectors.remote.connector import FsspecConnector
from tests.connectors.remote.conftest import Place

FOLDERS = ["", "a/", "a/b/", "c d/"]
MOST = 6
NAMES = ["x.md", "%41.md", "日本.md"]


class History:
    """The documents of a place, and what an index would know of them."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.random = place, random.Random(seed)
        self.connector: FsspecConnector = place.connect()
        self.model: dict[str, bytes] = {}
        self.known: dict[str, tuple[str | None, str]] = {}
        """uri → token and hash of the version that was read last."""
        self.concealed: str | None = None
        self.downloads = 0
        self._past = time.time() - 1_000_000

    def path(self, uri: str) -> Path:
        # A percent sign before two digits stands for itself in a name, and is escaped in a uri.
        return self.place.root / uri.replace("%2541", "%41")

    def step(self) -> None:
        kind = self.random.choices(
            ["put", "edit", "rename", "delete", "fault"],
            weights=[4, 4, 2, 2, 1 if self.concealed is None else 3],
        )[0]
        if kind == "fault":
            self.fault()
        elif (kind == "put" and len(self.model) < MOST) or not self.model:
            self.write(self.free())
        elif kind in ("put", "edit"):
            self.write(self.one())
        elif kind == "rename":
            self.rename(self.one(), self.free())
        else:
            uri = self.one()
            self.path(uri).unlink()
            del self.model[uri]

    def one(self) -> str:
        return self.random.choice(sorted(self.model))

    def free(self) -> str:
        name = self.random.choice(NAMES).replace("%41", "%2541")
        return f"{self.random.choice(FOLDERS)}{self.random.randrange(4)}{name}"

    def write(self, uri: str) -> None:
        # Of few sizes, so that time alone has to tell; most of them as of long ago.
        self.model[uri] = bytes(self.random.choices(b"abc", k=self.random.choice([0, 3, 4])))
        self.path(uri).parent.mkdir(parents=True, exist_ok=True)
        self.path(uri).write_bytes(self.model[uri])
        if self.random.random() < 0.9:
            self._past += 5
            os.utime(self.path(uri), (self._past, self._past))

    def rename(self, old: str, new: str) -> None:
        self.path(new).parent.mkdir(parents=True, exist_ok=True)
        self.path(old).rename(self.path(new))
        self.model[new] = self.model.pop(old)

    def fault(self) -> None:
        if self.concealed is not None:
            self.place.site.reset()
            self.concealed = None
            return
        folders = [folder for folder in FOLDERS[1:] if (self.place.root / folder).is_dir()]
        if folders:
            self.concealed = self.random.choice(folders)
            self.place.site.refuse(self.place.root / self.concealed.rstrip("/"))

    def check(self) -> None:
        listing = self.connector.list()
        entries = {entry.uri: entry for entry in listing}
        assert list(entries) == sorted(entries)
        assert listing.complete == (self.concealed is None)
        seen = {uri for uri in self.model if self.concealed is None or not uri.startswith(self.concealed)}
        assert set(entries) == seen
        for uri, entry in entries.items():
            content_hash = hashlib.sha256(self.model[uri]).hexdigest()
            token, known = self.known.get(uri, (None, ""))
            if token is None or token != entry.token:
                fetched = self.connector.fetch(uri, None)
                self.downloads += 1
                token, known = fetched.entry.token, fetched.content_hash
                self.known[uri] = token, known
            assert known == content_hash, uri
        if listing.complete:
            for uri in self.known.keys() - entries.keys():
                assert self.connector.stat(uri) is None
                del self.known[uri]


@pytest.mark.parametrize(("site", "steps"), [("webdav_site", 50), ("sftp_site", 40), ("ftp_site", 40)])
def test_a_history_of_changes_is_followed(
    at: Callable[[str], Place], site: str, steps: int, soak: bool
) -> None:
    steps = 3000 if soak else steps
    history = History(at(site), seed=12)
    for _ in range(steps):
        history.step()
        history.check()
    # Tokens spare most downloads, and not all: fresh versions have none.
    assert steps / 3 < history.downloads < steps * MOST / 2


def test_a_server_that_goes_and_comes_back_loses_nothing(at: Callable[[str], Place]) -> None:
    history = History(at("webdav_site"), seed=3)
    for _ in range(20):
        history.step()
    history.place.site.reset()
    history.concealed = None
    history.check()
    hidden = history.place.root.with_name(f"{history.place.root.name} unmounted")
    history.place.root.rename(hidden)
    for ask in (history.connector.list, lambda: history.connector.stat("0x.md")):
        with pytest.raises(SourceUnavailable):
            ask()
    hidden.rename(history.place.root)
    history.check()
