"""Scenarios in which a part fails: each run that changes an index, small enough to be repeated often."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from index.errors import Refused
from index.outcome import RunReport
from index.records import Document
from index.reindex import reindex
from index.run import Run
from index.sync.requests import retry, review
from index.sync.sync import sync
from index.verify.compare import verify
from index.verify.differences import Verification
from index.verify.repair import repair
from index.workspace import Workspace
from tests.knowledge import Knowledge
from tests.promises.image import Image, Told, differences, image, newest, rebuilt, told

FOREIGN = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True)
class World:
    """A source at one time: {uri: (content, seconds of its modification)}, and the rules on it."""

    files: Mapping[str, tuple[str, int]]
    rules: list[dict[str, Any]] = field(default_factory=list)

    def show(self, kb: Knowledge) -> None:
        """Make the source so. Files that stay are not touched; files under another name are renamed."""
        there = {p.relative_to(kb.docs).as_posix(): p for p in kb.docs.rglob("*") if p.is_file()}
        gone = {p.read_text(): p for uri, p in there.items() if uri not in self.files}
        for uri, (text, modified) in self.files.items():
            path = kb.docs / uri
            path.parent.mkdir(parents=True, exist_ok=True)
            if uri not in there and text in gone:
                gone.pop(text).rename(path)
            elif uri not in there or path.read_text() != text:
                path.write_text(text)
            # In the past, so that no sync waits until the clock has gone on.
            os.utime(path, (1_600_000_000 + modified,) * 2)
        for path in gone.values():
            path.unlink()
        kb.source["rules"] = self.rules


def _sections(*texts: str) -> str:
    return "".join(f"# Part {text.split()[0]}\n\nThis part is about {text}.\n\n" for text in texts)


#: Between the two lie an edit, an addition, a removal, a move, a touch, another rule, and a document that
#: cannot be parsed; one stays unreadable, one is of no known type, and one is too large.
WORLDS = (
    World({
        "stays.md": (_sections("apples"), 1),
        "team/ruled.md": (_sections("pears"), 1),
        "edited.md": (_sections("plums and pits", "figs", "figs", "dates"), 1),
        "touched.md": (_sections("cherries"), 1),
        "moved.md": (_sections("melons", "limes"), 1),
        "gone.md": (_sections("olives", "figs"), 1),
        "broken.pdf": ("no PDF", 1),
        "large.md": ("large " * 500, 1),
        "tool.xyz": ("no document", 1),
    }),
    World({
        "stays.md": (_sections("apples"), 1),
        "team/ruled.md": (_sections("pears"), 1),
        "edited.md": (_sections("figs", "plums and stones", "figs", "lemons"), 2),
        "touched.md": (_sections("cherries"), 2),
        "another/name.md": (_sections("melons", "limes"), 1),
        "born.md": (_sections("grapes", "figs"), 2),
        "broken.pdf": ("no PDF", 1),
        "large.md": ("larger " * 500, 2),
        "new.pdf": ("no PDF either", 2),
    }, [{"match": "team/**", "owner": "user:anna"}]),
)  # fmt: skip

FRUITS = ("apples", "pears", "plums", "figs", "dates", "cherries", "melons", "limes", "olives")


def random_worlds(seed: int, documents: int = 12) -> tuple[World, World]:
    """Two versions of one source, each document with a fate of its own."""
    random = Random(seed)

    def text() -> str:
        return _sections(
            *(random.choice(FRUITS) + f" {random.randrange(4)}" for _ in range(random.randint(1, 6)))
        )

    before: dict[str, tuple[str, int]] = {}
    after: dict[str, tuple[str, int]] = {}
    for number in range(documents):
        folder = random.choice(("", "team/", "a/b/"))
        uri = f"{folder}{number}.md"
        old = text()
        # A renamed file is found again by its text, so no two may have the same.
        own = f"{old}# Own\n\nDocument {number}.\n"
        match random.choice(("stays", "edited", "touched", "moved", "gone", "born", "broken")):
            case "stays":
                before[uri] = after[uri] = own, 1
            case "edited":
                before[uri], after[uri] = (own, 1), (text() + f"# Own\n\nDocument {number}.\n", 2)
            case "touched":
                before[uri], after[uri] = (own, 1), (own, 2)
            case "moved":
                before[uri], after[f"moved/{number}.md"] = (own, 1), (own, 1)
            case "gone":
                before[uri] = own, 1
            case "born":
                after[uri] = own, 2
            case _:
                after[f"{number}.pdf"] = own, 2
    before["always.md"] = after["always.md"] = _sections("apples"), 1
    return World(before), World(after, [{"match": "team/**", "owner": "user:anna"}])


class Scenario:
    """Something done again and again to one knowledge base; each time it can fail, and is then repeated."""

    def __init__(self, kb: Knowledge, worlds: tuple[World, World] = WORLDS) -> None:
        self.kb = kb
        self.worlds = worlds
        self.turn = 0
        kb.source["delete"] = {"max_fraction": 1.0}
        kb.source["limits"] = {"max_size": "2kb"}
        self.begin()

    def begin(self) -> None: ...

    cases = 8
    """That go by before everything is closed and opened again."""

    recorded = True
    """Whether all of it is a run in the ledger."""

    def open(self) -> None:
        """The step before everything is opened."""

    def prepare(self, workspace: Workspace) -> None:
        """The step before the run."""

    def run(self, workspace: Workspace) -> RunReport | Verification:
        raise NotImplementedError

    def again(self, workspace: Workspace) -> None:
        """A person's next step after a run that failed."""
        self.run(workspace)

    def undone(self, workspace: Workspace) -> list[str]:
        """What a run that told of nothing has not done."""
        return differences(image(workspace), self.expected)

    def check(self, workspace: Workspace) -> None:
        """The run's own effect, beside an index that equals its source."""

    @property
    def damaged(self) -> frozenset[str]:
        """Documents whose texts were not whole to begin with."""
        return frozenset()

    def reason(self, document: Document) -> str | None:
        """The reason in this document's row, when nothing fails."""
        row = self.expected.documents.get((document.source, document.uri), {})
        return row.get("reason")

    expected: Image
    """Of an index that this was done to without a fault."""

    told: Told | None = None
    """By the log of the run and the one after it, without a fault; None when the latter does it anew."""


