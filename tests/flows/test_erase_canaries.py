"""Documents of canary words in every format, erased by real commands and by real flows: every byte of every
file is searched before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from index.config import load
from index.model import Point
from index.workspace import Workspace
from tests.commands import Ended, forked
from tests.flows import canary_documents
from tests.promises import bytes_left

pytestmark = pytest.mark.timeout(900)

#: The word that nobody but the requester is told.
REASON = "sphinxquartzvow"


class Home:
    """A knowledge base with some documents that stay and many that go."""

    def __init__(self, folder: Path, number: int, seed: int) -> None:
        self.folder, self.random = folder, Random(seed)
        self.secret = folder / "docs" / "secret"
        self.secret.mkdir(parents=True)
        for name in "abc":
            (folder / "docs" / f"{name}.md").write_text(f"# Page {name}\n\nWhat there is to say of {name}.\n")
        made = canary_documents.write(self.secret, number, self.random)
        made |= canary_documents.described(self.secret, self.random)
        self.made = made
        self.words = [word for words in made.values() for word in words]
        settings = {
            "version": 1,
            "embedding": {"dtype": "float32"},
            "sources": [{"id": "docs", "type": "files", "root": "./docs", "delete": {"max_fraction": 1.0}}],
        }
        (folder / "freshkb.yaml").write_text(yaml.safe_dump(settings))
        self.watched = [folder / ".freshkb", *(folder / name for name in ("tmp", "cache", "prefect", "said"))]
        for place in self.watched[1:]:
            place.mkdir()

    def run(self, *commands: Sequence[str]) -> dict[str, Ended]:
        """Commands as processes, whose temporary files, caches and words are kept and searched."""
        environ = {
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": "",
        }
        ended = forked(self.folder, commands, environ, ["index.erase.carry_out", "index.search.find"])
        return {" ".join(each.command): each for each in ended}

    def vectors(self) -> dict[str, bytes]:
        """Those of the points of documents that go, as the store has them."""
        found: dict[str, bytes] = {}
        for number, point in enumerate(self.points()):
            if point.payload["metadata"]["uri"].startswith("secret/"):
                found |= bytes_left.of_vector(f"vector {number}", point.dense or ())
        return found

    def points(self) -> Iterator[Point]:
        with Workspace(load(self.folder / "freshkb.yaml", {}, self.folder)) as workspace:
            collection = workspace.ledger.collections.current()
            assert collection is not None
            with workspace.store.session(collection.name) as session:
                yield from list(session.scroll(vectors=True))

    def held(self, needles: bytes_left.Needles) -> dict[str, set[str]]:
        return bytes_left.held(self.watched, needles)


def test_no_byte_of_an_erased_document_is_in_any_file(tmp_path: Path, soak: bool) -> None:
    home = Home(tmp_path / "kb", 100 if soak else len(canary_documents.MAKERS) + 2, seed=11)
    (tmp_path / "private").mkdir()
    edited = home.secret / next(name for name in home.made if name.endswith(".txt"))
    former = bytes_left.word(home.random)
    text = edited.read_text()
    edited.write_text(f"{text}\n{former}\n")
    # Another name before, and documents that cannot be read: their reasons are on record, too.
    moved = home.secret / next(name for name in home.made if name.endswith(".md"))
    earlier, broken = (bytes_left.word(home.random) for _ in range(2))
    moved.rename(home.secret / f"{earlier}.md")
    for kind in ("pdf", "docx"):
        (home.secret / f"{broken}.{kind}").write_text("none")
    done = home.run(["sync", "-v"], ["status"])
    assert done["sync -v"].code in (0, 3), done["sync -v"].printed
    edited.write_text(text)
    (home.secret / f"{earlier}.md").rename(moved)
    home.run(["sync", "-v"], ["plan", "-v"], ["audit", "-v"], ["verify", "-v"])
    needles = {**bytes_left.of_words([*home.words, former, earlier, broken]), **home.vectors()}
    before = home.held(needles)
    assert before.keys() == needles.keys(), needles.keys() - before.keys()
    assert any("reports" in name for names in before.values() for name in names)
    indexed = {point.payload["metadata"]["uri"] for point in home.points()}
    assert len(indexed) == len(home.made) + 3

    reveal = tmp_path / "private" / "reveal.json"
    erase = ["erase", "--match", "secret/**", "--by", "anna", "--reason", REASON, "--reveal", str(reveal)]
    ended = home.run([*erase, "--yes", "-v"])
    (erased,) = ended.values()
    assert erased.code == 0, erased.printed
    (home.folder / "said" / "erase").write_text(erased.printed)
    # The files are still at their source, and so they stay for the next commands.
    after = home.run(
        ["sync", "-v"], ["plan", "-v"], ["verify", "--deep", "-v"], ["verify", "--repair", "-v"],
        ["audit", "-v"], ["retry", "-v"], ["reindex", "-v"], ["status", "-v"], ["status", "--json"],
        ["runs", "--json"],
        ["receipts", "list"], ["receipts", "list", "--json"], ["log", "export"], ["log", "verify"], ["ls"],
        ["doctor", "-v"], ["config", "show"], ["purge", "-v"],
    )  # fmt: skip
    for name, each in after.items():
        (home.folder / "said" / name.replace(" ", "_")).write_text(each.printed)
    left = home.held({**needles, "reason": REASON.encode()})
    assert left == {}, left
    shown = json.loads(reveal.read_text())
    assert len(shown["documents"]) == len(home.made) + 2 and shown["reason"] == REASON
    receipt = next((home.folder / ".freshkb" / "receipts").glob("*.json"))
    verify = home.run(["receipts", "verify", str(receipt), "--reveal", str(reveal), "--json"])
    assert shown_by(next(iter(verify.values())))["ok"]
    asked = [word for words in home.made.values() for word in words[1:2]]
    modes = ("dense", "sparse", "hybrid")
    searches = home.run(*(["search", word, "--mode", mode, "--json"] for word in asked[:6] for mode in modes))
    assert {hit["uri"] for each in searches.values() for hit in shown_by(each)} <= {
        "a.md", "b.md", "c.md",
    }  # fmt: skip
    exact = home.run(*(["find", "--exact", word, "--json"] for word in asked[:6]))
    assert [shown_by(each) for each in exact.values()] == [[]] * len(exact)


def shown_by(ended: Ended) -> Any:
    """The JSON of a command; what it says to people follows."""
    return json.JSONDecoder().raw_decode(ended.printed)[0]
