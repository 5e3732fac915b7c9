"""A purge of a knowledge base: what is gone, what is claimed, and what it leaves to others."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient

from index.errors import FreshkbError, Locked, StoreError
from index.ledger import LogAction, vacuum
from index.outcome import RunReport
from index.purge import apart
from index.purge.bound import keep_bound
from index.purge.lag import lag_of
from index.purge.purge import preview, purge
from index.purge.scan import text
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.store.base import Purge
from index.store.qdrant.store import QdrantStore
from index.sync.sync import sync
from index.verify.compare import verify
from index.workspace import Workspace, require_collection
from tests.knowledge import Knowledge
from tests.laid_out import LaidOut, made_once
from tests.promises.faulty import Fault
from tests.promises.image import differences, image, rebuilt
from tests.qdrant import OneAtATime
from tests.soak import LONG

GONE = ["kookaburra", "tamarind", "quetzal", "Zeppelin", "obsidian"]


def grow(kb: Knowledge) -> None:
    """A base in which one document was deleted, one edited, one renamed, and one given another owner."""
    kb.source["delete"] = {"max_fraction": 1.0}
    gone = kb.write("tamarind/gone.md", "---\nowner: user:quetzal\n---\n# Zeppelin\n\nOf the kookaburra.\n")
    edited = kb.write("edited.md", "# Edited\n\nAn obsidian one.\n\n## Stays\n\nAs it is.\n")
    kb.write("stays.md", "# Stays\n\nA marimba.\n")
    kb.sync()
    kb.clock.forward(hours=1)
    gone.unlink()
    edited.write_text("# Edited\n\nAnother one.\n\n## Stays\n\nAs it is.\n")
    kb.sync()
    kb.clock.forward(hours=1)


laid_out = made_once(grow)


@pytest.fixture
def grown(kb: Knowledge, laid_out: LaidOut) -> Knowledge:
    return laid_out.again(kb)


def traces(words: list[str]) -> list[Any]:
    return [text(word, word) for word in words]


def found(kb: Knowledge, words: list[str]) -> set[str]:
    return set().union(*apart.found([kb.home / ".freshkb"], traces(words)).values())


def purged(kb: Knowledge) -> Any:
    with kb.workspace() as workspace:
        return purge(Run(workspace, "purge"))


def test_no_byte_of_what_was_removed_is_left_in_the_store(grown: Knowledge) -> None:
    """The ledger keeps the row of a deleted document, with path, title and owner, and no text."""
    assert found(grown, [*GONE, "marimba"]) == {*GONE, "marimba"}
    report = purged(grown)
    assert (report.removals, report.purged, report.pending, report.oldest) == (2, 2, 0, None)
    assert [(p.place, p.claim) for p in report.places] == [("store", "purged"), ("ledger", "purged")]
    assert (report.outcome, report.exit_code, report.errors) == ("done", 0, [])
    held = apart.found([grown.home / ".freshkb"], traces([*GONE, "marimba"]))
    assert {path.name for path, words in held.items() if words & set(GONE)} == {"ledger.db"}
    assert held[grown.home / ".freshkb" / "ledger.db"] == {"tamarind", "quetzal", "Zeppelin"}
    assert "marimba" in set().union(*held.values())
    assert grown.ask(verify).ok
    assert differences(grown.ask(image), rebuilt(grown)) == []


def test_the_log_and_the_run_say_what_was_done_in_counts_and_claims(grown: Knowledge) -> None:
    before = grown.ask(lambda workspace: workspace.ledger.log.head().size)
    purged(grown)
    with grown.workspace() as workspace:
        (entry,) = workspace.ledger.log.newest(1)
        (run,) = workspace.ledger.runs.newest(1)
        name = require_collection(workspace).name
    assert (entry.action, entry.subject, entry.run_id) == (LogAction.PURGED, name, run.run_id)
    assert entry.facts == {"removals": 2, "until": before, "store": "purged", "ledger": "purged"}
    assert (run.kind, run.outcome, run.counts["purged"]) == ("purge", "done", 2)
    assert not any(word in str((entry, run)) for word in GONE)


def test_a_preview_changes_nothing(grown: Knowledge) -> None:
    before = grown.ask(lambda workspace: workspace.ledger.log.head().size)
    report = grown.ask(preview)
    assert (report.removals, report.purged, report.pending) == (2, 0, 2)
    assert report.oldest == timedelta(hours=1)
    assert {place.claim for place in report.places} == {"unretrievable"}
    assert found(grown, GONE) == set(GONE)
    assert grown.ask(lambda workspace: workspace.ledger.log.head().size) == before


def test_without_an_index_there_is_nothing_to_do(kb: Knowledge) -> None:
    report = purged(kb)
    assert (report.removals, report.purged, report.outcome) == (0, 0, "done")
    assert [place.place for place in report.places] == ["ledger"]


def test_copies_that_connectors_keep_are_purged_with_what_was_removed(kb: Knowledge) -> None:
    kept = kb.home / ".freshkb" / "cache" / "docs"
    for name in ("bytes/clone/blob", "validators"):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_text("kookaburra")
    assert "source_caches" not in {place.place for place in purged(kb).places}
    assert (kept / "bytes").exists()
    grow(kb)
    places = {place.place: place for place in purged(kb).places}
    assert places["source_caches"].claim == "purged"
    assert [path.name for path in kept.iterdir()] == ["validators"]


def test_a_copy_that_cannot_be_removed_leaves_the_removals_waiting(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    (grown.home / ".freshkb" / "cache" / "docs" / "bytes").mkdir(parents=True)

    def refuse(folder: Path, names: bool = True) -> bool:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("index.purge.purge.forget", refuse)
    report = purged(grown)
    assert (report.outcome, report.purged) == ("failed", 0)
    assert report.pending > 0
    assert "Permission denied" in report.errors[-1]
    monkeypatch.undo()
    assert purged(grown).pending == 0


def test_what_was_removed_after_the_store_began_waits_for_the_next_purge(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a sync that got the store in between, after its files were rewritten."""
    (grown.docs / "stays.md").unlink()
    with grown.workspace() as workspace:
        real = workspace.store.purge

        def late(collection: str) -> Purge:
            done = real(collection)
            grown.clock.forward(seconds=1)
            grown.sync()
            return done

        monkeypatch.setattr(workspace.store, "purge", late)
        report = purge(Run(workspace, "purge"))
    assert (report.removals, report.purged, report.pending) == (2, 2, 1)
    assert "marimba" in found(grown, ["marimba"])
    assert purged(grown).purged == 1
    assert found(grown, ["marimba"]) == set()