class Syncing(Scenario):
    """From one version of the source to the other, and back the next time."""

    def begin(self) -> None:
        self._images = []
        for world in self.worlds:
            world.show(self.kb)
            self._images.append(rebuilt(self.kb))
            shutil.rmtree(self.kb.home / ".freshkb-rebuilt")
        self.turn = 1
        self.kb.sync()
        self._told = [self._turned(world) for world in self.worlds]

    def _turned(self, world: World) -> Told:
        since = self.kb.ask(newest)
        world.show(self.kb)
        self.kb.sync()
        return self.kb.ask(lambda workspace: told(workspace, since))

    def prepare(self, workspace: Workspace) -> None:
        self.turn = 1 - self.turn
        self.worlds[self.turn].show(self.kb)
        self.expected, self.told = self._images[self.turn], self._told[self.turn]

    def run(self, workspace: Workspace) -> RunReport:
        return sync(Run(workspace, "sync"))


class First(Scenario):
    """A new index each time."""

    def begin(self) -> None:
        self.worlds[0].show(self.kb)
        self.expected = rebuilt(self.kb)
        self.kb.sync()
        self.told = self.kb.ask(told)

    cases = 1

    def open(self) -> None:
        shutil.rmtree(self.kb.home / ".freshkb", ignore_errors=True)

    def run(self, workspace: Workspace) -> RunReport:
        return sync(Run(workspace, "sync"))

    def again(self, workspace: Workspace) -> None:
        sync(Run(workspace, "sync"))
        # A collection that was never finished goes once there is another.
        sync(Run(workspace, "sync"))


