"""Audits beside the earlier ones: status of findings, what was resolved, the trend."""

from __future__ import annotations

from datetime import timedelta

from index.audit import history
from index.audit.audit import audit_of
from index.audit.result import Audit
from index.ledger import audit_tables
from tests.knowledge import Knowledge


def audited(kb: Knowledge, owner: str | None = None, **since: float) -> Audit:
    """An audit that is put on record, as the command does."""
    with kb.workspace() as workspace:
        begin = kb.clock() - timedelta(**since) if since else None
        found = audit_of(workspace, owner, begin)
        history.record(workspace.ledger, found, f"run-{kb.clock.time:%Y%m%d}")
        return found


def statuses(found: Audit) -> dict[tuple[str, str | None], str]:
    return {(finding.code, finding.uri): finding.status for finding in found.findings}


def test_a_finding_is_new_then_open_then_resolved_and_new_again(kb: Knowledge) -> None:
    kb.source["owner"] = "user:anna"
    kb.write("a.md", "---\nlast_reviewed: 2025-01-01\n---\nRules.\n")
    kb.write("b.md", "---\nlast_reviewed: 2026-05-30\nowner: user:ben\n---\nMore rules.\n")
    kb.sync()
    first = kb.clock()
    found = audited(kb)
    assert statuses(found) == {("stale", "a.md"): "new"} and not found.resolved and not found.past

    kb.clock.forward(days=1)
    found = audited(kb)
    assert statuses(found) == {("stale", "a.md"): "open"}
    assert found.findings[0].first_seen_at == first
    assert [past.counts["stale"] for past in found.past] == [1]

    kb.write("a.md", "---\nlast_reviewed: 2026-06-02\n---\nRules.\n")
    kb.sync()
    kb.clock.forward(days=1)
    found = audited(kb)
    assert statuses(found) == {}
    (gone,) = found.resolved
    assert (gone.code, gone.uri, gone.first_seen_at) == ("stale", "a.md", first)
    assert [past.trust_score for past in found.past] == [0.5, 0.5]
    anna = {past.at: dict(past.owners["user:anna"]) for past in found.past}
    assert list(anna.values()) == [{"stale": 1}, {"stale": 1}]

    kb.clock.forward(days=1)
    assert audited(kb).resolved == (), "it was told once"
    assert len(audited(kb, days=3).resolved) == 1, "and again since a date before"

    kb.clock.forward(days=400)
    found = audited(kb)
    assert statuses(found)[("stale", "a.md")] == "new", "it came back"
    assert found.findings[0].first_seen_at == kb.clock()


def test_a_check_that_is_switched_off_resolves_nothing(kb: Knowledge) -> None:
    kb.write("a.md", "---\nlast_reviewed: 2026-05-30\n---\nRules.\n")
    kb.sync()
    assert statuses(audited(kb)) == {("unowned", "a.md"): "new"}
    kb.settings["audit"] = {"checks": {"unowned": False}}
    kb.clock.forward(days=1)
    found = audited(kb)
    assert statuses(found) == {} and found.resolved == ()
    kb.clock.forward(days=1)
    assert audited(kb, days=3).resolved == ()


def test_an_audit_of_one_owner_resolves_nothing_of_others(kb: Knowledge) -> None:
    kb.write("a.md", "---\nlast_reviewed: 2025-01-01\nowner: user:anna\n---\nRules.\n")
    kb.write("b.md", "---\nlast_reviewed: 2025-01-01\nowner: user:ben\n---\nMore rules.\n")
    kb.sync()
    audited(kb)
    kb.clock.forward(days=1)
    found = audited(kb, "user:ben")
    assert statuses(found) == {("stale", "b.md"): "open"} and found.resolved == ()
    kb.clock.forward(days=1)
    assert set(statuses(audited(kb)).values()) == {"open"}


def test_a_moved_document_keeps_its_findings_and_a_deleted_one_resolves_them(kb: Knowledge) -> None:
    path = kb.write("a.md", "---\nlast_reviewed: 2025-01-01\nowner: user:anna\n---\nRules.\n")
    kb.write("b.md", "---\nlast_reviewed: 2026-05-30\nowner: user:anna\n---\nMore.\n")
    kb.sync()
    audited(kb)
    path.rename(kb.docs / "c.md")
    kb.sync()
    kb.clock.forward(days=1)
    assert statuses(audited(kb)) == {("stale", "c.md"): "open"}
    (kb.docs / "c.md").unlink()
    kb.sync()
    kb.clock.forward(days=1)
    found = audited(kb)
    assert not found.findings and [gone.uri for gone in found.resolved] == [None]


def test_the_ledger_holds_no_name_of_an_owner_and_no_sentence(kb: Knowledge) -> None:
    kb.write("secret-path.md", "---\nlast_reviewed: 2025-01-01\nowner: user:anna\n---\nRules.\n")
    kb.sync()
    audited(kb)
    with kb.workspace() as workspace, workspace.ledger.database.reading() as connection:
        for table in (audit_tables.audits, audit_tables.audit_counts, audit_tables.findings):
            rows = [str(tuple(row)) for row in connection.execute(table.select())]
            assert rows and not any(word in row for row in rows for word in ("anna", "secret", "Rules"))
