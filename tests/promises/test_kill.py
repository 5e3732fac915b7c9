"""The process dies by SIGKILL between any two steps; the next run makes it good.

Each test brings a knowledge base to some state, lets a child do something to it undisturbed, which shows at
which points it can be killed, and then lets another child do the same for each point, and kills it there.
The state after a kill is examined as it is: searches must find whole versions. Then the same command runs
once more: the index must equal a rebuild from nothing, and the log must have each document's actions once, as
without a kill.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import select
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa

import index.store.edge.build
from index.model import State
from index.parse import Parser
from index.purge import apart
from index.purge.lag import lag_of
from index.purge.scan import text as traced
from index.search.knowledge_base import KnowledgeBase
from index.verify.compare import verify
from index.workspace import Workspace
from tests import forks
from tests.commands import environment, process
from tests.copies import copy
from tests.knowledge import Knowledge
from tests.promises import bytes_left
from tests.promises.image import (
    Image,
    Told,
    differences,
    image,
    mistold,
    newest,
    rebuilt,
    told,
    unfinished,
)
from tests.promises.killed import Order, Point, Server, act, embedded, opened
from tests.soak import LONG
from tests.traces.folder import Folder, text
from tests.traces.operations import CHANGES, Operation

if TYPE_CHECKING:
    from tests.postgres import Server as PostgreSQL

SYNC, REPAIR = ["sync"], ["repair"]

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.usefixtures("examined_here", "scanned_here")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        # Each point the first, a middle and the last time that it is met; in the short form in the middle.
        metafunc.parametrize("seed", range(3) if metafunc.config.getoption("--soak") else [1])


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    (folder / "shard").mkdir()
    index.store.edge.build.build(folder / "shard", 384)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.close()


@pytest.fixture
def bench(
    tmp_path: Path,
    server: Server,
    notes: Path,
    parser: Parser,
    seed: int,
    soak: bool,
) -> Bench:
    return Bench(tmp_path / "kb", server, notes, parser, seed, soak)


#: Steps within one call of a part.
WITHIN = ("engine.", "os.", "open ")

#: In the short form, each seed kills before a step in one test only: the first that meets it.
_FIRST: dict[tuple[int, str], Path] = {}
#: And each test kills this often at least, at points of its own.
_LEAST = 2


class Bench:
    """A knowledge base on which a child is killed, again and again, from the same state."""

    def __init__(
        self, home: Path, server: Server, notes: Path, parser: Parser, seed: int, soak: bool
    ) -> None:
        self.kb = Knowledge(home, parser)
        self.kb.source["delete"] = {"max_fraction": 1.0}
        self.folder = Folder(self.kb.docs)
        self.random = Random(seed)
        self.seed, self.soak = seed, soak
        self._server, self.notes, self._parser = server, notes, parser
        self._state = home / ".freshkb"
        self._runs = self.kills = 0

    # ── What happens at the source ────────────────────────────────────────────────────────────────────

    def fill(self) -> None:
        """Some documents, with chunks that several of them have."""
        for uri in (
            "a.md",
            "b.md",
            "c.md",
            "d.md",
            "e.txt",
            "team/f.md",
            "team/g.md",
            "drafts/h.md",
            "i.xyz",
        ):
            self.folder.put(uri, text(uri, self.random))
        self.folder.put("long.md", b"".join(text("long.md", self.random) for _ in range(3)))

    def change(self) -> None:
        """Something of each kind, and then something else."""
        operations = [
            ("write", "new.md", ""), ("insert", "a.md", ""), ("edit", "long.md", ""),
            ("rename", "b.md", "renamed.md"), ("move with edit", "c.md", "drafts/c.md"),
            ("touch", "d.md", ""), ("swap", "team/f.md", ""), ("delete", "drafts/h.md", ""),
            ("copy", "long.md", "copy.md"),
        ]  # fmt: skip
        for name, uri, other in operations:
            self.folder.apply(Operation(name, uri, other, self.random.randrange(1 << 20)))
        for _ in range(4):
            uri, other = (f"{self.random.choice('abcdexyz')}.md" for _ in range(2))
            name = self.random.choice(CHANGES)
            self.folder.apply(Operation(name, uri, other, self.random.randrange(1 << 20)))
        self.kb.source["rules"] = [{"match": "team/**", "owner": "user:anna"}]

    # ── Runs ──────────────────────────────────────────────────────────────────────────────────────────

    def order(self, *actions: Sequence[str]) -> Order:
        self.kb.config()
        self._runs += 1
        time = self.kb.clock().isoformat()
        return Order(str(self.kb.home), actions, time, str(self.notes), seed=self._runs)

    def workspace(self) -> Workspace:
        return opened(self.order(), self._parser)

    def run(self, *actions: Sequence[str]) -> None:
        with self.workspace() as workspace:
            act(workspace, actions)

    def rebuilt(self) -> Image:
        self.kb.settings["state_dir"] = ".freshkb-rebuilt"
        shutil.rmtree(self.kb.home / ".freshkb-rebuilt", ignore_errors=True)
        with self.workspace() as workspace:
            act(workspace, [SYNC])
            found = image(workspace)
        del self.kb.settings["state_dir"]
        return found

    def save(self) -> Path:
        """Keep the state of now; `restore` brings it back."""
        place = self.kb.home / f"saved-{len(list(self.kb.home.glob('saved-*')))}"
        place.mkdir()
        if self._state.exists():
            copy(self._state, place / self._state.name)
        return place

    def restore(self, place: Path) -> None:
        shutil.rmtree(self._state, ignore_errors=True)
        if (place / self._state.name).exists():
            copy(place / self._state.name, self._state)

    # ── Kills ─────────────────────────────────────────────────────────────────────────────────────────

    def points(self, order: Order) -> Counter[Point]:
        """The points that this order has when it is not disturbed, and how often it meets them."""
        assert self._server.run(order) == 0
        return Counter(
            (last, following) for last, following in json.loads((self.notes / "points").read_text())
        )

    def chosen(self, points: Counter[Point]) -> list[tuple[Point, int]]:
        """Points, and which time to be killed: the first, a middle one or the last, by turns of the seeds."""
        times = {point: (1, (often + 1) // 2, often)[self.seed % 3] for point, often in points.items()}
        if self.soak:
            return list(times.items())
        # Before each step that is not within one call of a part; the seeds take turns with the steps that it
        # may follow, too. Where another test kills this one does not.
        before: dict[str, list[Point]] = {}
        for point in times:
            before.setdefault(point[1], []).append(point)
        steps = [points[self.seed % len(points)] for f, points in before.items() if not f.startswith(WITHIN)]
        here = [p for p in steps if _FIRST.setdefault((self.seed, p[1]), self.kb.home) == self.kb.home]
        if len(here) < _LEAST:
            # In the middle of the work.
            others = [p for p in steps if p not in here]
            here += others[len(others) // 2 :][: _LEAST - len(here)]
        return [(point, times[point]) for point in here]

    def sometimes(self, order: Order, point: Point, occurrence: int) -> int:
        """How a child ended that is killed at this point, when it gets there."""
        return self._server.run(replace(order, at=point, occurrence=occurrence))

    def kill_sometime(self, order: Order, seconds: float) -> None:
        """Within so many seconds, unless it has come to its end by then."""
        status = self._server.run(replace(order, after=self.random.uniform(0, seconds)))
        assert status in (0, -9)
        self.kills += status == -9

    def kill(self, order: Order, point: Point, occurrence: int) -> None:
        status = self.sometimes(order, point, occurrence)
        assert status == -9, f"{point} was not met a time {occurrence} (exit status {status})"
        self.kills += 1

    def kill_everywhere(
        self,
        order: Order,
        again: Sequence[Sequence[str]],
        *,
        rebuilt: Image | None = None,
        damaged: bool = False,
        anew: bool = False,
    ) -> None:
        """From the state of now, kill the child at each point, do `again` what it was about, and compare.

        `damaged`: the state before is not what it should be, so that a search may find anything.
        `anew`: work done before the kill is done, and logged, once more.
        """
        place, since = self.save(), self.newest()
        whole = set() if damaged else self.versions()
        self.restore(place)
        points = self.points(order)
        with self.workspace() as workspace:
            act(workspace, again)
            usual = Usual(image(workspace), since, None if anew or damaged else told(workspace, since))
        if rebuilt is not None:
            assert differences(usual.image, rebuilt) == []
        whole |= self.versions()
        for point, occurrence in self.chosen(points):
            self.restore(place)
            embedded(self.notes)
            self.kill(order, point, occurrence)
            try:
                self.mended(again, usual, None if damaged else whole)
            except BaseException as error:
                error.add_note(f"Killed at {' → '.join(point)} (time {occurrence}), seed {self.seed}.")
                raise

    def mended(self, again: Sequence[Sequence[str]], usual: Usual, whole: Versions | None) -> None:
        """The state after a kill shows nothing wrong, and `again` makes it whole."""
        texts = Counter(embedded(self.notes))
        with self.workspace() as workspace:
            committed = set() if whole is None else _committed(workspace)
            if whole is not None and workspace.ledger.collections.current() is not None:
                _searched(workspace, whole)
            redone = unfinished(workspace)
            act(workspace, again)
            assert differences(image(workspace), usual.image) == []
            if usual.told is not None:
                assert mistold(workspace, usual.since, usual.told, redone) == []
            _tidy(workspace)
        later = embedded(self.notes)
        known = [text for text in later if _hash(text) in committed]
        assert not known, f"embedded although it was committed: {known}"
        texts.update(later)
        often = {text: count for text, count in texts.items() if count > 2}
        assert not often, f"embedded too often: {often}"

    def newest(self) -> int:
        with self.workspace() as workspace:
            return newest(workspace)

    def versions(self) -> Versions:
        with self.workspace() as workspace:
            return (
                set(_seen(workspace).items()) if workspace.ledger.collections.current() is not None else set()
            )


@dataclass(frozen=True, slots=True)
class Usual:
    """The state without a kill."""

    image: Image
    since: int
    """The last entry of the log before."""
    told: Told | None
    """In the log after it."""


Versions = set[tuple[str, tuple[str, ...]]]
"""Documents with all texts of a version of theirs, sorted."""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _committed(workspace: Workspace) -> set[str]:
    """Hashes of the texts that the collection in use has, and need not be embedded for it again."""
    collection = workspace.ledger.collections.current()
    if collection is None or collection.dtype != workspace.config.embedding.dtype:
        return set()
    return {record.embedded_hash for record in workspace.ledger.chunks.stream(collection.name)}


def _seen(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """By uri, all texts of it that a search finds."""
    found: dict[str, list[str]] = {}
    for hit in KnowledgeBase(workspace).search("part", k=1000, mode="dense"):
        for uri in (hit.uri, *(place.uri for place in hit.duplicates)):
            found.setdefault(uri, []).append(hit.text)
    return {uri: tuple(sorted(texts)) for uri, texts in found.items()}


def _searched(workspace: Workspace, whole: Versions) -> None:
    """A search in the state that a kill left: it works, and shows each document whole."""
    seen = _seen(workspace)
    assert set(seen.items()) <= whole, f"not whole: {set(seen.items()) - whole}"
    documents = workspace.ledger.documents.find(states=[State.INDEXED, State.QUARANTINED])
    indexed = {d.uri for d in documents if d.version and d.chunk_count}
    assert set(seen) == indexed
    KnowledgeBase(workspace).search("what there is to say", k=3)


def _tidy(workspace: Workspace) -> None:
    """Nothing is left over of any run, and verify finds nothing."""
    ledger, collection = workspace.ledger, workspace.ledger.collections.current()
    assert collection is not None
    found = verify(workspace, deep=True)
    assert found.ok, found.json()
    assert ledger.points.intents() == []
    assert ledger.points.removals(collection.name) == []
    assert ledger.log.pending(collection.name) == []
    assert ledger.collections.all() == [collection]
    assert ledger.writers() == []
    here = {found.name for found in (workspace.config.state_dir / "index").iterdir()}
    assert here == {collection.name, ".lock", ".turn"}
    assert len(list((workspace.config.state_dir / "scratch").glob("*"))) <= 1


def _synced(bench: Bench) -> None:
    bench.fill()
    bench.run(SYNC)


def test_a_kill_during_a_sync_of_many_changes_is_made_good_by_the_next(bench: Bench) -> None:
    _synced(bench)
    bench.change()
    rebuilt = bench.rebuilt()
    bench.kill_everywhere(bench.order(SYNC), [SYNC], rebuilt=rebuilt)


def test_a_kill_during_the_first_sync_is_made_good_by_the_next(bench: Bench) -> None:
    bench.fill()
    rebuilt = bench.rebuilt()
    bench.kill_everywhere(bench.order(SYNC), [SYNC], rebuilt=rebuilt)


def test_a_kill_during_the_recovery_from_a_kill_is_made_good_by_the_next_sync(bench: Bench) -> None:
    _synced(bench)
    bench.change()
    rebuilt = bench.rebuilt()
    place, order = bench.save(), bench.order(SYNC)
    points = bench.points(order)
    # A version that is written in part; in the long form also one that is committed while old points are
    # still there.
    killed = [("", "half of session.upsert"), ("ledger.writes.commit", "session.delete")]
    for last, following in killed if bench.soak else killed[:1]:
        point = bench.random.choice([p for p in points if p[1] == following and last in p[0]])
        bench.restore(place)
        bench.kill(order, point, bench.random.randint(1, points[point]))
        # Another order, because the ids that this one gives to new documents are taken.
        bench.kill_everywhere(bench.order(SYNC), [SYNC], rebuilt=rebuilt)


def test_a_kill_during_a_repair_is_made_good_by_the_next(bench: Bench) -> None:
    _synced(bench)
    rebuilt = bench.rebuilt()
    with bench.workspace() as workspace:
        _damage(workspace, bench.random)
    bench.kill_everywhere(bench.order(REPAIR), [REPAIR], rebuilt=rebuilt, damaged=True)


def test_a_kill_while_a_lost_store_is_made_anew_is_made_good_by_the_next_repair(bench: Bench) -> None:
    _synced(bench)
    rebuilt = bench.rebuilt()
    with bench.workspace() as workspace:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        workspace.store.drop(collection.name)
    bench.kill_everywhere(bench.order(REPAIR), [REPAIR], rebuilt=rebuilt, damaged=True)


def test_a_kill_during_a_reindex_leaves_the_old_index_or_the_new_one(bench: Bench) -> None:
    _synced(bench)
    bench.kb.settings["embedding"] = {"dtype": "bfloat16"}
    rebuilt = bench.rebuilt()
    bench.kill_everywhere(bench.order(["reindex"]), [["reindex if needed"], SYNC], rebuilt=rebuilt, anew=True)


def test_a_kill_during_a_purge_forgets_nothing_that_is_still_on_the_disk(bench: Bench) -> None:
    bench.folder.put("kookaburra.md", b"# Part of it\n\nThe kookaburra.\n")
    _synced(bench)
    (bench.kb.docs / "kookaburra.md").unlink()
    bench.run(SYNC)
    state, trace = bench.kb.home / ".freshkb" / "index", [traced("text", "The kookaburra.")]
    assert apart.found([state], trace)
    place, expected = bench.save(), bench.rebuilt()
    order = bench.order(["purge"])
    points = bench.points(order)
    for point, occurrence in bench.chosen(points):
        bench.restore(place)
        bench.kill(order, point, occurrence)
        with bench.workspace() as workspace:
            assert lag_of(workspace).pending or not apart.found([state], trace), point
            assert differences(image(workspace), expected) == [], point
            act(workspace, [["purge"]])
            assert lag_of(workspace).pending == 0 and not apart.found([state], trace), point
            assert differences(image(workspace), expected) == [], point
            _tidy(workspace)


ERASURES = {"a document": ["erase", "secret.md"], "a phrase": ["erase", "secret.md", "{phrase}"]}


@pytest.mark.parametrize("kind", ["a document", pytest.param("a phrase", marks=LONG)])
def test_a_kill_during_an_erasure_leaves_an_order_that_is_finished_and_no_false_receipt(
    bench: Bench, kind: str
) -> None:
    title, name, text = (bytes_left.word(bench.random) for _ in range(3))
    content = f"# {title}\n\n{text} of {name} {title}.\n".encode()
    bench.folder.put("secret.md", content)
    bench.folder.put(f"{name}/another.md", content)
    _synced(bench)
    state = bench.kb.home / ".freshkb"
    with bench.workspace() as workspace:
        (document,) = workspace.ledger.documents.find(uris=["secret.md"])
        vectors = _vectors(workspace, document.document_id)
        find = KnowledgeBase(workspace).search
        # Of two documents with a text, one is the hit.
        assert any(text in hit.text for hit in find(text, k=50))
    # A document that is kept out for a phrase has a row with its path.
    named = [name] if kind == "a document" else []
    needles = {**bytes_left.of_words([title, text, *named]), **vectors}
    assert bytes_left.held([state], needles).keys() == needles.keys()
    place = bench.save()
    action = [part.format(phrase=f"{text} of {name}") for part in ERASURES[kind]]
    order = bench.order(action)
    points = bench.points(order)
    steps = [point for point in points if not point[1].startswith("engine.")]
    chosen = bench.chosen(points) if bench.soak else [(p, 1) for p in {p[1]: p for p in steps}.values()]
    assert len(chosen) > 25
    if not bench.soak:
        chosen = chosen[::6]
    finishers = itertools.cycle([[action], [["purge"], action], [SYNC, ["upkeep"], action]])
    for number, (point, occurrence) in enumerate(chosen):
        bench.restore(place)
        bench.kill(order, point, occurrence)
        try:
            _erased(bench, needles, next(finishers))
            if bench.soak or number % 5 == 0:
                _gone_for_good(bench, needles)
        except BaseException as error:
            error.add_note(f"Killed at {' → '.join(point)} (time {occurrence}), seed {bench.seed}.")
            raise
    print(f"{kind}, seed {bench.seed}: {len(chosen)} kills", flush=True)


def _vectors(workspace: Workspace, document_id: str) -> dict[str, bytes]:
    """Of the points of a document, as needles."""
    collection = workspace.ledger.collections.current()
    assert collection is not None
    with workspace.store.session(collection.name) as session:
        found = [p for p in session.scroll(vectors=True) if p.payload["doc_id"] == document_id]
    return {
        name: needle
        for number, point in enumerate(found)
        for name, needle in bytes_left.of_vector(f"vector {number}", point.dense or ()).items()
    }


def _erased(bench: Bench, needles: bytes_left.Needles, again: Sequence[Sequence[str]]) -> None:
    """After a kill: no receipt that is false, and then an order that is done."""
    state, text = bench.kb.home / ".freshkb", list(needles)[1]
    with bench.workspace() as workspace:
        if bytes_left.receipted(workspace):
            assert bytes_left.held([state], needles) == {}, "a false receipt"
        if workspace.ledger.erasures.all():
            assert [h.uri for h in KnowledgeBase(workspace).search(text, k=50) if text in h.text] == []
        act(workspace, again)
        act(workspace, [["upkeep"]])
        assert not (state / "orders").exists()
        (placed,) = workspace.ledger.erasures.all()
        assert placed.state == "done" and placed.documents == 2
        assert bytes_left.receipted(workspace) == {placed.order_id}
        assert bytes_left.said_done(workspace) == [placed.order_id]
    left = bytes_left.held([state], needles)
    assert left == {}, left


def _gone_for_good(bench: Bench, needles: bytes_left.Needles) -> None:
    """The next syncs find the file at its source, another one with its bytes, and the file under a new
    name."""
    state, text = bench.kb.home / ".freshkb", list(needles)[1]
    copied, renamed = bench.kb.docs / "copied.md", bench.kb.docs / "renamed.md"
    secret = bench.kb.docs / "secret.md"
    shutil.copy(secret, copied)
    bench.run(SYNC)
    secret.rename(renamed)
    bench.run(SYNC)
    with bench.workspace() as workspace:
        (placed,) = workspace.ledger.erasures.all()
        assert [h.uri for h in KnowledgeBase(workspace).search(text, k=50) if text in h.text] == []
        uris = ["copied.md", "renamed.md", "secret.md"]
        # Kept out for its phrase, a document has a row, and comes back without the phrase.
        kept = list(workspace.ledger.documents.find(uris=uris))
        assert bool(kept) == (placed.kind == "phrase")
        assert {(document.state, document.title, document.chunk_count) for document in kept} <= {
            (State.QUARANTINED, "", 0)
        }
        _tidy(workspace)
    assert bytes_left.held([state], needles) == {}, "it came back"
    copied.unlink()
    renamed.rename(secret)


def test_a_kill_during_a_review_loses_nothing_that_was_attested(bench: Bench) -> None:
    _synced(bench)
    review = ["review", "a.md", "long.md", "team/f.md", "d.md"]
    bench.kill_everywhere(bench.order(review), [SYNC, review], anew=True)


def test_a_kill_while_documents_are_held_and_released_removes_none_that_is_held(bench: Bench) -> None:
    _synced(bench)
    for uri in ("a.md", "long.md"):
        bench.folder.apply(Operation("delete", uri))
    hold = ["hold", "a.md", "long.md"]
    bench.kill_everywhere(bench.order(hold, SYNC), [hold, SYNC])
    bench.run(hold, SYNC)
    bench.kill_everywhere(bench.order(["release"], SYNC), [["release"], SYNC], rebuilt=bench.rebuilt())


def test_a_kill_while_approved_removals_are_made_lets_them_be_approved_again(bench: Bench) -> None:
    bench.kb.source["delete"] = {"max_fraction": 0.0, "max_count": 0}
    _synced(bench)
    for uri in ("a.md", "b.md", "long.md", "team/f.md"):
        bench.folder.apply(Operation("delete", uri))
    bench.kill_everywhere(bench.order(["approve"]), [["approve"]], rebuilt=bench.rebuilt())


def _damage(workspace: Workspace, random: Random) -> None:
    """Points are lost, altered, and added by a foreign hand."""
    collection = workspace.ledger.collections.current()
    assert collection is not None
    with workspace.store.session(collection.name) as session:
        lost, said, turned, copied = random.sample(list(session.scroll(vectors=True)), 4)
        session.upsert([replace(said, payload={**said.payload, "page_content": "x"})])
        session.upsert([replace(turned, dense=[-number for number in turned.dense or ()])])
        session.upsert([replace(copied, id=str(UUID(int=random.getrandbits(128))))])
        session.delete([lost.id])


def test_kills_at_random_times_leave_nothing_wrong(bench: Bench, soak: bool) -> None:
    """A folder that goes on changing is synced by processes that are killed, whatever they do just then."""
    rounds, each = (5, 5) if soak else (1, 3)
    _synced(bench)
    for number in range(rounds):
        # A source that is empty would be refused.
        for name in bench.random.choices("abcdefgh", k=4):
            bench.folder.apply(Operation("write", f"{name}.md", "", bench.random.randrange(1 << 20)))
        bench.change()
        rebuilt = bench.rebuilt()
        before, place, order = bench.versions(), bench.save(), bench.order(SYNC)
        since = bench.newest()
        started = time.monotonic()
        bench.run(SYNC)
        seconds = time.monotonic() - started
        with bench.workspace() as workspace:
            usual = Usual(image(workspace), since, told(workspace, since))
        assert differences(usual.image, rebuilt) == []
        whole = before | bench.versions()
        while bench.kills < each * (number + 1):
            bench.restore(place)
            embedded(bench.notes)
            # Its batches are smaller than those of the run that was measured.
            bench.kill_sometime(order, 1.5 * seconds)
            bench.mended([SYNC], usual, whole)
        print(f"seed {bench.seed}: {bench.kills} kills", flush=True)
        shutil.rmtree(place)


def test_a_kill_while_the_ledger_is_made_leaves_a_whole_one_or_none(bench: Bench) -> None:
    order = replace(bench.order(["open"]), statements=True)
    points = bench.points(order)
    assert len(points) > 20
    oracle = _schema(bench)
    chosen = bench.chosen(points)
    if not bench.soak:
        # One of each kind of statement.
        chosen = list({point[1].split()[0]: (point, time) for point, time in chosen}.values())
    for number, (point, occurrence) in enumerate(chosen):
        shutil.rmtree(bench.kb.home / ".freshkb")
        bench.kill(order, point, occurrence)
        again: Point = ("", "")
        if bench.soak or number % 3 == 0:
            # The next process is killed as well.
            again = bench.random.choice(list(points))
            status = bench.sometimes(order, again, bench.random.randint(1, points[again]))
            assert status in (0, -9)
        assert _schema(bench) == oracle, f"killed at {' → '.join(point)} and {' → '.join(again)}"


def _schema(bench: Bench) -> list[tuple[object, ...]]:
    """All that a new ledger holds, once it was opened."""
    with bench.workspace() as workspace:
        assert workspace.ledger.instance_id
    with closing(sqlite3.connect(bench.kb.home / ".freshkb" / "ledger.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = database.execute("SELECT count(*) FROM meta").fetchall()
        version = database.execute("SELECT version_num FROM alembic_version").fetchall()
        return [*database.execute("SELECT name, sql FROM sqlite_master ORDER BY name"), *names, *version]


def test_a_kill_while_a_ledger_is_made_on_a_server_leaves_a_whole_one_or_none(
    bench: Bench, postgresql: PostgreSQL
) -> None:
    def order() -> Order:
        bench.kb.settings["ledger"] = postgresql.create_database()
        return replace(bench.order(["open"]), statements=True)

    points = bench.points(order())
    oracle = _tables(bench)
    for point in bench.random.sample(sorted(points), len(points) if bench.soak else 3):
        bench.kill(order(), point, bench.random.randint(1, points[point]))
        assert _tables(bench) == oracle, f"killed at {' → '.join(point)}"


def _tables(bench: Bench) -> list[object]:
    """All that a new ledger on a server holds, once it was opened."""
    with bench.workspace() as workspace, workspace.ledger.database.reading() as connection:
        return [
            connection.execute(sa.text(query)).all()
            for query in (
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                "WHERE table_schema = 'public' ORDER BY 1, 2",
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
                "SELECT count(*) FROM meta",
                "SELECT version_num FROM alembic_version",
            )
        ]


def test_a_process_that_is_killed_takes_its_parsers_with_it(
    kb: Knowledge, tmp_path: Path, soak: bool
) -> None:
    """`freshkb sync` as it is, with a real parser: when it dies, nothing is left running or lying about."""
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.config()
    private = tmp_path / "tmp"
    private.mkdir()
    for number in range(60):
        kb.write(f"{number}.md", f"# Part {number}\n\nWhat there is to say of part {number}.\n")
    for _ in range(10 if soak else 1):
        running = forks.Popen(
            process("sync"), cwd=kb.home, env=environment() | {"TMPDIR": str(private)}, stdout=subprocess.PIPE
        )
        family = _parsing(running)
        running.kill()
        assert running.wait() == -9
        assert running.stdout is not None
        running.stdout.close()
        for descriptor in family.values():
            assert select.select([descriptor], [], [], 60)[0], "a parser outlived its parent"
            os.close(descriptor)
    kb.sync()
    assert differences(kb.ask(image), rebuilt(kb)) == []
    kb.ask(_tidy)
    assert list(private.iterdir()) == []


def _parsing(parent: subprocess.Popen[bytes]) -> dict[int, int]:
    """The processes that parse for this one, by pid, with descriptors that tell when they end; once there
    are some."""
    while parent.poll() is None:
        family = [parent.pid]
        for pid in family:
            # Threads come and go meanwhile.
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    family += [int(child) for child in task.read_text().split()]
        if len(family) > 2:
            return {pid: os.pidfd_open(pid) for pid in family[1:]}
        time.sleep(0.01)
    raise AssertionError("the sync ended before it parsed")
