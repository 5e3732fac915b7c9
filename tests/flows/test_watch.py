"""The watcher: hints say where to look, syncs find out what is so. Time is the test's own."""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.base import SourceUnavailable
from flows.watch import RETRY_SECONDS, Pending, Watcher, described
from index.config import Watch
from index.errors import ModelChanged
from index.search.knowledge_base import KnowledgeBase
from index.workspace import Workspace
from tests import forks
from tests.commands import environment, process
from tests.embedders import HashEmbedder
from tests.fakes import MemoryConnector
from tests.knowledge import Knowledge

#: Time for anything that a test waits for, on a slow machine that has other things to do.
PATIENCE_SECONDS = 60.0

WATCH = Watch()
DEBOUNCE, MAX_WAIT, SWEEP = (span.total_seconds() for span in (WATCH.debounce, WATCH.max_wait, WATCH.sweep))


class Ticks:
    """A clock that a test moves, and other threads read."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls: queue.SimpleQueue[float] = queue.SimpleQueue()

    def __call__(self) -> float:
        self.calls.put(time.monotonic())
        return self.time


class Following:
    """A watcher at work in a thread of its own, on sources that are dicts."""

    def __init__(self, workspace: Workspace, sources: Sequence[str]) -> None:
        self.workspace = workspace
        self.sources = {name: MemoryConnector() for name in sources}
        # A source in a dict in the place of a folder: no configuration can name one.
        workspace._connectors.update(self.sources)
        self.docs = self.sources["docs"]
        self.clock = Ticks()
        self.stop = threading.Event()
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            Watcher(self.workspace, self.stop, tell=self.told.put, clock=self.clock).run()
        except BaseException as error:
            self.failure = error

    def start(self) -> list[dict[str, Any]]:
        """The events until it was ready."""
        self.thread.start()
        told = [self.next()]
        while told[-1]["event"] != "ready":
            told.append(self.next())
        return told

    def next(self) -> dict[str, Any]:
        return self.told.get(timeout=PATIENCE_SECONDS)

    def after(self, seconds: float) -> dict[str, Any]:
        """The next event once so much time has passed."""
        self.clock.time += seconds
        return self.next()

    def put(self, uri: str, text: str = "Some text.", source: str = "docs") -> None:
        self.sources[source].put(uri, f"# {uri}\n\n{text}\n".encode())

    def change(self, uri: str, text: str = "Some text.") -> dict[str, Any]:
        """Put a document, hint at its folder, and get the sync that follows."""
        self.put(uri, text)
        self.docs.hint(uri.rpartition("/")[0])
        return self.after(DEBOUNCE)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()


@contextmanager
def following(kb: Knowledge, *more: str, **parts: Any) -> Iterator[Following]:
    kb.settings["embedding"] = {"dtype": "float32"}
    for name in more:
        kb.settings["sources"].append({"id": name, "type": "files", "root": f"./{name}"})
    with kb.workspace(**parts) as workspace:
        watcher = Following(workspace, ["docs", *more])
        try:
            yield watcher
        finally:
            if watcher.thread.ident is not None:
                watcher.end()
        if watcher.failure is not None:
            raise watcher.failure


def did(event: dict[str, Any]) -> dict[str, int]:
    """The counts of a sync, zeros left out."""
    assert event["event"] == "sync", event
    counts = event["sources"][0]
    names = ("added", "updated", "moved", "deleted", "unchanged")
    return {name: counts[name] for name in names if counts[name]}


# ── When ──────────────────────────────────────────────────────────────────────────────────────────────


def test_it_waits_until_hints_are_quiet_and_never_longer_than_it_may(kb: Knowledge) -> None:
    dirt = Pending(kb.config().sources[0], sweep_at=SWEEP)
    assert dirt.due() == SWEEP
    for at in range(100, 130):
        dirt.hint("a", float(at))
        assert dirt.due() == min(at + DEBOUNCE, 100 + MAX_WAIT)
    assert dirt.take(120.0) == ["a"]
    assert dirt.due() == SWEEP


def test_hints_of_many_folders_are_one_look_and_a_lost_one_is_a_look_at_everything(kb: Knowledge) -> None:
    dirt = Pending(kb.config().sources[0], sweep_at=SWEEP)
    for folder in ("b", "a", "b"):
        dirt.hint(folder, 1.0)
    assert dirt.take(2.0) == ["a", "b"]
    dirt.hint("a", 3.0)
    dirt.hint(None, 3.0)
    assert dirt.take(4.0) is None
    assert dirt.due() == 4.0 + SWEEP


def test_a_failing_source_is_swept_at_growing_distances_and_hints_are_followed_at_once(kb: Knowledge) -> None:
    dirt = Pending(kb.config().sources[0], sweep_at=SWEEP)
    waits = []
    for _ in range(8):
        dirt.sweep_at = SWEEP
        dirt.sweep_sooner(0.0)
        waits.append(dirt.sweep_at)
    assert waits == [10, 20, 40, 80, 160, 320, 640, SWEEP]
    dirt.hint("a", 0.0)
    assert dirt.due() == DEBOUNCE


# ── What ──────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_ready_when_model_and_parser_are_warm_and_it_has_caught_up(kb: Knowledge) -> None:
    warmed: list[str] = []

    class Model(HashEmbedder):
        def warm(self) -> None:
            warmed.append("model")

    class Parser:
        def __getattr__(self, name: str) -> Any:
            return getattr(kb.parser, name)

        def warm(self) -> None:
            kb.parser.warm()
            warmed.append("parser")

    kb.settings["embedding"] = {"dtype": "float32"}
    with Workspace(kb.config(), parser=Parser(), embedder=Model) as workspace:
        watcher = Following(workspace, ["docs"])
        watcher.put("a.md")
        sync, ready = watcher.start()
        assert set(warmed) == {"model", "parser"}
        assert did(sync) == {"added": 1}
        assert ready == {"event": "ready", "sources": ["docs"], "watched": ["docs"]}
        watcher.end()
    assert watcher.failure is None


def test_a_hint_leads_to_its_folder_alone_and_to_the_search(kb: Knowledge) -> None:
    with following(kb) as watcher:
        for uri in ("a/1.md", "a/2.md", "b/1.md", "top.md"):
            watcher.put(uri)
        watcher.start()
        event = watcher.change("a/3.md", "A zebra.")
        assert did(event) == {"added": 1, "unchanged": 2}
        assert event["since_hint"] == DEBOUNCE
        assert KnowledgeBase(watcher.workspace).search("zebra", mode="sparse")[0].uri == "a/3.md"
        assert did(watcher.change("top.md", "Changed.")) == {"updated": 1}
        assert watcher.told.empty()


def test_a_removal_is_seen_in_the_same_run_though_the_hint_names_one_folder(kb: Knowledge) -> None:
    with following(kb) as watcher:
        for uri in ("a/1.md", "a/2.md", "b/1.md"):
            watcher.put(uri, f"Text of {uri}.")
        watcher.start()
        watcher.docs.remove("a/1.md")
        watcher.docs.hint("a")
        assert did(watcher.after(DEBOUNCE)) == {"deleted": 1, "unchanged": 2}
        watcher.docs.rename("a/2.md", "b/2.md")
        watcher.docs.hint("b")
        watcher.docs.hint("a")
        assert did(watcher.after(DEBOUNCE)) == {"moved": 1, "unchanged": 1}


def test_lost_hints_and_the_timer_lead_to_a_look_at_everything(kb: Knowledge) -> None:
    with following(kb) as watcher:
        watcher.start()
        watcher.put("deep/in/a.md")
        watcher.docs.hint(None)
        assert did(watcher.after(DEBOUNCE)) == {"added": 1}
        watcher.put("deep/in/b.md", "Never hinted at.")
        swept = watcher.after(SWEEP)
        assert did(swept) == {"added": 1, "unchanged": 1}
        assert swept["since_hint"] is None


def test_a_hint_that_comes_during_a_sync_is_followed_afterwards(kb: Knowledge) -> None:
    with following(kb) as watcher:
        watcher.start()
        during = threading.Event()
        embed = HashEmbedder.embed_documents

        def embed_and_change(self: HashEmbedder, *arguments: Any) -> Any:
            if not during.is_set():
                during.set()
                watcher.put("second.md", "The second.")
                watcher.docs.hint("")
            return embed(self, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HashEmbedder, "embed_documents", embed_and_change)
            assert did(watcher.change("first.md", "The first.")) == {"added": 1}
            assert did(watcher.after(DEBOUNCE)) == {"added": 1, "unchanged": 1}


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_that_is_away_is_told_once_removes_nothing_and_recovers(kb: Knowledge) -> None:
    with following(kb) as watcher:
        watcher.put("a.md")
        watcher.docs.unavailable = "The disk is away."
        error, _ = watcher.start()
        assert error == {"event": "error", "source": "docs", "message": "The disk is away."}
        for _ in range(3):
            watcher.clock.time += RETRY_SECONDS
        watcher.docs.unavailable = ""
        assert did(watcher.after(RETRY_SECONDS)) == {"added": 1}
        watcher.docs.unavailable = "The disk is away again."
        watcher.docs.hint(None)
        assert watcher.after(DEBOUNCE)["message"] == "The disk is away again."
        watcher.docs.unavailable = ""
        assert did(watcher.after(RETRY_SECONDS)) == {"unchanged": 1}
        assert [run.kind for run in watcher.workspace.ledger.runs.newest()] == ["watch", "watch"]


def test_a_source_that_goes_away_while_it_is_read_keeps_what_was_done(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(kb) as watcher:
        watcher.start()
        for number in range(100):
            watcher.put(f"{number:03}.md", f"Text {number}.")
        fetch = watcher.docs.fetch

        def fetch_until(uri: str, into: Path | None) -> Any:
            if uri == "080.md":
                raise SourceUnavailable("The disk has just gone.")
            return fetch(uri, into)

        monkeypatch.setattr(watcher.docs, "fetch", fetch_until)
        watcher.docs.hint("")
        event = watcher.after(DEBOUNCE)
        assert (event["outcome"], did(event)) == ("failed", {"added": 64})
        assert event["sources"][0]["error"] == "The disk has just gone. What was done before is whole."
        monkeypatch.setattr(watcher.docs, "fetch", fetch)
        assert did(watcher.after(RETRY_SECONDS)) == {"added": 36, "unchanged": 64}


def test_a_source_that_could_not_be_watched_is_watched_once_it_can_be(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(kb) as watcher:
        watch = watcher.docs.watch
        monkeypatch.setattr(watcher.docs, "watch", _raise)
        *_, ready = watcher.start()
        assert ready["watched"] == []
        monkeypatch.setattr(watcher.docs, "watch", watch)
        watcher.put("a.md")
        assert did(watcher.after(SWEEP)) == {"added": 1}
        assert did(watcher.change("b.md", "By a hint.")) == {"added": 1, "unchanged": 1}


def _raise(*_: Any, **__: Any) -> Any:
    raise OSError("no more watches")


def test_trouble_in_one_source_does_not_stop_the_others(kb: Knowledge) -> None:
    with following(kb, "more") as watcher:
        watcher.docs.unavailable = "The disk is away."
        watcher.put("m.md", source="more")
        told = watcher.start()
        assert [(e["event"], e.get("source")) for e in told] == [
            ("error", "docs"), ("sync", "more"), ("ready", None),
        ]  # fmt: skip
        watcher.put("n.md", "Another.", source="more")
        watcher.sources["more"].hint("")
        assert did(watcher.after(DEBOUNCE)) == {"added": 1, "unchanged": 1}


def test_a_listing_that_stays_incomplete_does_not_hold_up_hints(kb: Knowledge) -> None:
    with following(kb) as watcher:
        watcher.docs.errors = ["One folder may not be read."]
        watcher.put("a.md")
        first, _ = watcher.start()
        assert (first["outcome"], first["sources"][0]["complete"]) == ("failed", False)
        assert did(watcher.change("b.md", "By a hint.")) == {"added": 1, "unchanged": 1}
        watcher.docs.errors = []
        assert watcher.after(4 * RETRY_SECONDS)["outcome"] == "done"


def test_behind_another_writer_it_waits_and_tries_again(kb: Knowledge) -> None:
    with following(kb) as watcher:
        watcher.start()
        with watcher.workspace.ledger.writer("docs", "freshkb sync"):
            waiting = watcher.change("a.md")
            assert waiting["event"] == "waiting"
            assert "`freshkb sync`" in waiting["message"]
        assert did(watcher.after(RETRY_SECONDS)) == {"added": 1}


def test_tries_behind_another_writer_leave_no_runs(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    with following(kb) as watcher:
        watcher.start()
        tries: queue.SimpleQueue[str] = queue.SimpleQueue()
        monkeypatch.setattr(Watcher, "_trouble", lambda _, source, event, message: tries.put(event))
        before = len(watcher.workspace.ledger.runs.newest())
        with watcher.workspace.ledger.writer("docs", "freshkb sync"):
            watcher.put("a.md")
            watcher.docs.hint("")
            for span in (DEBOUNCE, *[RETRY_SECONDS] * 4):
                watcher.clock.time += span
                assert tries.get(timeout=PATIENCE_SECONDS) == "waiting"
            assert len(watcher.workspace.ledger.runs.newest()) == before
        assert did(watcher.after(RETRY_SECONDS)) == {"added": 1}
        assert len(watcher.workspace.ledger.runs.newest()) == before + 1


def test_an_index_of_another_model_ends_it(kb: Knowledge) -> None:
    with pytest.raises(ModelChanged), following(kb) as watcher:
        watcher.start()
        with watcher.workspace.ledger.database.writing() as connection:
            connection.exec_driver_sql("UPDATE collections SET dtype = 'bfloat16'")
        watcher.put("a.md")
        watcher.docs.hint("")
        watcher.clock.time += DEBOUNCE
        watcher.thread.join(PATIENCE_SECONDS)


# ── Its end ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_finishes_the_batch_in_hand(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    with following(kb) as watcher:
        watcher.start()
        for number in range(100):
            watcher.put(f"{number:03}.md", f"Text {number}.")
        embed = HashEmbedder.embed_documents

        def embed_and_stop(self: HashEmbedder, *arguments: Any) -> Any:
            watcher.stop.set()
            return embed(self, *arguments)

        monkeypatch.setattr(HashEmbedder, "embed_documents", embed_and_stop)
        watcher.docs.hint("")
        event = watcher.after(DEBOUNCE)
        assert (event["outcome"], did(event)) == ("interrupted", {"added": 64})
        watcher.thread.join(PATIENCE_SECONDS)
        assert not watcher.thread.is_alive()


def test_it_rests_while_nothing_happens(kb: Knowledge) -> None:
    with following(kb) as watcher:
        watcher.start()
        while not watcher.clock.calls.empty():
            watcher.clock.calls.get()
        looks = [watcher.clock.calls.get(timeout=PATIENCE_SECONDS) for _ in range(12)]
    # Three looks at the clock in each turn, and at least 0.2 s in between.
    assert looks[-1] - looks[0] > 0.5


def test_events_can_be_said_in_words(kb: Knowledge) -> None:
    with following(kb) as watcher:
        *_, ready = watcher.start()
        assert described(ready) == "Ready: watching docs."
        assert described({**ready, "watched": []}) == "Ready: watching nothing; sweeping on a timer."
        assert described(watcher.change("a.md")) == "docs: 1 added (0.0 s)."
        watcher.docs.unavailable = "The disk is away."
        watcher.docs.hint("")
        assert described(watcher.after(DEBOUNCE)) == "docs: The disk is away."


# ── As a process ──────────────────────────────────────────────────────────────────────────────────────


class Process:
    """`freshkb watch --json` in a process of its own."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        start: Any = forks.Popen if command[0] == sys.executable else subprocess.Popen
        self.process: subprocess.Popen[str] = start(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home, env=environment()
        )

    def next(self, event: str = "sync") -> dict[str, Any]:
        """The next event of this kind; pytest's own time limit bounds the wait."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found: dict[str, Any] = json.loads(line)
            if found["event"] == event:
                return found
        raise AssertionError(self.process.communicate()[1])

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        left, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert all(json.loads(line) for line in left.splitlines())
        return self.process.returncode


@contextmanager
def running(command: Sequence[str], home: Path) -> Iterator[Process]:
    watcher = Process(command, home)
    try:
        yield watcher
    finally:
        watcher.process.kill()
        watcher.process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_service_that_is_asked_to_end_ends_well_and_ctrl_c_is_an_interruption(
    kb: Knowledge, number: signal.Signals, code: int
) -> None:
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.config()
    with running(process("watch", "--json"), kb.home) as watcher:
        watcher.next("ready")
        kb.write("a.md", "# A\n\nText.\n")
        assert did(watcher.next()) == {"added": 1}
        assert watcher.end(number) == code
    assert list(kb.documents()) == ["a.md"]


#: Time, level, room, and what happened.
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) freshkb\.[a-z]+: \S.*")


def logged(kb: Knowledge, *options: str) -> list[str]:
    """The lines on stderr of a watcher that brings in 40 documents and a broken one, until it is stopped."""
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.config()
    with running(process("watch", *options), kb.home) as watcher:
        assert watcher.process.stderr is not None
        lines: list[str] = []
        for line in watcher.process.stderr:
            lines.append(line.rstrip("\n"))
            if "Ready" in line:
                # All at once, however slow the machine is.
                for number in range(70):
                    kb.write(f"../new/secret-{number:02}.md", f"# Secret {number}\n\nText {number}.\n")
                kb.write("../new/secret.docx", "This is no Word document.")
                (kb.home / "new").rename(kb.docs / "new")
            if " freshkb.watch: docs: 70 added" in line:
                watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(timeout=PATIENCE_SECONDS) == 0
        assert watcher.process.stdout is not None
        assert watcher.process.stdout.read() == ""
    for line in lines:
        assert LINE.fullmatch(line), line
    return lines


def test_a_service_logs_a_line_a_batch_with_time_level_counts_and_seconds(kb: Knowledge) -> None:
    lines = logged(kb)
    batches = [line.partition(" freshkb.sync: ")[2] for line in lines if " freshkb.sync: " in line]
    assert [batch.partition(";")[0] for batch in batches] == [
        "docs: 64 of 71 documents: 64 added",
        "docs: 71 of 71 documents: 6 added, 1 quarantined",
    ]
    seconds = r"fetch \d+\.\d\d s, parse \d+\.\d\d s, embed \d+\.\d\d s, write \d+\.\d\d s"
    assert re.fullmatch(rf".*; chunks: 64 embedded; {seconds}", batches[0])
    spent = {step: float(took) for step, took in re.findall(r"(\w+) (\d+\.\d\d) s", batches[0])}
    assert spent["parse"] > 0 and spent["write"] > 0
    assert any(" INFO freshkb.watch: Ready: watching docs." in line for line in lines)
    assert any(" WARNING freshkb.watch: docs: 70 added" in line for line in lines)
    assert " INFO freshkb.cli: Stopping after the batch in hand" in "\n".join(lines)
    assert not any("DEBUG" in line for line in lines)
    assert not any("ecret" in line for line in lines)


def test_a_service_says_more_when_asked_and_still_no_names(kb: Knowledge) -> None:
    lines = logged(kb, "-v")
    rooms = {line.split()[2].rstrip(":") for line in lines if " DEBUG " in line}
    assert rooms >= {"freshkb.cli", "freshkb.run", "freshkb.sync", "freshkb.workspace"}
    assert not any("ecret" in line for line in lines)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("converted")
def test_with_the_real_model_a_dropped_document_is_found_and_a_removed_one_gone(kb: Knowledge) -> None:
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.write("first.md", "# First\n\nIt was there before.\n")
    config = kb.config()
    freshkb = str(Path(process()[0]).with_name("freshkb"))
    with running([freshkb, "watch", "--json"], kb.home) as watcher, KnowledgeBase.open(config) as reader:
        watcher.next("ready")

        def found() -> list[str]:
            return [hit.uri for hit in reader.search("zebras", mode="sparse")]

        path = kb.write("new/zebra.md", "# Zebra\n\nZebras have stripes.\n")
        event = watcher.next()
        assert did(event)["added"] == 1
        assert event["since_hint"] < PATIENCE_SECONDS
        assert found() == ["new/zebra.md"]
        path.unlink()
        event = watcher.next()
        assert did(event)["deleted"] == 1
        assert event["since_hint"] < PATIENCE_SECONDS
        assert found() == []
        assert watcher.end(signal.SIGTERM) == 0
