"""The engine from a folder to the store and back, with real parts; only the model is a stand-in."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.actor import actor
from index.errors import Locked, ModelChanged, StoreError, StoreMismatch
from index.health.doctor import examine
from index.ledger import LogAction, LogEntry
from index.model import State
from index.outcome import RunReport
from index.records import Intent, Review
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.store.edge.store import EdgeStore
from index.sync.collection import create
from index.sync.sync import plan_of, sync
from index.verify.compare import verify
from index.workspace import Workspace, require_collection
from tests.holds import order
from tests.knowledge import Knowledge, counts

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.usefixtures("examined_here")

PAGE = """---
title: {title}
owner: user:anna
last_reviewed: 2026-05-01
---
# {title}

{title} begins with this paragraph.

## Details

And this is what the details of {title} are.
"""


def page(kb: Knowledge, uri: str, title: str | None = None) -> Path:
    return kb.write(uri, PAGE.format(title=title or uri))


def equal(kb: Knowledge) -> None:
    """Source, ledger and store agree in every respect that can be compared."""
    found = kb.ask(lambda m: verify(m, deep=True))
    assert found.json()["ok"], found.json()


def test_a_sync_makes_the_index_equal_and_a_second_one_does_nothing(kb: Knowledge) -> None:
    for name in "abc":
        page(kb, f"{name}.md")
    kb.write("tool.exe", "MZ")
    assert counts(kb.sync()) == {"added": 3, "skipped": 1, "embedded": 6}
    before = kb.points()
    parsed = len(kb.parser.parsed)
    assert counts(kb.sync()) == {"unchanged": 3, "skipped": 1, "embedded": 0}
    assert kb.points() == before
    assert len(kb.parser.parsed) == parsed
    equal(kb)


def test_every_point_carries_the_payload_that_readers_rely_on(kb: Knowledge) -> None:
    page(kb, "guide/a.md", "Guide")
    kb.sync()
    body = next(p.payload for p in kb.points().values() if p.payload["metadata"]["chunk_index"] == 1)
    metadata = body["metadata"]
    assert set(body) == {"page_content", "doc_id", "metadata"}
    assert body["doc_id"] == metadata["document_id"]
    assert body["page_content"].startswith("Details")
    assert metadata["heading_path"] == ["Guide", "Details"]
    assert metadata["uri"] == "guide/a.md"
    assert metadata["url"].startswith("file:///")
    assert (metadata["owner"], metadata["title"]) == ("user:anna", "Guide")
    assert (metadata["chunk_index"], metadata["chunk_count"]) == (1, 2)
    # A date without a time begins where it is first on earth, and ages from where it is last.
    assert metadata["date_used"] == "2026-04-30T10:00:00Z"
    assert metadata["warn_at"] == "2026-07-30T12:00:00Z"
    assert metadata["indexed_at"] == "2026-06-01T12:00:00Z"
    assert set(metadata) == {
        "document_id", "source", "uri", "url", "title", "heading_path", "page", "chunk_index", "chunk_count",
        "language", "content_type", "owner", "owners", "modified_at", "reviewed_at", "date_used", "warn_at",
        "stale_at", "indexed_at", "content_hash", "extraction_fingerprint",
    }  # fmt: skip


def test_an_edit_embeds_the_changed_chunk_only(kb: Knowledge) -> None:
    path = page(kb, "a.md")
    page(kb, "b.md")
    kb.sync()
    path.write_text(path.read_text() + "\nOne more sentence.\n")
    assert counts(kb.sync()) == {"updated": 1, "unchanged": 1, "embedded": 1}
    assert "One more sentence." in kb.texts()["a.md"]
    equal(kb)


def test_a_rename_keeps_id_and_vectors_and_embeds_nothing(kb: Knowledge) -> None:
    path = page(kb, "a.md", "Title")
    kb.sync()
    before, points = kb.documents()["a.md"], kb.points()
    (kb.docs / "sub").mkdir()
    path.rename(kb.docs / "sub" / "b.md")
    assert counts(kb.sync()) == {"moved": 1, "embedded": 0}
    after = kb.documents()["sub/b.md"]
    assert after.document_id == before.document_id
    moved = kb.points()
    assert {i: p.dense for i, p in moved.items()} == {i: p.dense for i, p in points.items()}
    assert {p.payload["metadata"]["uri"] for p in moved.values()} == {"sub/b.md"}
    equal(kb)


def test_a_rename_with_an_edit_keeps_the_id_when_most_of_the_text_stays(kb: Knowledge) -> None:
    path = kb.write("a.md", "\n\n".join(f"# Part {i}\n\nText of part {i}." for i in range(6)))
    kb.sync()
    before = kb.documents()["a.md"].document_id
    path.write_text(path.read_text().replace("Text of part 3.", "Another text."))
    path.rename(kb.docs / "b.md")
    assert counts(kb.sync()) == {"moved": 1, "embedded": 1}
    assert kb.documents()["b.md"].document_id == before
    equal(kb)


def test_a_swap_of_two_names_embeds_nothing(kb: Knowledge) -> None:
    one, two = page(kb, "a.md", "One"), page(kb, "b.md", "Two")
    kb.sync()
    one.rename(kb.docs / "t")
    two.rename(one)
    (kb.docs / "t").rename(two)
    assert counts(kb.sync()) == {"updated": 2, "embedded": 0}
    assert kb.documents()["a.md"].title == "Two"
    equal(kb)


def test_a_copy_is_a_document_of_its_own_and_embeds_nothing(kb: Knowledge) -> None:
    page(kb, "a.md", "Same")
    kb.sync()
    page(kb, "b.md", "Same")
    assert counts(kb.sync()) == {"added": 1, "unchanged": 1, "embedded": 0}
    equal(kb)


def test_a_text_that_stands_twice_in_a_batch_is_embedded_once(kb: Knowledge) -> None:
    page(kb, "a.md", "Same")
    page(kb, "b.md", "Same")
    assert counts(kb.sync()) == {"added": 2, "embedded": 2}


def test_a_touch_changes_the_date_and_nothing_else(kb: Knowledge) -> None:
    path = page(kb, "a.md")
    kb.sync()
    parsed = len(kb.parser.parsed)
    os.utime(path, ns=(10**18, 10**18))
    assert counts(kb.sync()) == {"touched": 1, "embedded": 0}
    assert len(kb.parser.parsed) == parsed
    assert {p.payload["metadata"]["modified_at"] for p in kb.points().values()} == {"2001-09-09T01:46:40Z"}
    equal(kb)


def test_a_path_that_postgresql_cannot_hold_is_left_out_and_named(kb: Knowledge, postgresql_url: str) -> None:
    kb.settings["ledger"] = postgresql_url
    kb.write("a.md", "# A\n\nShort.\n")
    fits, long = (f"{'é' * 100}/" * folders + "x.md" for folders in (9, 10))
    for uri in (fits, long):
        kb.write(uri, "# B\n\nLong.\n")
    assert counts(kb.sync()) == {"added": 2, "embedded": 2}
    assert set(kb.documents()) == {"a.md", fits}
    (finding,) = kb.ask(lambda workspace: workspace.ledger.sources.all())[0].findings
    assert (finding["uri"], finding["code"]) == (long, "too-deep")
    assert "has a path of 2,014 bytes; the limit of a ledger on PostgreSQL is 2,000" in finding["reason"]
    assert counts(kb.sync()) == {"unchanged": 2, "embedded": 0}


@pytest.mark.parametrize("seconds", [300_000_000_000, -70_000_000_000])
def test_a_file_of_the_year_11476_or_before_the_first_has_no_date_and_stops_no_other(
    kb: Knowledge, seconds: int
) -> None:
    """Where the file system holds such a time; others take the nearest that they hold."""
    os.utime(kb.write("a.md", "# A\n\nOf another time.\n"), (seconds, seconds))
    kb.write("b.md", "# B\n\nOf today.\n")
    kb.sync()
    assert set(kb.documents()) == {"a.md", "b.md"}
    equal(kb)


def test_a_deleted_document_leaves_no_point(kb: Knowledge) -> None:
    path = page(kb, "a.md")
    page(kb, "b.md")
    kb.sync()
    path.unlink()
    assert counts(kb.sync()) == {"deleted": 1, "unchanged": 1, "embedded": 0}
    assert set(kb.texts()) == {"b.md"}
    equal(kb)


def test_a_rule_that_changes_reaches_the_payloads_without_reading_a_document(kb: Knowledge) -> None:
    kb.write("policies/a.md", "# A\n\nText.")
    kb.write("b.md", "# B\n\nText.")
    kb.sync()
    parsed = len(kb.parser.parsed)
    kb.source["rules"] = [{"match": "policies/**", "owner": "user:bo", "freshness": {"warn_after": "1d"}}]
    assert counts(kb.sync()) == {"touched": 1, "unchanged": 1, "embedded": 0}
    assert len(kb.parser.parsed) == parsed
    owners = {p.payload["metadata"]["uri"]: p.payload["metadata"]["owner"] for p in kb.points().values()}
    assert owners == {"policies/a.md": "user:bo", "b.md": ""}
    equal(kb)


def test_a_field_that_a_rule_names_later_is_looked_for_in_all_documents(kb: Knowledge) -> None:
    """A row has no value of a field that no rule named, but for dates."""
    kb.write("soon.md", "---\ncheck_date: soon, we hope\n---\n# A\n\nText.\n")
    kb.write("empty.md", "---\ncheck_date:\n---\n# B\n\nText.\n")
    kb.write("without.md", "# C\n\nText.\n")
    kb.sync()
    kb.source["freshness"] = {"field": ["check_date", "modified_at"]}
    assert counts(kb.sync())["embedded"] == 0
    undated = {uri for uri, document in kb.documents().items() if document.date_used is None}
    assert undated == {"soon.md", "empty.md"}
    equal(kb)
    parsed = len(kb.parser.parsed)
    kb.source["freshness"] = {"field": ["check_date", "modified_at"], "warn_after": "1d"}
    kb.sync()
    assert len(kb.parser.parsed) == parsed


def test_a_document_that_fails_keeps_its_old_text_and_stops_no_other(kb: Knowledge) -> None:
    page(kb, "a.md")
    good = kb.write("b.json", '{"word": "kept"}')
    kb.sync()
    good.write_bytes(b"\x00\x01\x02\xff\xfe\x00broken")
    page(kb, "c.md")
    report = kb.sync()
    assert counts(report) == {"added": 1, "unchanged": 1, "quarantined": 1, "embedded": 2}
    assert report.exit_code == 3
    failed = kb.documents()["b.json"]
    assert failed.state is State.QUARANTINED
    assert failed.reason
    assert "kept" in kb.texts()["b.json"]
    assert kb.sync().exit_code == 3
    equal(kb)


def test_a_failed_document_is_tried_again_when_it_changes(kb: Knowledge) -> None:
    path = kb.write("a.json", "")
    path.write_bytes(b"\x00\x01\x02\xff\xfe\x00broken")
    assert counts(kb.sync()) == {"quarantined": 1, "embedded": 0}
    parsed = len(kb.parser.parsed)
    kb.sync()
    assert len(kb.parser.parsed) == parsed
    path.write_text('{"now": "fine"}')
    report = kb.sync()
    assert (report.exit_code, counts(report)["updated"]) == (0, 1)


def test_another_model_is_refused_and_names_the_way_out(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.sync()
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    page(kb, "b.md")
    with pytest.raises(ModelChanged, match="freshkb reindex"):
        kb.sync()
    assert set(kb.texts()) == {"a.md"}


def test_ledger_and_store_of_different_bases_refuse_each_other(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.sync()
    instance = next((kb.home / ".freshkb" / "index").glob("*/instance"))
    instance.write_text("00000000-0000-0000-0000-000000000000")
    page(kb, "b.md")
    with pytest.raises(StoreMismatch, match="another ledger"):
        kb.sync()


# ── Silence is not deletion ───────────────────────────────────────────────────────────────────────────


def many(kb: Knowledge, number: int) -> None:
    for i in range(number):
        kb.write(f"{i:02}.md", f"# Page {i}\n\nText {i}.")
    kb.sync()


def test_the_same_documents_below_a_renamed_root_stay_themselves(kb: Knowledge) -> None:
    many(kb, 3)
    kb.docs.rename(kb.home / "renamed")
    kb.source["root"] = "./renamed"
    report = kb.sync()
    assert (report.exit_code, counts(report)) == (0, {"touched": 3, "embedded": 0})
    assert all("/renamed/" in p.payload["metadata"]["url"] for p in kb.points().values())
    kb.docs = kb.home / "renamed"
    equal(kb)


def test_a_held_document_that_vanished_stays_and_is_out_of_search(kb: Knowledge) -> None:
    many(kb, 2)
    document = kb.documents()["00.md"]
    kb.ask(lambda m: m.ledger.holds.place(order("LH-1", kb.clock()), [document.document_id], []))
    (kb.docs / "00.md").unlink()
    report = kb.sync()
    assert (report.exit_code, counts(report)["held"]) == (0, 1)
    assert kb.documents()["00.md"].state is State.HELD
    assert kb.sync().exit_code == 0
    kb.write("00.md", "# Page 0\n\nText 0.")
    assert kb.sync().exit_code == 0
    assert kb.documents()["00.md"].state is State.INDEXED


# ── Crashes, locks, interruption ──────────────────────────────────────────────────────────────────────


class Crash(BaseException):
    """Ends a run as a kill would: nothing is caught, nothing is cleaned up."""


def documents_log(kb: Knowledge) -> list[LogEntry]:
    """The log's entries of documents, the newest first."""
    return [entry for entry in kb.ask(lambda m: m.ledger.log.newest()) if entry.source]