def test_the_leavings_of_an_interrupted_sync_are_recovered_and_purged(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = kb.write("a.md", "# A\n\nKookaburra.\n")
    kb.write("b.md", "# B\n\nTwo.\n")
    kb.sync()
    gone.unlink()
    with kb.workspace() as workspace, monkeypatch.context() as patch:
        patch.setattr("index.sync.apply.remove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync(Run(workspace, "sync"))
        assert workspace.ledger.points.removals(require_collection(workspace).name)
    report = purged(kb)
    assert (report.removals, report.purged, report.pending, report.outcome) == (1, 1, 0, "done")
    assert found(kb, ["Kookaburra"]) == set()


def test_what_another_process_is_about_to_remove_is_left_to_it(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    (grown.docs / "stays.md").unlink()
    with grown.workspace() as workspace, monkeypatch.context() as patch:
        patch.setattr("index.sync.apply.remove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync(Run(workspace, "sync"))
    with grown.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
        report = purged(grown)
    assert (report.purged, report.pending, report.outcome, report.exit_code) == (2, 1, "refused", 4)
    (why,) = report.waiting
    assert "Source 'docs' is being written by `freshkb sync`" in why
    assert found(grown, ["kookaburra", "obsidian"]) == set()


def test_nothing_is_forgotten_while_a_place_is_not_clean(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vacuum, "WAIT_SECONDS", 0.01)
    with closing(sqlite3.connect(grown.home / ".freshkb" / "ledger.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM documents").fetchone()
        report = purged(grown)
    assert (report.purged, report.pending, report.exit_code) == (0, 2, 1)
    (error,) = report.errors
    assert "reads an older state" in error
    with grown.workspace() as workspace, monkeypatch.context() as patch:
        dirty = Purge("unretrievable", "Of segments written anew, 1 may still hold deleted points: x.", 3)
        patch.setattr(workspace.store, "purge", lambda _: dirty)
        report = purge(Run(workspace, "purge"))
    assert (report.purged, report.pending, report.exit_code) == (0, 2, 1)
    assert report.errors == [dirty.evidence]
    assert purged(grown).purged == 2


def test_a_purge_that_is_stopped_forgets_nothing(grown: Knowledge) -> None:
    stop = threading.Event()
    stop.set()
    with grown.workspace() as workspace:
        report = purge(Run(workspace, "purge", stop=stop))
    assert (report.outcome, report.exit_code, report.purged, report.pending) == ("interrupted", 130, 0, 2)


def test_a_purge_that_is_due_and_fails_is_an_error_of_the_run_before(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown.clock.forward(hours=13)
    with grown.workspace() as workspace:

        def full(_: str) -> Purge:
            raise StoreError("The disk is full.")

        monkeypatch.setattr(workspace.store, "purge", full)
        run = Run(workspace, "sync")
        report = sync(run)
        keep_bound(run, report)
        assert (report.outcome, report.exit_code) == ("failed", 1)
        assert report.error == "What was removed could not be purged: The disk is full."
        assert [r.outcome for r in workspace.ledger.runs.newest(2)].count("failed") == 1
        assert lag_of(workspace).pending == 2


def test_searches_and_syncs_go_on_beside_purges(kb: Knowledge, soak: bool) -> None:
    """No search fails or misses what is there, and nothing is left of what was removed."""
    documents = 30 if soak else 12
    kb.source["delete"] = {"max_fraction": 1.0}
    kb.write("stays.md", "# Stays\n\nA marimba.\n")
    for number in range(documents):
        kb.write(f"{number:02}.md", f"# Number {number}\n\nThe kookaburra{number:02} of page {number}.\n")
    kb.sync()
    failures: list[BaseException] = []
    ended = threading.Event()

    def other(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                with kb.workspace() as workspace:
                    while not ended.is_set():
                        work(workspace)
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=run)

    def search(workspace: Workspace) -> None:
        assert "stays.md" in {hit.uri for hit in KnowledgeBase(workspace).search("marimba", k=100)}

    threads = [other(search), other(lambda workspace: purge(Run(workspace, "purge")))]
    for thread in threads:
        thread.start()
    try:
        for number in range(documents):
            (kb.docs / f"{number:02}.md").unlink()
            if number % 5 == 4 or number == documents - 1:
                kb.clock.forward(seconds=1)
                synced(kb)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert failures == []
    kb.clock.forward(seconds=1)
    assert purged(kb).pending == 0
    assert found(kb, [f"kookaburra{number:02}" for number in range(documents)]) == set()
    assert kb.ask(verify).ok


def synced(kb: Knowledge) -> None:
    """A sync, tried again while a purge recovers what looked like an interrupted one."""
    while True:
        with suppress(Locked):
            kb.sync()
            return


# ── A server ──────────────────────────────────────────────────────────────────────────────────────────────


class Server:
    """A base on a server; its engine in memory keeps snapshots by name, as a server does."""

    def __init__(self, kb: Knowledge) -> None:
        self.kb = kb
        self.client = OneAtATime()
        self.snapshots: dict[str, list[str]] = {}
        vars(self.client)["list_snapshots"] = lambda name: [
            SimpleNamespace(name=each) for each in self.snapshots.get(name, [])
        ]
        vars(self.client)["delete_snapshot"] = lambda name, each, wait: self.snapshots[name].remove(each)
        grown_on(self)

    def workspace(self) -> Any:
        return self.kb.workspace(store=QdrantStore("memory", client=cast(QdrantClient, self.client)))

    def sync(self) -> None:
        with self.workspace() as workspace:
            assert sync(Run(workspace, "sync")).outcome == "done"

    def points(self) -> dict[str, Any]:
        with (
            self.workspace() as workspace,
            workspace.store.session(require_collection(workspace).name) as session,
        ):
            return {point.id: point for point in session.scroll(vectors=True)}

    def names(self) -> set[str]:
        return {found.name for found in self.client.get_collections().collections}

    def alias(self) -> str:
        (alias,) = self.client.get_aliases().aliases
        name: str = alias.collection_name
        return name


def grown_on(server: Server) -> None:
    kb = server.kb
    kb.sizes = replace(kb.sizes, read_points=3)
    kb.source["delete"] = {"max_fraction": 1.0}
    for number in range(10):
        kb.write(f"{number}.md", f"# Number {number}\n\nText of page {number}.\n")
    server.sync()
    kb.clock.forward(hours=1)
    (kb.docs / "3.md").unlink()
    server.sync()


@pytest.fixture
def server(kb: Knowledge) -> Iterator[Server]:
    yield Server(kb)


pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect in the local Qdrant:UserWarning"
)


def test_a_server_gets_a_fresh_collection_with_the_same_points(server: Server) -> None:
    before, former = server.points(), server.alias()
    server.snapshots[former] = ["one", "two"]
    with server.workspace() as workspace:
        report = purge(Run(workspace, "purge"))
        assert verify(workspace, deep=True).ok
        actions = [entry.action for entry in reversed(workspace.ledger.log.newest(4))]
    assert [(place.place, place.claim) for place in report.places] == [
        ("store", "unretrievable"),
        ("ledger", "purged"),
    ]
    assert "9 live points were copied" in report.places[0].evidence
    assert (report.removals, report.purged, report.pending, report.exit_code) == (1, 1, 0, 0)
    assert server.points() == before, "vectors exactly as they were"
    assert server.names() == {server.alias()} != {former}
    assert server.snapshots[former] == []
    assert actions == ["collection-made", "collection-switched", "collection-dropped", "purged"]


def test_a_server_with_nothing_to_purge_copies_nothing(server: Server) -> None:
    with server.workspace() as workspace:
        purge(Run(workspace, "purge"))
        name = server.alias()
        report = purge(Run(workspace, "purge"))
    assert server.alias() == name
    assert (report.purged, report.places[0].claim, report.exit_code) == (0, "unretrievable", 0)


@pytest.mark.parametrize("source", ["docs", "in another configuration"])
def test_a_server_whose_sources_are_written_is_left_alone(server: Server, source: str) -> None:
    former = server.alias()
    with (
        server.workspace() as other,
        other.ledger.writer(source, "freshkb sync"),
        server.workspace() as workspace,
    ):
        with pytest.raises(Locked, match="is being written by `freshkb sync`"):
            purge(Run(workspace, "purge"))
        report = RunReport("r")
        keep_bound(Run(workspace, "sync"), report)
        assert report.error is None, "the next run will do it"
    assert server.alias() == former


def test_searches_of_a_server_go_on_and_writers_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    with server.workspace() as workspace:
        real = workspace.store.session

        def looking(name: str) -> Any:
            monkeypatch.setattr(workspace.store, "session", real)
            with server.workspace() as reader:
                seen.append(len(KnowledgeBase(reader).search("page", k=100, mode="dense")))
                with pytest.raises(Locked), reader.ledger.writer("docs", "freshkb sync"):
                    pass
            monkeypatch.setattr(workspace.store, "session", looking)
            return real(name)

        monkeypatch.setattr(workspace.store, "session", looking)
        purge(Run(workspace, "purge"))
    assert len(seen) > 8 and set(seen) == {9}


def test_a_point_that_came_out_otherwise_is_no_copy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    former, before = server.alias(), server.points()
    real = server.client.upsert

    def rounded(name: str, rows: Any, wait: bool) -> Any:
        for row in rows:
            row.vector[""][0] += 1e-3
        return real(name, rows, wait=wait)

    with server.workspace() as workspace:
        vars(server.client)["upsert"] = rounded
        with pytest.raises(StoreError, match=r"did not keep a point as it was copied\. Nothing was switched"):
            purge(Run(workspace, "purge"))
        del vars(server.client)["upsert"]
    assert server.alias() == former and server.points() == before
    server.sync()
    assert server.names() == {former}, "the copy is dropped by the next run"


STEPS = ["create_collection", "update_collection", "upsert", "retrieve", "count", "update_collection_aliases",
         "list_snapshots", "delete_collection"]  # fmt: skip


#: What only reads fails after its effect as before it, and all that comes before the switch fails alike.
SHORT = [("create_collection", "before", 1), ("update_collection", "after", 1), ("upsert", "after", 2),
         ("retrieve", "before", 1), ("count", "before", 1), ("update_collection_aliases", "before", 1),
         ("update_collection_aliases", "after", 1), ("list_snapshots", "before", 1),
         ("delete_collection", "before", 1), ("delete_collection", "after", 1)]  # fmt: skip


def failures() -> list[Any]:
    """In the short form each call fails once, and both ways where the collections after it differ by them."""
    cases = [(step, when, call) for call in (1, 2) for step in STEPS for when in ("before", "after")]
    return [pytest.param(*case, marks=() if case in SHORT else LONG) for case in cases]


@pytest.mark.parametrize("step, when, call", failures())
def test_a_failure_at_any_step_leaves_one_whole_collection_and_the_next_run_clears_up(
    server: Server, step: str, when: str, call: int
) -> None:
    before, calls = server.points(), 0
    real = vars(server.client).get(step) or getattr(server.client, step)

    def failing(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != call:
            return real(*args, **named)
        if when == "after":
            real(*args, **named)
        raise OSError("gone")

    was = vars(server.client).get(step)
    vars(server.client)[step] = failing
    with server.workspace() as workspace:
        failed = True
        try:
            purge(Run(workspace, "purge"))
            failed = False
        except StoreError:
            pass
    del vars(server.client)[step]
    if was is not None:
        vars(server.client)[step] = was
    assert failed == (calls >= call)
    assert server.points() == before
    server.sync()
    with server.workspace() as workspace:
        assert verify(workspace, deep=True).ok
        assert server.names() == {server.alias()} == {require_collection(workspace).name}
        assert purge(Run(workspace, "purge")).pending == 0
    assert server.points() == before
    assert server.names() == {server.alias()}


# ── Any call may fail ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["before", "after", pytest.param("gone", marks=LONG)])
@pytest.mark.parametrize("part", ["ledger", "store"])
@pytest.mark.usefixtures("examined_here")
def test_a_purge_whose_nth_call_fails_forgets_nothing_that_is_still_on_the_disk(
    kb: Knowledge, part: str, mode: str, soak: bool
) -> None:
    """Neither is a removal forgotten before its bytes are gone, nor is anything lost that stays. In the short
    form each call of the store before its effect, each that writes after it, and some in the other way."""
    kb.source["delete"] = {"max_fraction": 1.0}
    kb.write("stays.md", "# Stays\n\nA marimba.\n")
    each = soak or mode == "after" or (part, mode) == ("store", "before")
    stride = 1 if each else 3 if part == "store" else 9
    fault, number = Fault(part, mode), 0
    fired: set[str] = set()
    with kb.workspace() as workspace:
        fault.fit(workspace)
        while True:
            number += stride
            word = f"kookaburra{number:03}"
            path = kb.write(f"gone{number}.md", f"# Gone\n\nOf the {word}.\n")
            sync(Run(workspace, "sync"))
            path.unlink()
            sync(Run(workspace, "sync"))
            expected = image(workspace)
            fault.arm(number)
            with suppress(FreshkbError):
                purge(Run(workspace, "purge"))
            reached, fault.armed = fault.reached, False
            if not reached:
                break
            fired.add(fault.fired)
            # Read in its own process: this one has the ledger open.
            assert lag_of(workspace).pending or not found(kb, [word]), fault
            kb.clock.forward(seconds=1)
            report = purge(Run(workspace, "purge"))
            assert (report.outcome, report.pending) == ("done", 0), fault
            assert not found(kb, [word]), fault
            assert differences(image(workspace), expected) == [], fault
        assert verify(workspace).ok
    assert fired
    if soak or (part == "store" and each):
        assert fired >= ({"store.purge"} if part == "store" else {"ledger.writes.purged", "ledger.vacuum"})
