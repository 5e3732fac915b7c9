"""Requests of a person that name documents: retry and review."""

from __future__ import annotations

from typing import Any

import pytest

from index.errors import ConfigError, Locked
from index.model import State
from index.outcome import RunReport
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.sync.requests import retry, review
from tests.knowledge import Knowledge

OLD = "---\nlast_reviewed: 2024-01-01\nowner: user:anna\n---\n# Old\n\nOld text.\n"


@pytest.fixture(autouse=True)
def fast(kb: Knowledge) -> None:
    # Its precision is named, because finding the best one would load the model.
    kb.settings["embedding"] = {"dtype": "float32"}


def attest(kb: Knowledge, *uris: str, by: str = "anna", **options: Any) -> RunReport:
    with kb.workspace() as workspace:
        return review(Run(workspace, "review"), uris, by, **options)


def again(kb: Knowledge, *uris: str) -> RunReport:
    with kb.workspace() as workspace:
        return retry(Run(workspace, "retry"), uris or None)


def test_a_review_reaches_ledger_payload_and_search_and_embeds_nothing(kb: Knowledge) -> None:
    kb.write("a.md", OLD)
    kb.sync()
    report = attest(kb, "a.md", note="still right")
    assert report.sources[0].counts.documents == {"touched": 1}
    assert report.json()["chunks"]["embedded"] == 0
    (point,) = kb.points().values()
    assert point.payload["metadata"]["reviewed_at"] == "2026-06-01T12:00:00Z"
    assert point.payload["metadata"]["warn_at"] == "2026-08-30T12:00:00Z"
    assert kb.documents()["a.md"].reviewed_at == kb.clock()
    with kb.workspace() as workspace:
        (hit,) = KnowledgeBase(workspace).search("old text", fresh_only=True)
    assert (hit.verdict, hit.age_days, hit.reviewed_at) == ("fresh", 0, "2026-06-01T12:00:00Z")


def test_a_review_outlives_edits_and_renames(kb: Knowledge) -> None:
    path = kb.write("a.md", OLD)
    kb.sync()
    attest(kb, "a.md")
    kb.write("a.md", OLD + "\nEdited.\n")
    kb.sync()
    path.rename(kb.docs / "b.md")
    kb.sync()
    (document,) = kb.documents().values()
    assert (document.uri, document.reviewed_at) == ("b.md", kb.clock())
    (point,) = kb.points().values()
    assert point.payload["metadata"]["reviewed_at"] == "2026-06-01T12:00:00Z"


def test_a_document_that_never_could_be_read_can_be_reviewed_all_the_same(kb: Knowledge) -> None:
    kb.write("broken.pdf", "not a PDF")
    kb.sync()
    attest(kb, "broken.pdf")
    (document,) = kb.documents().values()
    assert (document.state, document.version, document.chunk_count) == (State.QUARANTINED, 0, 0)
    assert document.reviewed_at == kb.clock()
    assert kb.points() == {}


def test_what_cannot_be_reviewed_is_refused_and_nothing_is_recorded(kb: Knowledge) -> None:
    kb.write("leave.md", OLD)
    kb.write("tool.exe", "MZ")
    kb.sync()
    with pytest.raises(ConfigError, match=r"No document is at leaf\.md; did you mean leave\.md\?"):
        attest(kb, "leave.md", "leaf.md")
    with pytest.raises(ConfigError, match=r"No document is at tool\.exe"):
        attest(kb, "tool.exe")
    with pytest.raises(ConfigError, match="who made it"):
        attest(kb, "leave.md", by=" ")
    kb.source["id"] = "renamed"
    with pytest.raises(ConfigError, match="no source 'docs'"):
        attest(kb, "leave.md")
    assert kb.ask(lambda m: m.ledger.reviews.of([d.document_id for d in m.ledger.documents.find()])) == {}
    assert sorted(run.outcome for run in kb.ask(lambda m: m.ledger.runs.newest())) == [
        "done",
        *["failed"] * 4,
    ]


def test_behind_another_writer_nothing_is_recorded(kb: Knowledge) -> None:
    kb.write("a.md", OLD)
    kb.sync()
    with (
        kb.workspace() as workspace,
        workspace.ledger.writer("docs", "freshkb watch"),
        pytest.raises(Locked, match="freshkb watch"),
    ):
        attest(kb, "a.md")
    assert kb.ask(lambda m: m.ledger.reviews.of([d.document_id for d in m.ledger.documents.find()])) == {}
    assert kb.documents()["a.md"].reviewed_at is None


def test_retry_reads_what_is_named_or_all_of_the_quarantine(kb: Knowledge) -> None:
    for name in ("a.pdf", "b.pdf"):
        kb.write(name, "not a PDF")
    kb.write("fine.md", OLD)
    kb.sync()
    before = len(kb.parser.parsed)
    again(kb, "a.pdf")
    assert kb.parser.parsed[before:] == [".pdf"]
    report = again(kb)
    assert kb.parser.parsed[before + 1 :] == [".pdf", ".pdf"]
    assert (report.outcome, report.sources[0].by_state["quarantined"]) == ("partial", 2)
    with pytest.raises(ConfigError, match=r"No document in quarantine is at fine\.md"):
        again(kb, "fine.md")


def test_retry_takes_what_has_become_readable_and_leaves_what_vanished(kb: Knowledge) -> None:
    kb.write("a.pdf", "not a PDF")
    gone = kb.write("b.pdf", "not a PDF")
    kb.sync()
    before = kb.documents()["a.pdf"]
    gone.unlink()
    (kb.docs / "a.pdf").unlink()
    kb.write("a.pdf", "still not a PDF")
    report = again(kb)
    assert {d.uri: d.state for d in kb.documents().values()} == {
        "a.pdf": State.QUARANTINED,
        "b.pdf": State.QUARANTINED,
    }
    assert kb.documents()["a.pdf"].document_id == before.document_id
    assert report.outcome == "partial"
    assert kb.sync().sources[0].counts.documents["deleted"] == 1


def test_a_stop_ends_it_after_the_batch_in_hand(kb: Knowledge) -> None:
    for number in range(70):
        kb.write(f"{number:02}.md", OLD)
    kb.sync()
    with kb.workspace() as workspace:
        run = Run(workspace, "review")

        class Stopping:
            def source(self, source: str, documents: int) -> None: ...
            def chunks(self, count: int) -> None: ...
            def documents(self, count: int) -> None:
                run.stop.set()

        run.progress = Stopping()
        report = review(run, [f"{number:02}.md" for number in range(70)], "anna")
    assert (report.outcome, report.sources[0].counts.documents["touched"]) == ("interrupted", 64)


def test_a_retry_where_nothing_is_in_quarantine_says_so(kb: Knowledge) -> None:
    kb.write("a.md", "Leave.")
    kb.sync()
    with kb.workspace() as workspace, pytest.raises(ConfigError) as caught:
        retry(Run(workspace, "retry"), ["a.md"])
    assert str(caught.value) == "No document is in quarantine, so there is none to try again."