def crashing(workspace: Workspace, method: str, *, after: bool) -> None:
    """The ledger's method crashes before or after it has done its work."""
    part = workspace.ledger if method == "writer" else workspace.ledger.writes
    real = getattr(part, method)

    def crash(*args: Any, **more: Any) -> Any:
        if after:
            real(*args, **more)
        raise Crash

    setattr(part, method, crash)


def test_a_hold_that_comes_between_plan_and_apply_keeps_the_document(kb: Knowledge) -> None:
    held, gone = page(kb, "held.md"), page(kb, "gone.md")
    kb.sync()
    (document,) = (d for uri, d in kb.documents().items() if uri == "held.md")
    held.unlink()
    gone.unlink()
    page(kb, "new.md")
    with kb.workspace() as workspace:
        writes, intend = workspace.ledger.writes, workspace.ledger.writes.intend

        def after_a_hold(run_id: str, collection: str, wanted: Sequence[Intent]) -> set[str]:
            with kb.workspace() as other:
                if not other.ledger.holds.standing():
                    placed = LogEntry(kb.clock(), LogAction.HOLD_PLACED, subject="LH-1")
                    other.ledger.holds.place(order("LH-1", kb.clock()), [document.document_id], [placed])
            return intend(run_id, collection, wanted)

        writes.intend = after_a_hold  # type: ignore[method-assign]
        assert counts(sync(Run(workspace, "sync"))) == {"added": 1, "deleted": 1, "embedded": 2}
    assert kb.documents()["held.md"] == document
    assert set(kb.texts()) == {"held.md", "new.md"}
    said = [entry for entry in documents_log(kb) if entry.subject == document.document_id]
    assert [entry.action for entry in said] == [LogAction.REMOVAL_REFUSED, LogAction.ADDED]
    assert said[0].facts == {"hold": "LH-1"}
    assert counts(kb.sync())["held"] == 1
    assert kb.documents()["held.md"].state is State.HELD
    kb.sync()
    said = [entry for entry in documents_log(kb) if entry.subject == document.document_id]
    assert (said[0].action, said[0].facts) == (LogAction.HELD, {"hold": "LH-1"})
    assert len(said) == 3, "once, when it became so"
    equal(kb)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method", ["intend", "commit", "settle"])