class Reindexing(Scenario):
    """To another precision of the model, and back the next time."""

    def begin(self) -> None:
        self.worlds[0].show(self.kb)
        self._images = []
        for dtype in ("float32", "bfloat16"):
            self.kb.settings["embedding"] = {"dtype": dtype}
            self._images.append(rebuilt(self.kb))
            shutil.rmtree(self.kb.home / ".freshkb-rebuilt")
        self.turn = 1
        self.kb.sync()

    def prepare(self, workspace: Workspace) -> None:
        self.turn = 1 - self.turn
        self.kb.settings["embedding"] = {"dtype": ("float32", "bfloat16")[self.turn]}
        self.expected = self._images[self.turn]

    def run(self, workspace: Workspace) -> RunReport:
        reindex(workspace, Run(workspace, "reindex"))
        # Runs are told apart by when they began.
        self.kb.clock.forward(seconds=1)
        return sync(Run(workspace, "sync"))

    def again(self, workspace: Workspace) -> None:
        # It may have come as far as the switch; then there is nothing to build anew.
        with suppress(Refused):
            reindex(workspace, Run(workspace, "reindex"))
        sync(Run(workspace, "sync"))


class Repairing(Scenario):
    """Repair of a lost point, an altered point and a point of no document."""

    # The comparison before it is none.
    recorded = False

    def begin(self) -> None:
        self.worlds[0].show(self.kb)
        self.kb.sync()
        self.expected = self.kb.ask(image)

    def prepare(self, workspace: Workspace) -> None:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        with workspace.store.session(collection.name) as session:
            lost, altered, copied, *_ = session.scroll(vectors=True)
            session.delete([lost.id])
            session.upsert([
                replace(altered, payload={**altered.payload, "page_content": "x"}),
                replace(copied, id=FOREIGN),
            ])  # fmt: skip
        self._damaged = {lost.payload["doc_id"], altered.payload["doc_id"]}

    @property
    def damaged(self) -> frozenset[str]:
        return frozenset(self._damaged)

    def run(self, workspace: Workspace) -> Verification:
        found = verify(workspace, deep=True)
        if not found.ok:
            repair(workspace, found, Run(workspace, "verify"))
        return found


class Reviewing(Scenario):
    """Of some documents, at another time each time."""

    def begin(self) -> None:
        self.worlds[0].show(self.kb)
        self.kb.sync()
        self.uris = ["stays.md", "edited.md", "moved.md", "touched.md"]

    def prepare(self, workspace: Workspace) -> None:
        self.kb.clock.forward(days=1)
        self.expected = image(workspace)

    def run(self, workspace: Workspace) -> RunReport:
        return review(Run(workspace, "review"), self.uris, "anna")

    def again(self, workspace: Workspace) -> None:
        # Any sync publishes a review that was attested, and no other.
        sync(Run(workspace, "sync"))

    def undone(self, workspace: Workspace) -> list[str]:
        now = self.kb.clock()
        return [d.uri for d in workspace.ledger.documents.find(uris=self.uris) if d.reviewed_at != now]

    def check(self, workspace: Workspace) -> None:
        documents = {d.uri: d for d in workspace.ledger.documents.find()}
        newest = workspace.ledger.reviews.of([documents[uri].document_id for uri in self.uris])
        for uri in self.uris:
            made = newest.get(documents[uri].document_id)
            assert documents[uri].reviewed_at == (made[-1].at if made else None)
        self.expected = image(workspace)


def retried(workspace: Workspace) -> None:
    """A document that took too long once is not tried again of itself."""
    retry(Run(workspace, "retry"))


SCENARIOS: dict[str, type[Scenario]] = {
    "first": First,
    "sync": Syncing,
    "reindex": Reindexing,
    "repair": Repairing,
    "review": Reviewing,
}
