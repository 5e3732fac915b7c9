"""A history of random changes to a drop folder, with kills: listing and folders are what a model says."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from connectors.base import Settled
from tests.connectors.drop.folders import PLACES, Folders, Trees, sha256
from tests.connectors.drop.test_moves import Killed, killed_before

STEPS = 200
OPERATIONS = ["put", "put", "edit", "delete", "back", "parser", "sync", "settle", "settle", "kill"]
URIS = ["a.md", "b.md", "c/d.md", "c/e f.md", "ä.md", "100%.md"]


class Model:
    def __init__(self, folders: Folders, seed: int) -> None:
        self.folders, self.random = folders, Random(seed)
        self.trees: Trees = {place: {} for place in PLACES}
        self.unreadable = True
        """Whether contents that begin with "bad" fail."""

    @property
    def documents(self) -> dict[str, bytes]:
        return {**self.trees["archive"], **self.trees["quarantine"], **self.trees["inbox"]}

    def step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        random, trees = self.random, self.trees
        uri, place = random.choice(URIS), random.choice(PLACES)
        data = f"{random.choice(['good', 'bad'])} {random.randrange(4)}".encode()
        here = self.folders.home / place / uri
        match random.choice(OPERATIONS):
            case "put":
                self.folders.put("inbox", uri, data)
                trees["inbox"][uri] = data
            case "edit" if uri in trees[place]:
                here.write_bytes(data)
                trees[place][uri] = data
            case "delete" if uri in trees[place]:
                here.unlink()
                del trees[place][uri]
            case "back" if uri in trees["quarantine"]:
                target = self.folders.home / "inbox" / uri
                target.parent.mkdir(exist_ok=True)
                (self.folders.home / "quarantine" / uri).replace(target)
                trees["inbox"][uri] = trees["quarantine"].pop(uri)
            case "parser":
                self.unreadable = not self.unreadable
            case "sync":
                for uri, data in self.documents.items():
                    bad = self.unreadable and data.startswith(b"bad")
                    self.folders.settled[uri] = Settled("It is bad." if bad else "", sha256(data), None)
            case "settle":
                assert self.folders.settle() == []
                self.settled()
            case "kill":
                documents = self.documents
                with killed_before(random.randrange(1, 60), monkeypatch), suppress(Killed):
                    self.folders.settle()
                assert self.folders.documents() == {uri: sha256(data) for uri, data in documents.items()}
                assert self.folders.settle() == []
                self.settled()
            case _:
                return

    def settled(self) -> None:
        """Move in the model what a settling moves."""
        trees, said = self.trees, self.folders.settled
        for uri, data in [*trees["inbox"].items()]:
            if uri in said and said[uri].content_hash == sha256(data):
                trees["quarantine"].pop(uri, None)
                del trees["inbox"][uri]
                trees["quarantine" if said[uri].reason else "archive"][uri] = data
        for uri, data in [*trees["quarantine"].items()]:
            known = said.get(uri)
            if uri in trees["inbox"] or known is None or known.reason or known.content_hash != sha256(data):
                continue
            trees["archive"][uri] = trees["quarantine"].pop(uri)


def test_each_listing_is_the_folders_of_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soak: bool
) -> None:
    for seed in range(50 if soak else 1):
        model = Model(Folders(tmp_path / str(seed) / "drop"), seed)
        for number in range(STEPS):
            before = model.folders.trees()
            model.step(monkeypatch)
            assert model.folders.trees() == model.trees, (seed, number, before)
            found = model.folders.documents()
            assert found == {uri: sha256(data) for uri, data in model.documents.items()}