def test_whatever_a_crash_leaves_the_next_sync_puts_right(kb: Knowledge, method: str, after: bool) -> None:
    changed, moved, gone = page(kb, "a.md"), page(kb, "b.md", "Moved"), page(kb, "c.md")
    kb.sync()
    changed.write_text(changed.read_text() + "\nMore.\n")
    moved.rename(kb.docs / "d.md")
    gone.unlink()
    page(kb, "new.md")
    with kb.workspace() as workspace:
        run = Run(workspace, "sync")
        crashing(workspace, method, after=after)
        with pytest.raises(Crash):
            sync(run)
    assert kb.sync().exit_code == 0
    assert set(kb.texts()) == {"a.md", "d.md", "new.md"}
    assert kb.ask(lambda m: m.ledger.points.intents()) == []
    actions = sorted(entry.action for entry in documents_log(kb))
    assert actions == [*["added"] * 4, "deleted", "moved", "updated"]
    equal(kb)


def test_what_was_committed_is_told_by_the_next_sync_even_if_that_has_nothing_to_do(kb: Knowledge) -> None:
    page(kb, "a.md")
    with kb.workspace() as workspace:
        run = Run(workspace, "sync")
        crashing(workspace, "settle", after=False)
        with pytest.raises(Crash):
            sync(run)
    crashed = kb.clock()
    kb.clock.forward(days=1)
    assert documents_log(kb) == []
    (finding,) = kb.ask(lambda m: verify(m).outdated)
    assert (finding.document_id, finding.source) == (kb.documents()["a.md"].document_id, "docs")
    assert "1 log entries were left" in " ".join(c.detail for c in kb.ask(lambda m: examine(m)))
    for _ in range(2):
        kb.sync()
        (entry,) = documents_log(kb)
        assert (entry.action, entry.at, entry.run_id) == ("added", crashed, run.run_id)
        assert entry.actor == actor()
    assert kb.ask(verify).ok


