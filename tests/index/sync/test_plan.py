"""The plan is decided from values alone, so every rule about removals is a table here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Entry
from index.config import DeletionGuard
from index.model import Action
from index.parse.formats import format_of, suffix_of
from index.records import PlanRow
from index.sync.diff import Diff, Extraction, compare, leave_below, pair_moves, same_version, token_of
from index.sync.plan import Plan, SourceState, decide, removals_hash

EXTRACTION = Extraction({".md": "x1", ".txt": "x1"}, limits="l1")
GUARD = DeletionGuard(max_fraction=0.2, max_count=10)


def entry(uri: str, token: str | None = "t", size: int = 10, inode: str | None = None) -> Entry:
    return Entry(uri, token, size, 0, inode)


def row(
    uri: str, token: str | None = "t", *, content: str = "", state: str = "indexed", **more: object
) -> PlanRow:
    fields: dict[str, object] = {
        "document_id": f"id-{uri}",
        "uri": uri,
        "token": token,
        "native_id": None,
        "size": 10,
        "seen_hash": content or f"h-{uri}",
        "seen_extraction": "x1",
        "state": state,
        "held": False,
    } | more
    return PlanRow(**fields)  # type: ignore[arg-type]


def differences(entries: Iterable[Entry], rows: Iterable[PlanRow], **options: bool) -> Diff:
    return compare(sorted(entries), sorted(rows, key=lambda r: r.uri), EXTRACTION, **options)


def planned(
    entries: Sequence[Entry],
    rows: Sequence[PlanRow],
    *,
    hashes: dict[str, str] | None = None,
    approved: str | None = None,
    guard: DeletionGuard = GUARD,
    likeness: float = 0.0,
    **circumstances: object,
) -> Plan:
    found = differences(entries, rows)
    moves = pair_moves(found, hashes or {}, lambda e, r: likeness)
    numbers = count()
    return decide(
        found,
        SourceState("docs", **circumstances),  # type: ignore[arg-type]
        guard,
        hashes=hashes,
        moves=moves,
        approved=approved,
        new_id=lambda: f"new-{next(numbers)}",
    )


def actions(plan: Plan) -> list[tuple[str, str]]:
    return sorted((item.action.value, item.uri) for item in plan.items)


def test_equal_tokens_are_unchanged_and_make_no_items() -> None:
    plan = planned([entry("a.md"), entry("b.md")], [row("a.md"), row("b.md")])
    assert plan.items == ()
    assert plan.unchanged == 2


def test_new_changed_and_vanished_documents_are_told_apart() -> None:
    plan = planned([entry("a.md", "t2"), entry("c.md")], [row("a.md"), row("b.md")])
    assert actions(plan) == [("add", "c.md"), ("delete", "b.md"), ("update", "a.md")]


def test_a_changed_token_over_equal_content_is_a_touch() -> None:
    plan = planned([entry("a.md", "t2")], [row("a.md")], hashes={"a.md": "h-a.md"})
    assert actions(plan) == [("touch", "a.md")]


def test_another_extraction_fingerprint_is_an_update() -> None:
    assert actions(planned([entry("a.md")], [row("a.md", seen_extraction="x0")])) == [("update", "a.md")]


def test_a_quarantined_document_waits_until_extraction_or_limits_change() -> None:
    failed = row("a.md", state="quarantined", seen_extraction="x1+l1")
    assert planned([entry("a.md")], [failed]).unchanged == 1
    other_limits = failed._replace(seen_extraction="x1+l0")
    assert actions(planned([entry("a.md")], [other_limits])) == [("update", "a.md")]


def test_a_type_that_cannot_be_parsed_is_noted_and_never_planned() -> None:
    found = differences(
        [entry("a.exe"), entry("b.exe", "t9")], [row("b.exe", state="skipped", seen_extraction="")]
    )
    assert [e.uri for e in found.unsupported] == ["a.exe"]
    assert not found.changed
    gone = differences([], [row("b.exe", state="skipped")])
    assert [r.uri for r in gone.forgotten] == ["b.exe"]
    assert gone.known == 0


def test_a_renamed_document_is_a_move_and_keeps_its_id() -> None:
    plan = planned([entry("new.md")], [row("old.md", content="h")], hashes={"new.md": "h"})
    (item,) = plan.items
    assert (item.action, item.uri, item.old_uri, item.document_id) == (
        Action.MOVE,
        "new.md",
        "old.md",
        "id-old.md",
    )
    assert plan.plan_hash is None


def test_of_equal_copies_the_same_inode_then_the_likelier_name_is_the_move() -> None:
    rows = [row("one.md", content="h", native_id="1"), row("two.md", content="h", native_id="2")]
    entries = [entry("a/two.md", inode="9"), entry("zzz.md", inode="1")]
    plan = planned(entries, rows, hashes={"a/two.md": "h", "zzz.md": "h"})
    assert {(i.old_uri, i.uri) for i in plan.items} == {("one.md", "zzz.md"), ("two.md", "a/two.md")}


@pytest.mark.parametrize(("likeness", "expected"), [(0.5, "move"), (0.49, "add")])
def test_an_equal_inode_is_a_move_only_when_half_of_the_chunks_agree(likeness: float, expected: str) -> None:
    plan = planned([entry("new.md", inode="7", size=11)], [row("old.md", native_id="7")], likeness=likeness)
    assert expected in {item.action.value for item in plan.items}


def test_a_swap_of_two_names_is_two_updates() -> None:
    plan = planned([entry("a.md", "tb"), entry("b.md", "ta")], [row("a.md", "ta"), row("b.md", "tb")])
    assert actions(plan) == [("update", "a.md"), ("update", "b.md")]


def test_empty_files_are_never_paired() -> None:
    plan = planned([entry("b.md", size=0)], [row("a.md", content="e", size=0)], hashes={"b.md": "e"})
    assert actions(plan) == [("add", "b.md"), ("delete", "a.md")]


def many(number: int) -> tuple[list[Entry], list[PlanRow]]:
    uris = [f"{i:03}.md" for i in range(number)]
    return [entry(u) for u in uris], [row(u) for u in uris]


def test_the_guard_needs_both_limits_to_be_passed() -> None:
    entries, rows = many(100)
    assert planned(entries[20:], rows).count(Action.DELETE) == 20  # 20 %, not more
    refused = planned(entries[21:], rows)
    assert refused.count(Action.REFUSE) == 21
    assert refused.count(Action.DELETE) == 0
    entries, rows = many(12)
    assert planned(entries[10:], rows).count(Action.DELETE) == 10  # 83 %, but not more than ten


def test_a_refusal_says_how_many_which_limit_and_how_to_approve() -> None:
    entries, rows = many(100)
    plan = planned(entries[50:], rows)
    reason = next(plan.of(Action.REFUSE)).reason
    assert "50 of 100 documents" in reason
    assert "limit 20%" in reason
    assert f"--approve {plan.plan_hash}" in reason


def test_an_approval_carries_out_exactly_the_removals_it_names() -> None:
    entries, rows = many(100)
    plan = planned(entries[50:], rows)
    assert planned(entries[50:], rows, approved=plan.plan_hash).count(Action.DELETE) == 50
    assert planned(entries[51:], rows, approved=plan.plan_hash).count(Action.DELETE) == 0


def test_the_hash_stays_good_while_the_rest_goes_on() -> None:
    entries, rows = many(100)
    before = planned(entries[50:], rows).plan_hash
    changed = [entry("050.md", "t2"), *entries[51:], entry("new.md")]
    assert planned(changed, rows).plan_hash == before
    assert before == removals_hash("docs", rows[:50])


def test_the_rest_goes_on_when_removals_are_refused() -> None:
    entries, rows = many(100)
    plan = planned([*entries[50:], entry("new.md")], rows)
    assert plan.count(Action.ADD) == 1
    assert plan.error is None


def test_moves_do_not_count_for_the_guard() -> None:
    rows = [row(f"old/{i}.md", content=f"h{i}") for i in range(50)]
    entries = [entry(f"new/{i}.md") for i in range(50)]
    plan = planned(entries, rows, hashes={f"new/{i}.md": f"h{i}" for i in range(50)})
    assert plan.count(Action.MOVE) == 50
    assert plan.plan_hash is None


def test_an_incomplete_listing_removes_nothing_and_pairs_no_move() -> None:
    plan = planned(
        [entry("new.md")],
        [row("old.md", content="h")],
        hashes={"new.md": "h"},
        complete=False,
        errors=("Folder x cannot be read.",),
    )
    assert plan.error is not None
    assert "Folder x cannot be read." in plan.error
    assert not list(plan.of(Action.DELETE, Action.MOVE, Action.REFUSE))
    assert not plan.complete


def test_an_empty_listing_is_an_error_and_can_be_approved() -> None:
    plan = planned([], [row("a.md")])
    assert plan.error is not None
    assert "mounted" in plan.error
    assert plan.count(Action.DELETE) == 0
    assert planned([], [row("a.md")], approved=plan.plan_hash).count(Action.DELETE) == 1


def test_an_empty_new_source_is_no_error() -> None:
    assert planned([], []).error is None


def test_another_root_does_nothing_at_all_unless_it_holds_every_document() -> None:
    sentence = "Source 'docs' is another place than it was."
    plan = planned([entry("b.md")], [row("a.md")], rerooted=sentence)
    assert plan.error is not None
    assert not list(plan.of(Action.ADD, Action.DELETE))
    assert plan.count(Action.REFUSE) == 1
    moved_folder = planned([entry("a.md"), entry("b.md")], [row("a.md")], rerooted=sentence)
    assert moved_folder.error is None
    assert moved_folder.count(Action.ADD) == 1


def test_changed_filters_remove_only_with_approval() -> None:
    plan = planned([entry("a.md")], [row("a.md"), row("b.md")], refiltered=True)
    assert actions(plan) == [("refused", "b.md")]
    assert plan.error is None


def test_a_source_taken_out_of_the_configuration_is_removed_only_with_approval() -> None:
    plan = planned([], [row("a.md")], removed=True)
    assert actions(plan) == [("refused", "a.md")]
    assert planned([], [row("a.md")], removed=True, approved=plan.plan_hash).count(Action.DELETE) == 1


def test_a_held_document_that_vanished_stays() -> None:
    plan = planned([entry("b.md")], [row("a.md", held=True), row("b.md")])
    assert actions(plan) == [("held", "a.md")]
    assert plan.plan_hash is None


def test_a_partial_listing_concludes_nothing_from_absence() -> None:
    plan = planned([entry("b.md")], [row("a.md")], partial=True)
    assert actions(plan) == [("add", "b.md")]
    assert plan.missing == 1


def test_removals_come_last_and_in_batches_of_their_own() -> None:
    rows = [row(f"{i:03}.md") for i in range(5)]
    entries = [entry(f"n{i:03}.md") for i in range(9)]
    batches = planned(entries, rows).batches(8)
    assert [len(batch) for batch in batches] == [8, 1, 5]
    assert {item.action for item in batches[-1]} == {Action.DELETE}


URIS = st.sampled_from(
    [f"{folder}{name}" for folder in ("", "a/", "a-b/", "b/") for name in ("x.md", "y.md", "z.exe")]
)
TREES = st.dictionaries(URIS, st.sampled_from(["t1", "t2"]))


@given(before=TREES, after=TREES)
def test_carrying_a_plan_out_leaves_nothing_to_plan(before: dict[str, str], after: dict[str, str]) -> None:
    """plan(apply(plan)) is empty, and no document is named twice."""
    rows = [row(u, t, content=t) for u, t in before.items() if u.endswith(".md")]
    entries = [entry(u, t) for u, t in after.items()]
    hashes = dict(after)
    found = differences(entries, rows)
    moves = pair_moves(found, hashes, lambda e, r: 0.0)
    plan = decide(
        found, SourceState("docs"), DeletionGuard(1.0, 1000), hashes=hashes, moves=moves, new_id=lambda: "n"
    )
    if plan.error:
        assert not after
        return
    names = [item.uri for item in plan.items]
    assert len(names) == len(set(names))
    state = {r.uri: r for r in rows}
    for item in plan.items:
        if item.action in (Action.MOVE, Action.DELETE):
            state.pop(item.old_uri or item.uri)
        if item.action is not Action.DELETE:
            state[item.uri] = row(item.uri, after[item.uri], content=after[item.uri])
    again = differences(entries, state.values())
    assert not (again.new or again.changed or again.missing or again.outdated)
    assert again.unchanged == sum(u.endswith(".md") for u in after)


# ── What the source says of a document ────────────────────────────────────────────────────────────────


def described(uri: str, token: str | None, **properties: str) -> Entry:
    return entry(uri, token)._replace(properties=properties)


def test_other_properties_of_the_same_version_are_a_touch() -> None:
    known = token_of(described("a.md", "7", owner="anna", title="A"))
    assert planned([described("a.md", "7", title="A", owner="anna")], [row("a.md", known)]).items == ()
    (item,) = planned([described("a.md", "7", owner="bo", title="A")], [row("a.md", known)]).items
    assert (item.action, item.reason) == (Action.TOUCH, "properties")
    for silent in (entry("a.md", "7"), described("a.md", "7")):
        (item,) = planned([silent], [row("a.md", known)]).items
        assert (item.action, item.reason) == (Action.TOUCH, "properties")
    (item,) = planned([described("a.md", "7", owner="bo")], [row("a.md", "7")]).items
    assert (item.action, item.reason) == (Action.TOUCH, "properties")


def test_another_version_is_an_update_whatever_is_said_of_it() -> None:
    known = token_of(described("a.md", "7", owner="anna"))
    for owner in ("anna", "bo"):
        (item,) = planned([described("a.md", "77", owner=owner)], [row("a.md", known)]).items
        assert (item.action, item.reason) == (Action.UPDATE, "")


def test_what_is_said_of_a_document_that_failed_is_learnt_and_of_others_looked_at_with_them() -> None:
    now = [described("a.md", "7", owner="bo")]
    failed = row("a.md", "7", state="quarantined", seen_extraction="x1+l1")
    assert [r.uri for _, r in differences(now, [failed]).described] == ["a.md"]
    for other in (row("a.md", "7", state="pending"), row("a.md", "7", seen_extraction="x0")):
        found = differences(now, [other])
        assert (len(found.outdated), len(found.described)) == (1, 0)


@pytest.mark.parametrize("token", ["", "7", "v 7", 'W/"7"', "7 said:0123456789abcdef"])
def test_a_token_on_record_is_that_of_its_version_only(token: str) -> None:
    for said in (entry("a.md", token), described("a.md", token), described("a.md", token, owner="anna")):
        recorded = token_of(said)
        assert same_version(described("a.md", token, owner="bo"), recorded) == (
            said.properties is not None or not token.endswith("said:0123456789abcdef")
        )
        assert not same_version(entry("a.md", token + "1"), recorded)
        assert not same_version(entry("a.md", None), recorded)
    assert token_of(described("a.md", None, owner="anna")) is None
    assert not same_version(entry("a.md", token), None)


# ── Formats ───────────────────────────────────────────────────────────────────────────────────────────


@given(st.text(alphabet="a./Mmd", min_size=1, max_size=12))
def test_there_is_one_rule_for_which_name_has_which_format(uri: str) -> None:
    extraction = Extraction({suffix: f"now {suffix}" for suffix in (".md", ".m", ".a", "..", ".")})
    known = compare([entry(uri)], [row(uri, seen_extraction="before")], extraction)
    supported = bool(extraction.of(entry(uri)))
    assert bool(known.outdated) == supported == (suffix_of(uri) in extraction.by_suffix)
    new = compare([entry(uri)], [], extraction)
    assert bool(new.new) == supported != bool(new.unsupported)


@pytest.mark.parametrize("uri", [".md", "a/.md", "a.md/b", ".md/.md", "md"])
def test_a_name_that_is_all_suffix_has_no_format(uri: str) -> None:
    assert Extraction({".md": "x"}).of(entry(uri)) == ""
    assert format_of(uri) is None


def test_a_source_that_says_formats_needs_no_suffixes() -> None:
    extraction = Extraction({".html": "h2", ".md": "x1"}, limits="l1")

    def told(uri: str, format: str) -> Entry:
        return entry(uri)._replace(format=format)

    rows = [
        row("v1.2/failed", state="quarantined", seen_extraction="h2+l1"),
        row("v1.2/intro", seen_extraction="h2"),
        row("v1.2/old.md", seen_extraction="x1"),
        row("v1.2/video", state="skipped", seen_extraction=""),
    ]
    listed = [
        told("v1.2/clip.md", "video/mp4"),
        told("v1.2/failed", "text/html"),
        told("v1.2/intro", "text/html; charset=utf-8"),
        told("v1.2/new", "text/html"),
        told("v1.2/old.md", "text/html"),
        told("v1.2/video", "video/mp4"),
    ]
    found = compare(listed, rows, extraction)
    assert [e.uri for e in found.new] == ["v1.2/new"]
    assert [e.uri for e in found.unsupported] == ["v1.2/clip.md"]
    assert [r.uri for _, r in found.outdated] == ["v1.2/old.md"]
    assert found.unchanged == 2


# ── Folders that are not listed ───────────────────────────────────────────────────────────────────────


def test_what_is_below_a_folder_that_is_not_listed_stays_and_the_rest_can_go() -> None:
    known = ["a.md", "deep/b.md", "deep/er/c.md", "deeper.md"]
    found = differences([], [row(uri) for uri in known] + [row("deep/x.bin", state="skipped")])
    leave_below(found, ["deep"])
    assert [gone.uri for gone in found.missing] == ["a.md", "deeper.md"]
    assert found.forgotten == []
    assert (found.unchanged, found.known) == (2, 4)
