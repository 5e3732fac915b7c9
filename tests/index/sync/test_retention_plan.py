"""What a plan makes of documents whose retention has ended, from values alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Entry
from index.config import DeletionGuard
from index.model import Action, Cause, State
from index.records import PlanRow
from index.sync.diff import compare
from index.sync.expiry import Ending
from index.sync.plan import Plan, SourceState, decide, removals_hash
from tests.index.sync.test_plan import EXTRACTION, entry, row

LAX = DeletionGuard(max_fraction=1.0, max_count=1000)
STRICT = DeletionGuard(max_fraction=0.2, max_count=2)


def ended(*rows: PlanRow) -> dict[str, Ending]:
    return {r.document_id: Ending(r.document_id, r.uri, r.held, State(r.state), "Over.") for r in rows}


def planned(
    entries: Iterable[Entry],
    rows: Sequence[PlanRow],
    over: Sequence[PlanRow] | None = (),
    guard: DeletionGuard = LAX,
    approved: str | None = None,
    **state: Any,
) -> Plan:
    found = compare(sorted(entries), sorted(rows, key=lambda r: r.uri), EXTRACTION)
    endings = None if over is None else ended(*over)
    return decide(found, SourceState("docs", **state), guard, endings=endings, approved=approved)


def done(plan: Plan) -> list[tuple[Action, str, Cause]]:
    return [(item.action, item.uri, item.cause) for item in plan.items]


A, B, C = row("a.md"), row("b.md"), row("c.md")
GONE = row("b.md", state="expired")
LISTED = [entry("a.md"), entry("b.md"), entry("c.md")]


def test_it_expires_last_with_its_reason_and_is_no_longer_unchanged() -> None:
    plan = planned([*LISTED, entry("d.md")], [A, B, C, row("z.md")], [B])
    assert done(plan) == [
        (Action.ADD, "d.md", Cause.LISTING),
        (Action.EXPIRE, "b.md", Cause.RETENTION),
        (Action.DELETE, "z.md", Cause.LISTING),
    ]
    assert plan.items[1].reason == "Over."
    assert plan.counts() | {"expired": 1, "delete": 1, "unchanged": 2} == plan.counts()
    assert [[item.uri for item in batch] for batch in plan.batches(1)] == [["d.md"], ["b.md"], ["z.md"]]
    assert plan.json()["expired"] == 1 and plan.json()["items"][1]["reason"] == "Over."


def test_a_hold_suspends_the_end() -> None:
    held = B._replace(held=True)
    plan = planned(LISTED, [A, held, C], [held])
    assert (plan.items, plan.unchanged, plan.plan_hash) == ((), 3, None)
    (item,) = planned([entry("a.md"), entry("c.md")], [A, held, C], [held]).items
    assert (item.action, item.cause) == (Action.HOLD, Cause.HOLD)


def test_retention_comes_before_the_deletion_at_the_source() -> None:
    """And the row goes with the text then."""
    assert done(planned([entry("a.md")], [A, B], [B])) == [(Action.EXPIRE, "b.md", Cause.LISTING)]


@pytest.mark.parametrize("state", ["indexed", "quarantined", "held"])
def test_every_document_with_text_expires(state: str) -> None:
    other = B._replace(state=state, seen_extraction="x1+l1" if state == "quarantined" else "x1")
    assert done(planned(LISTED, [A, other, C], [other])) == [(Action.EXPIRE, "b.md", Cause.RETENTION)]


def test_a_version_that_is_to_be_extracted_again_expires_instead() -> None:
    outdated = B._replace(seen_extraction="")
    plan = planned(LISTED, [A, outdated, C], [outdated])
    assert done(plan) == [(Action.EXPIRE, "b.md", Cause.RETENTION)] and plan.unchanged == 2


def test_another_version_is_looked_at_before_it_expires() -> None:
    plan = planned([entry("a.md", "t2"), entry("b.md")], [A, B], [A])
    assert done(plan) == [(Action.UPDATE, "a.md", Cause.LISTING)]


# ── Expired ones ──────────────────────────────────────────────────────────────────────────────────────


def test_an_expired_document_that_is_listed_is_unchanged() -> None:
    plan = planned(LISTED, [A, GONE, C], [GONE])
    assert (plan.items, plan.unchanged) == ((), 3)


def test_it_comes_back_when_its_retention_has_not_ended_any_more_or_a_hold_stands_on_it() -> None:
    back = [(Action.UPDATE, "b.md", Cause.RETENTION)]
    plan = planned(LISTED, [A, GONE, C], [])
    assert (done(plan), plan.unchanged) == (back, 2)
    held = GONE._replace(held=True)
    assert done(planned(LISTED, [A, held, C], [held])) == back


def test_a_partial_listing_decides_nothing_of_it() -> None:
    assert planned(LISTED, [A, GONE, C], None, partial=True).items == ()


def test_it_is_deleted_when_its_source_loses_it_and_kept_under_a_hold() -> None:
    rest = [entry("a.md"), entry("c.md")]
    plan = planned(rest, [A, GONE, C], [GONE], guard=DeletionGuard(0, 0))
    assert done(plan) == [(Action.DELETE, "b.md", Cause.LISTING)]
    held = GONE._replace(held=True)
    assert done(planned(rest, [A, held, C], [held])) == [(Action.HOLD, "b.md", Cause.HOLD)]
    # An empty listing is asked about, whatever it lacks.
    assert "is it mounted?" in (planned([], [GONE], [GONE]).error or "")


def test_it_makes_the_guard_no_laxer() -> None:
    """Ninety expired documents are not ninety that stay."""
    expired = [row(f"x{n:02}.md", state="expired") for n in range(90)]
    rows = [*expired, *(row(f"y{n}.md") for n in range(9))]
    listed = [entry(r.uri) for r in expired]
    plan = planned(listed, rows, expired, guard=STRICT)
    assert plan.counts()["refused"] == 9 and "9 of 9 documents" in plan.items[0].reason


# ── The guard ─────────────────────────────────────────────────────────────────────────────────────────

MANY = [row(f"m{n:02}.md") for n in range(10)]
ALL = [entry(r.uri) for r in MANY]


def test_too_many_are_refused_with_the_removals_beside_them_under_one_name() -> None:
    plan = planned(ALL[1:], MANY, MANY[1:4], guard=STRICT)
    assert {item.action for item in plan.items} == {Action.REFUSE} and len(plan.items) == 4
    assert plan.items[0].reason.startswith(
        "Refusing to delete 4 of 10 documents from 'docs' (40%, limit 20% and 2 documents). The retention of "
        "3 of them has ended. Nothing was deleted. To delete them, approve with: freshkb sync --source docs"
    )
    assert plan.unchanged == 9
    again = planned(ALL[1:], MANY, MANY[1:4], guard=STRICT, approved=plan.plan_hash)
    assert (again.count(Action.EXPIRE), again.count(Action.DELETE)) == (3, 1)
    # Another document whose retention ends makes it another plan.
    assert planned(ALL[1:], MANY, MANY[1:5], guard=STRICT, approved=plan.plan_hash).count(Action.REFUSE) == 5


def test_what_the_guard_asks_about_a_source_holds_expirations_back_too() -> None:
    for state in ({"refiltered": True}, {"rerooted": "Elsewhere."}, {"removed": True}):
        plan = planned(ALL[1:], MANY, MANY[1:2], **state)
        assert plan.plan_hash is not None and plan.count(Action.EXPIRE) == 0
        assert planned(ALL[1:], MANY, MANY[1:2], approved=plan.plan_hash, **state).count(Action.EXPIRE) == 1
        # None of it concerns documents that are all there.
        there = planned(ALL, MANY, MANY[1:2], **state)
        assert (there.count(Action.EXPIRE), there.error) == (1, None)


def test_an_incomplete_listing_does_not_keep_what_has_expired() -> None:
    plan = planned(ALL[5:], MANY, MANY[:2], guard=STRICT, complete=False, errors=("No permission.",))
    assert plan.count(Action.EXPIRE) == 2 and plan.count(Action.DELETE) == 0 and plan.error
    assert {item.cause for item in plan.items} == {Cause.RETENTION}
    assert planned(ALL[5:], MANY, MANY[:3], guard=STRICT, complete=False).count(Action.REFUSE) == 3


def test_without_expirations_the_name_of_removals_is_as_ever() -> None:
    assert removals_hash("docs", [A, B]) == removals_hash("docs", [A, B], (), ())
    names = {
        removals_hash("docs", [A], [B]),
        removals_hash("docs", [A], [], ended(B).values()),
        removals_hash("docs", [A, B]),
        removals_hash("docs", [], [], ended(A, B).values()),
    }
    assert len(names) == 4


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["indexed", "quarantined", "held", "expired", "pending", "skipped"]),
        st.booleans(),  # held
        st.booleans(),  # over
        st.sampled_from(["same", "changed", "missing"]),
    ),
    max_size=12,
)


@given(ROWS, st.sampled_from([LAX, STRICT]), st.booleans())
def test_each_document_is_planned_once_and_no_held_one_loses_its_text(
    kinds: list[tuple[str, bool, bool, str]], guard: DeletionGuard, complete: bool
) -> None:
    rows, over, listed = [], [], []
    for number, (state, held, is_over, there) in enumerate(kinds):
        failed = "x1+l1" if state == "quarantined" else "x1"
        made = row(f"d{number:02}.md", state=state, held=held, seen_extraction=failed)
        rows.append(made)
        if is_over and state not in ("pending", "skipped"):
            over.append(made)
        if there != "missing":
            listed.append(entry(made.uri, "t" if there == "same" else "t2"))
    plan = planned(listed, rows, over, guard, complete=complete, errors=() if complete else ("Broken.",))
    ids = [item.document_id for item in plan.items]
    assert len(ids) == len(set(ids))
    under = {r.document_id for r in rows if r.held}
    assert not under & {i.document_id for i in plan.of(Action.DELETE, Action.EXPIRE)}
    texts = {r.document_id for r in over if r.state != "expired"}
    assert {i.document_id for i in plan.of(Action.EXPIRE)} <= texts
    assert plan.unchanged >= 0
    assert not (plan.count(Action.REFUSE) and plan.count(Action.EXPIRE))