def test_what_was_done_to_the_last_document_of_a_source_is_told_by_the_sync_of_another(kb: Knowledge) -> None:
    """A source that is not in the configuration and has no documents is never synced again."""
    (kb.home / "old").mkdir()
    (kb.home / "old" / "b.md").write_text("# B\n\nText.\n")
    kb.settings["sources"].append({"id": "old", "type": "files", "root": "./old"})
    page(kb, "a.md")
    kb.sync()
    kb.settings["sources"].pop()
    plan_hash = kb.sync().sources[1].plan_hash
    with kb.workspace() as workspace:
        run = Run(workspace, "sync")
        crashing(workspace, "settle", after=False)
        with pytest.raises(Crash):
            sync(run, approve=plan_hash)
    assert [source.source for source in kb.sync().sources] == ["docs"]
    entry = documents_log(kb)[0]
    assert (entry.source, entry.action, entry.run_id) == ("old", "deleted", run.run_id)


def test_a_recovery_removes_no_point_that_another_source_wants_back_meanwhile(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb.settings["sources"].append({"id": "other", "type": "files", "root": "./other"})
    page(kb, "../other/b.md")
    page(kb, "a.md", "One")
    kb.sync()
    page(kb, "a.md", "Two")
    with kb.workspace() as workspace:
        crashing(workspace, "settle", after=False)
        with pytest.raises(Crash):
            sync(Run(workspace, "sync"), ["docs"])
    page(kb, "a.md", "One")
    with kb.workspace() as workspace:
        session = workspace.store.session
        meanwhile: list[RunReport] = []

        def late(name: str) -> Any:
            if not meanwhile:
                meanwhile.append(kb.sync(sources=["docs"]))
            return session(name)

        monkeypatch.setattr(workspace.store, "session", late)
        sync(Run(workspace, "sync"), ["other"])
    assert [counts(report)["updated"] for report in meanwhile] == [1]
    equal(kb)


def test_a_crash_in_the_middle_of_an_upsert_is_mended(kb: Knowledge) -> None:
    path = page(kb, "a.md")
    kb.sync()
    path.write_text(path.read_text().replace("begins", "started") + "\nMore.\n")
    with kb.workspace() as workspace:
        run = Run(workspace, "sync")
        real = workspace.store.session

        class Halved:
            def __init__(self, session: Any) -> None:
                self.session = session

            def __getattr__(self, name: str) -> Any:
                return getattr(self.session, name)

            def upsert(self, points: Sequence[Any]) -> None:
                self.session.upsert(points[:1])
                raise Crash

        from contextlib import contextmanager

        @contextmanager
        def session(name: str) -> Any:
            with real(name) as opened:
                yield Halved(opened)

        workspace.store.session = session  # type: ignore[method-assign,assignment]
        with pytest.raises(Crash):
            sync(run)
    assert kb.sync().exit_code == 0
    equal(kb)


def test_one_writer_a_source_and_the_message_names_the_holder(kb: Knowledge) -> None:
    page(kb, "a.md")
    with (
        kb.workspace() as workspace,
        workspace.ledger.writer("docs", "freshkb watch"),
        pytest.raises(Locked, match="freshkb watch") as refused,
    ):
        kb.sync()
    assert str(os.getpid()) in str(refused.value)
    assert kb.sync().exit_code == 0


def test_a_source_that_another_process_writes_does_not_keep_the_others_waiting(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.settings["sources"].insert(0, {"id": "busy", "type": "files", "root": "./busy"})
    (kb.home / "busy").mkdir()
    with kb.workspace() as workspace, workspace.ledger.writer("busy", "freshkb watch"):
        report = kb.sync()
    busy, docs = report.sources
    assert report.exit_code == 4
    assert "freshkb watch" in (busy.error or "") and not busy.complete
    assert docs.error is None and docs.counts.documents["added"] == 1
    assert kb.ask(lambda m: m.ledger.runs.newest())[0].outcome == "refused"
    assert kb.sync().exit_code == 0


def test_a_stop_finishes_the_batch_in_hand_and_the_next_sync_the_rest(kb: Knowledge) -> None:
    for i in range(70):
        kb.write(f"{i:02}.md", f"# Page {i}\n\nText {i}.")
    stop = threading.Event()

    class StopAfterFirst:
        def source(self, source: str, documents: int) -> None: ...
        def chunks(self, count: int) -> None: ...
        def documents(self, count: int) -> None:
            stop.set()

    with kb.workspace() as workspace:
        report = sync(Run(workspace, "sync", progress=StopAfterFirst(), stop=stop))
    assert report.exit_code == 130
    assert 0 < len(kb.texts()) < 70
    equal_so_far = kb.ask(lambda m: verify(m, sources=False))
    assert equal_so_far.ok
    assert kb.sync().exit_code == 0
    assert len(kb.texts()) == 70
    equal(kb)


def test_a_stop_does_not_leave_out_a_lost_text_of_the_batch_that_is_being_written(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, stop = page(kb, "a.md", "Moved"), threading.Event()
    kb.sync()
    moved.rename(kb.docs / "b.md")
    with kb.workspace() as workspace:
        with workspace.store.session(require_collection(workspace).name) as session:
            points = list(session.scroll(vectors=True))
            session.upsert([replace(p, payload={**p.payload, "page_content": "Damaged."}) for p in points])
        chunks, known_vectors = workspace.ledger.chunks, workspace.ledger.chunks.known_vectors

        def stopped(*asked: Any) -> Any:
            stop.set()
            return known_vectors(*asked)

        monkeypatch.setattr(chunks, "known_vectors", stopped)
        report = sync(Run(workspace, "sync", stop=stop))
    assert report.outcome == "interrupted"
    assert counts(report)["moved"] == 1
    assert set(kb.texts()) == {"b.md"}
    equal(kb)


def test_a_run_is_recorded_however_it_ends(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.sync()
    kb.clock.forward(minutes=1)
    with kb.workspace() as workspace:
        run = Run(workspace, "sync")
        crashing(workspace, "writer", after=False)
        with pytest.raises(Crash):
            sync(run)
    runs = kb.ask(lambda m: m.ledger.runs.newest())
    assert [run.outcome for run in runs] == ["failed", "done"]


def test_a_plan_says_what_a_sync_would_do_and_changes_nothing(kb: Knowledge) -> None:
    page(kb, "a.md")
    planned = kb.ask(lambda m: plan_of(m, "docs"))
    assert planned.counts()["add"] == 1
    assert kb.documents() == {}


# ── Verify ────────────────────────────────────────────────────────────────────────────────────────────


def test_verify_names_what_was_changed_behind_its_back_and_repair_mends_it(kb: Knowledge) -> None:
    from index.verify.repair import repair

    for name in "abcd":
        page(kb, f"{name}.md")
    kb.sync()
    whole = kb.points()
    with kb.workspace() as workspace:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        by_uri: dict[str, list[Any]] = {}
        for point in whole.values():
            by_uri.setdefault(point.payload["metadata"]["uri"], []).append(point)
        with workspace.store.session(collection.name) as session:
            session.delete([by_uri["a.md"][0].id])
            session.upsert(
                [replace(by_uri["b.md"][0], payload={**by_uri["b.md"][0].payload, "page_content": "x"})]
            )
            turned = [-value for value in by_uri["c.md"][0].dense]
            session.upsert([replace(by_uri["c.md"][0], dense=turned)])
            session.upsert([replace(by_uri["d.md"][0], sparse=None)])
            session.upsert([replace(by_uri["d.md"][1], id="ffffffff-0000-4000-8000-000000000000")])
    found = kb.ask(lambda m: verify(m, deep=True))
    assert {f.uri for f in found.missing} == {"a.md", "d.md"}
    assert {f.uri for f in found.altered} == {"b.md", "c.md"}
    assert [f.point_id for f in found.extra] == ["ffffffff-0000-4000-8000-000000000000"]
    with kb.workspace() as workspace:
        found = verify(workspace, deep=True)
        repair(workspace, found, Run(workspace, "verify"))
        assert found.repaired == 5
    equal(kb)
    assert {i: (p.dense, p.sparse) for i, p in kb.points().items()} == {
        i: (p.dense, p.sparse) for i, p in whole.items()
    }


def test_samples_cover_everything_once(kb: Knowledge) -> None:
    for i in range(30):
        page(kb, f"{i}.md")
    kb.sync()
    with kb.workspace() as workspace:
        parts = [verify(workspace, sample=(i, 7)).points for i in range(1, 8)]
    assert sum(parts) == len(kb.points()) == 60


def test_a_lost_store_is_built_anew_by_repair(kb: Knowledge) -> None:
    import shutil

    from index.verify.repair import repair

    page(kb, "a.md")
    kb.sync()
    shutil.rmtree(kb.home / ".freshkb" / "index")
    with pytest.raises(StoreMismatch, match="verify --repair"):
        kb.sync()
    with kb.workspace() as workspace:
        found = verify(workspace)
        assert len(found.missing) == 2
        repair(workspace, found, Run(workspace, "verify"))
    equal(kb)


def test_a_sync_finishes_what_a_repair_of_a_lost_store_began(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from index.verify.repair import repair

    page(kb, "a.md")
    kb.sync()
    texts = kb.texts()
    shutil.rmtree(kb.home / ".freshkb" / "index")
    with kb.workspace() as workspace, monkeypatch.context() as patch:
        found = verify(workspace)
        patch.setattr("index.verify.repair.recover", _cut_short)
        with pytest.raises(StoreError):
            repair(workspace, found, Run(workspace, "verify"))
    assert kb.texts() == {}
    kb.sync()
    assert kb.texts() == texts
    equal(kb)


def _cut_short(*_: object) -> None:
    raise StoreError("It ended here.")


# ── Another model ─────────────────────────────────────────────────────────────────────────────────────


def test_reindex_builds_beside_switches_and_drops_the_old(kb: Knowledge) -> None:
    from index.reindex import reindex

    for name in "abc":
        page(kb, f"{name}.md")
    kb.sync()
    before = kb.texts()
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    with kb.workspace() as workspace:
        report = reindex(workspace, Run(workspace, "reindex"))
        assert report.outcome == "done"
        assert len(workspace.store.collections()) == 1
        current = workspace.ledger.collections.current()
        assert current is not None
        assert current.dtype == "bfloat16"
    assert kb.texts() == before
    assert kb.sync().exit_code == 0
    equal(kb)


def test_the_half_built_index_of_an_abandoned_reindex_is_dropped(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.sync()
    with kb.workspace() as workspace:
        create(workspace, "building")
        assert len(workspace.store.collections()) == 2
    kb.sync()
    assert len(kb.ask(lambda m: m.store.collections())) == 1


def test_nothing_is_written_beside_a_builder_whose_collection_stays(kb: Knowledge) -> None:
    """It does not know the source: its configuration is an older one."""
    page(kb, "a.md")
    kb.sync()
    page(kb, "b.md")
    with kb.workspace() as workspace, workspace.ledger.builder("freshkb verify --repair", []):
        made = create(workspace, "building")
        with pytest.raises(Locked, match="is being built anew by `freshkb verify --repair`"):
            kb.sync()
        assert made in workspace.ledger.collections.all()
        assert made.name in workspace.store.collections()
    assert set(kb.texts()) == {"a.md"}
    kb.sync()
    assert set(kb.texts()) == {"a.md", "b.md"}
    assert len(kb.ask(lambda m: m.store.collections())) == 1


def test_what_first_syncs_that_died_had_begun_is_dropped_by_the_one_that_does_not(kb: Knowledge) -> None:
    page(kb, "a.md")
    with kb.workspace() as workspace:
        create(workspace, "building")
        # Known, and never made.
        made = workspace.ledger.collections.all()[0]
        workspace.ledger.collections.put(replace(made, name="kb-never"), [])
    kb.sync()
    with kb.workspace() as workspace:
        assert workspace.ledger.collections.all() == [workspace.ledger.collections.current()]
        assert workspace.store.collections() == [c.name for c in workspace.ledger.collections.all()]


def test_a_store_that_cannot_make_a_collection_leaves_none_behind(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("No space left on device")

    page(kb, "a.md")
    with monkeypatch.context() as patched:
        patched.setattr("index.store.edge.build.build", full)
        with pytest.raises(StoreError, match="No space left"):
            kb.sync()
    assert kb.ask(lambda m: m.ledger.collections.all()) == []
    assert counts(kb.sync()) == {"added": 1, "embedded": 2}


def test_readers_find_the_collection_after_the_next_sync_where_a_kill_kept_its_name_from_them(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[str, str]] = []
    monkeypatch.setattr(EdgeStore, "publish", lambda self, *names: published.append(names))
    page(kb, "a.md")
    kb.sync()
    kb.sync()
    collection = kb.ask(require_collection)
    assert published == [("kb", collection.name)] * 2


def test_the_old_index_answers_while_the_configuration_names_another_model(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.sync()
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    with kb.workspace() as workspace:
        assert KnowledgeBase(workspace).search("details of a.md", k=1)[0].uri == "a.md"
    assert kb.embedders[-1].fingerprint == kb.embedders[0].fingerprint


def test_two_first_syncs_at_once_share_one_collection(kb: Knowledge) -> None:
    page(kb, "a.md")
    with kb.workspace() as one, kb.workspace() as two:
        # Both have seen that there is none.
        assert one.collection() is None
        assert two.collection() is None
        made = create(one, "current")
        assert create(two, "current") == made
        assert two.store.collections() == [made.name]


def test_a_review_that_a_crash_kept_from_the_index_is_told_by_the_next_sync(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.sync()
    document = kb.documents()["a.md"]
    kb.ask(lambda m: m.ledger.reviews.add([Review(document.document_id, "anna", "", kb.clock())], []))
    assert counts(kb.sync()) == {"touched": 1, "embedded": 0}
    assert {p.payload["metadata"]["reviewed_at"] for p in kb.points().values()} == {"2026-06-01T12:00:00Z"}
    assert counts(kb.sync()) == {"unchanged": 1, "embedded": 0}
    equal(kb)
