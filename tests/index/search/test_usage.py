"""Counts of what searches show, and what the last audit found in what is shown."""

from __future__ import annotations

from index.audit import history
from index.audit.audit import audit_of
from index.search.knowledge_base import KnowledgeBase
from tests.knowledge import Knowledge

OLD = "---\nlast_reviewed: 2025-01-01\n---\n# Leave\n\nFour hours of leave.\n\n## More\n\nLeave again.\n"


def shown(kb: Knowledge) -> dict[str, tuple[str, int, int]]:
    uris = {document.document_id: uri for uri, document in kb.documents().items()}
    rows = kb.ask(lambda w: w.ledger.usage.since(kb.clock().date().replace(year=2020)))
    return {f"{uris[row.document_id]} {row.day}": (row.day, row.hits, row.fresh) for row in rows}


def test_a_document_counts_once_a_search_and_no_question_is_kept(kb: Knowledge) -> None:
    kb.settings["audit"] = {"count_hits": True}
    kb.write("old.md", OLD)
    kb.write("new.md", OLD.replace("2025-01-01", "2026-05-30").replace("Four", "Five"))
    kb.sync()
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        for _ in range(3):
            base.search("leave")
        kb.clock.forward(days=1)
        base.search("leave", fresh_only=True)
        base.close()
    days = ("2026-06-01", "2026-06-02")
    assert shown(kb) == {
        f"old.md {days[0]}": (days[0], 3, 0),
        f"new.md {days[0]}": (days[0], 3, 3),
        f"new.md {days[1]}": (days[1], 1, 1),
    }


def test_nothing_is_counted_unless_it_is_asked_for(kb: Knowledge) -> None:
    kb.write("old.md", OLD)
    kb.sync()
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        assert base.search("leave")
        base.close()
    assert shown(kb) == {}


def test_a_hit_names_what_the_last_audit_found(kb: Knowledge) -> None:
    kb.write("old.md", OLD)
    kb.sync()
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        assert {hit.findings for hit in base.search("leave")} == {()}
        history.record(workspace.ledger, audit_of(workspace), "r1")
        assert {hit.findings for hit in base.search("leave")} == {("unowned",)}
        assert base.search("leave")[0].json()["findings"] == ["unowned"]
