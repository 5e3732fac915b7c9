"""What readers were shown: shares of fresh hits, the budget that is left, and the order by damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from index.audit.audit import audit_of
from index.audit.use import WINDOW_DAYS, first_day, hits_of, use_of
from index.ledger.usage import Shown
from tests.knowledge import Knowledge

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OWNED = {"a": ("user:anna", "docs"), "b": ("user:ben", "docs"), "c": ("user:ben", "wiki")}


def test_shares_are_by_owner_source_and_day() -> None:
    shown = [Shown("a", "2026-05-30", 8, 8), Shown("b", "2026-06-01", 2, 0), Shown("c", "2026-06-01", 4, 3)]
    found = use_of(shown, OWNED, NOW, 0.9).json()
    assert (found["hits"], found["fresh"], found["share"]) == (14, 11, 0.7857)
    assert found["owners"] == [
        {"owner": "user:anna", "hits": 8, "fresh": 8, "share": 1.0},
        {"owner": "user:ben", "hits": 6, "fresh": 3, "share": 0.5},
    ]
    assert [(s["source"], s["hits"]) for s in found["sources"]] == [("docs", 10), ("wiki", 4)]
    assert len(found["burn_down"]) == WINDOW_DAYS
    assert hits_of(shown) == {"a": 8, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("fresh", "left", "reached"),
    [(100, 1.0, True), (95, 0.5, True), (90, 0.0, True), (80, -1.0, False)],
)
def test_the_budget_burns_down_by_hits_that_are_not_fresh(fresh: int, left: float, reached: bool) -> None:
    use = use_of([Shown("a", "2026-05-20", 100, fresh)], OWNED, NOW, 0.9)
    burnt = dict(use.burn_down())
    assert burnt["2026-05-19"] == 1.0
    assert round(burnt["2026-05-20"], 6) == round(burnt["2026-06-01"], 6) == left
    assert use.reached is reached


def test_nothing_shown_is_no_share() -> None:
    use = use_of([], OWNED, NOW, 0.9)
    assert use.reached is None and use.burn_down() == [] and use.json()["share"] is None


def test_what_is_found_most_often_comes_first(kb: Knowledge) -> None:
    kb.settings["audit"] = {"count_hits": True, "fresh_hits": 0.5}
    for name, reviewed in (("old.md", "2024-01-01"), ("used.md", "2025-06-01"), ("new.md", "2026-05-30")):
        kb.write(name, f"---\nlast_reviewed: {reviewed}\n---\nRules of {name}.\n")
    kb.sync()
    ids = {uri: document.document_id for uri, document in kb.documents().items()}
    today = kb.clock().date()
    with kb.workspace() as workspace:
        assert [r.uri for r in audit_of(workspace).results] == ["old.md", "used.md", "new.md"]
        counted = {ids["used.md"]: (30, 0), ids["new.md"]: (10, 10)}
        workspace.ledger.usage.count(today, counted, first_day(kb.clock()))
        found = audit_of(workspace)
        assert [(r.uri, r.hits) for r in found.results] == [("used.md", 30), ("old.md", 0), ("new.md", 10)]
        assert found.use is not None and (found.use.all.hits, found.use.reached) == (40, False)
        old = first_day(kb.clock()) - timedelta(days=1)
        workspace.ledger.usage.count(old, {ids["old.md"]: (9, 9)}, old)
        workspace.ledger.usage.count(today, counted, first_day(kb.clock()))
        assert sorted(row.hits for row in workspace.ledger.usage.since(old)) == [20, 60]
