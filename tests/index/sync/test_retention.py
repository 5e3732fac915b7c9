"""Documents whose retention ends, in a real index: their text goes, and their row stays."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from index.audit.audit import audit_of
from index.errors import ConfigError
from index.hold import Target, place, release
from index.ledger import LogAction
from index.model import State
from index.outcome import RunReport
from index.phrase import Phrases
from index.records import Document
from index.reindex import reindex
from index.run import Run
from index.search.describe import describe, summaries
from index.search.find import find
from index.search.knowledge_base import KnowledgeBase
from index.sync.requests import retry, review
from index.sync.sync import plan_of, sync
from index.verify.compare import verify
from index.verify.repair import repair
from tests.knowledge import Knowledge, counts
from tests.laid_out import LaidOut, made_once
from tests.soak import LONG

pytestmark = pytest.mark.usefixtures("examined_here")

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def dated(day: str, words: str = "The terms.") -> str:
    return f"---\ncontract_end: {day}\n---\n# Contract\n\n{words}\n"


def aged(path: Path, **span: float) -> Path:
    """The file, last modified so long before the clock's start."""
    when = (NOW - timedelta(**span)).timestamp()
    os.utime(path, (when, when))
    return path


def sign(kb: Knowledge) -> None:
    kb.settings["retention"] = [{"match": "contracts/**", "after": "1y", "field": "contract_end"}]
    kb.write("contracts/old.md", dated("2025-07-01", "Of the kookaburra."))
    kb.write("contracts/new.md", dated("2026-01-01", "Of the heron."))
    kb.write("contracts/open.md", dated("unknown", "Of the egret."))
    kb.write("page.md", "# Page\n\nOf the wren.\n")
    kb.sync()


laid_out = made_once(sign)


@pytest.fixture
def contracts(kb: Knowledge, laid_out: LaidOut) -> Knowledge:
    """Three contracts, of which one's retention ends in a month, and pages that are kept."""
    return laid_out.again(kb)


def over(kb: Knowledge) -> Knowledge:
    """The same a month later: the retention of the first contract has ended, and it is carried out."""
    kb.clock.forward(days=30, hours=1)
    assert counts(kb.sync()) == {"expired": 1, "unchanged": 3, "embedded": 0}
    return kb


def states(kb: Knowledge) -> dict[str, str]:
    return {uri: document.state.value for uri, document in kb.documents().items()}


def log(kb: Knowledge, document: Document) -> list[LogAction]:
    found = kb.ask(lambda m: m.ledger.log.newest(1000))
    return [entry.action for entry in reversed(found) if entry.subject == document.document_id]


def agrees(kb: Knowledge) -> bool:
    found = kb.ask(lambda m: verify(m, deep=True))
    assert found.ok, found.json()
    return found.ok


# ── The end ───────────────────────────────────────────────────────────────────────────────────────────


def test_its_text_goes_at_the_instant_and_its_row_stays(contracts: Knowledge) -> None:
    before = contracts.documents()["contracts/old.md"]
    # The first of July begins last at noon, UTC.
    contracts.clock.time = datetime(2026, 7, 1, 11, 59, tzinfo=UTC)
    assert contracts.ask(lambda m: plan_of(m, "docs")).counts()["expired"] == 0
    contracts.clock.forward(minutes=1)
    plan = contracts.ask(lambda m: plan_of(m, "docs"))
    (item,) = plan.items
    why = "Its retention ended at 2026-07-01T12:00:00Z: 1y from 2025-07-01 (contract_end)."
    assert (item.action.value, item.uri, item.reason) == ("expire", "contracts/old.md", why)
    assert contracts.ask(lambda m: verify(m)).json()["outdated"]
    report = contracts.sync()
    assert counts(report) == {"expired": 1, "unchanged": 3, "embedded": 0}
    assert report.json()["chunks"]["deleted"] == 1 and report.exit_code == 0
    after = contracts.documents()["contracts/old.md"]
    assert (after.document_id, after.state, after.reason) == (before.document_id, State.EXPIRED, why)
    assert (after.chunk_count, after.version, after.content_hash) == (0, 0, None)
    assert "contracts/old.md" not in contracts.texts() and len(contracts.texts()) == 3
    assert log(contracts, after) == [LogAction.ADDED, LogAction.EXPIRED]
    assert agrees(contracts)
    # It is still listed, and does not come back as new.
    assert counts(contracts.sync()) == {"unchanged": 4, "embedded": 0}
    assert counts(contracts.sync(checksum=True)) == {"unchanged": 4, "embedded": 0}
    assert log(contracts, after) == [LogAction.ADDED, LogAction.EXPIRED]


def test_a_document_that_has_expired_when_it_is_first_seen_is_never_embedded(contracts: Knowledge) -> None:
    contracts.write("contracts/older.md", dated("2020-01-01"))
    report = contracts.sync()
    assert counts(report) == {"expired": 1, "unchanged": 4, "embedded": 0}
    found = contracts.documents()["contracts/older.md"]
    assert found.state is State.EXPIRED and "from 2020-01-01" in found.reason
    assert log(contracts, found) == [LogAction.EXPIRED]
    assert counts(contracts.sync()) == {"unchanged": 5, "embedded": 0} and agrees(contracts)


def test_without_a_field_the_date_of_the_file_counts(kb: Knowledge) -> None:
    kb.settings["retention"] = [{"after": "90d"}, {"match": "keep.md", "after": "never"}]
    aged(kb.write("a.md", "# A\n\nText.\n"), days=89)
    aged(kb.write("b.md", "# B\n\nWords.\n"), days=10)
    aged(kb.write("keep.md", "# Keep\n\nFor ever.\n"), days=9000)
    kb.sync()
    kb.clock.forward(days=1)
    assert counts(kb.sync()) == {"expired": 1, "unchanged": 2, "embedded": 0}
    assert states(kb) == {"a.md": "expired", "b.md": "indexed", "keep.md": "indexed"}


def test_a_date_that_is_missing_or_cannot_be_read_never_ends_it(contracts: Knowledge) -> None:
    contracts.write("contracts/none.md", "# None\n\nNo date.\n")
    contracts.clock.forward(days=36_000)
    contracts.sync()
    assert {u: s for u, s in states(contracts).items() if s == "indexed"} == {
        "contracts/none.md": "indexed",
        "contracts/open.md": "indexed",
        "page.md": "indexed",
    }


def test_the_old_text_of_a_document_in_quarantine_ends_as_well(kb: Knowledge) -> None:
    kb.settings["retention"] = [{"after": "90d"}]
    aged(kb.write("data.json", '{"a": "Words of old."}'), days=1)
    kb.sync()
    aged(kb.write("data.json", "{broken"), days=1)
    kb.sync()
    assert states(kb) == {"data.json": "quarantined"} and "data.json" in kb.texts()
    kb.clock.forward(days=90)
    assert counts(kb.sync())["expired"] == 1
    assert kb.texts() == {}
    # Then it is what it was: a document that could not be read.
    kb.sync()
    assert states(kb) == {"data.json": "quarantined"} and agrees(kb)


# ── Where it is seen, and where not ───────────────────────────────────────────────────────────────────


def test_it_is_in_no_search_and_no_audit_and_listed_with_its_reason(contracts: Knowledge) -> None:
    over(contracts)
    with contracts.workspace() as workspace:
        kb = KnowledgeBase(workspace)
        for held in (False, True):
            hits = kb.search("kookaburra", mode="sparse", held=held)
            assert "contracts/old.md" not in {hit.uri for hit in hits}
        assert "contracts/old.md" not in {result.uri for result in audit_of(workspace).results}
        (row,) = summaries(kb.reader, state=State.EXPIRED)
        assert row.json()["uri"] == "contracts/old.md" and row.json()["verdict"] is None
        shown = describe(kb.reader, row.document).json()
        assert shown["expires_at"] == "2026-07-01T12:00:00Z" and "ended" in shown["reason"]
        assert shown["chunks"] == []
        other = next(d for d in workspace.ledger.documents.find(uris=["contracts/new.md"]))
        assert describe(kb.reader, other).json()["expires_at"] == "2027-01-01T12:00:00Z"
        page = next(d for d in workspace.ledger.documents.find(uris=["page.md"]))
        assert describe(kb.reader, page).json()["expires_at"] is None
        (found,) = find(kb.reader, Phrases(["old.md"]))
        assert (found.fields, found.passages) == (("path",), ())
        assert list(find(kb.reader, Phrases(["kookaburra"]))) == []


def test_other_runs_leave_it(contracts: Knowledge) -> None:
    over(contracts)
    before = contracts.documents()["contracts/old.md"]
    with pytest.raises(ConfigError, match=r"No document is at contracts/old\.md"):
        contracts.ask(lambda m: review(Run(m, "review"), ["contracts/old.md"], "anna"))
    contracts.ask(lambda m: review(Run(m, "review"), ["contracts/*"], "anna"))
    contracts.ask(lambda m: retry(Run(m, "retry")))
    contracts.ask(lambda m: repair(m, verify(m, deep=True), Run(m, "verify")))
    contracts.settings["embedding"] = {"dtype": "bfloat16"}
    contracts.ask(lambda m: reindex(m, Run(m, "reindex")))
    assert contracts.documents()["contracts/old.md"] == before
    assert counts(contracts.sync())["unchanged"] == 4 and agrees(contracts)


def test_other_rules_and_links_reach_its_row(contracts: Knowledge) -> None:
    over(contracts)
    contracts.source["url"] = "https://wiki.example.org/{path}"
    contracts.sync()
    assert contracts.documents()["contracts/old.md"].url == "https://wiki.example.org/contracts/old.md"
    assert states(contracts)["contracts/old.md"] == "expired" and agrees(contracts)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("version = 3", marks=LONG),
        "deleted_at = 1",
        "chunk_count = 7",
        "state = 'indexed'",
        pytest.param("state = 'quarantined'", marks=LONG),
    ],
)
def test_a_row_that_contradicts_itself_is_found_and_mended(contracts: Knowledge, damage: str) -> None:
    over(contracts)
    before = contracts.documents()["contracts/old.md"]
    with contracts.workspace() as workspace, workspace.ledger.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE documents SET {damage} WHERE uri = 'contracts/old.md'")
    found = contracts.ask(lambda m: verify(m))
    assert before.document_id in {difference.document_id for difference in found.all}
    contracts.ask(lambda m: repair(m, verify(m), Run(m, "verify")))
    assert states(contracts)["contracts/old.md"] == "expired" and agrees(contracts)
    assert "contracts/old.md" not in contracts.texts()


def test_a_repair_of_a_document_that_is_called_expired_brings_its_text_back(contracts: Knowledge) -> None:
    with contracts.workspace() as workspace, workspace.ledger.database.writing() as connection:
        connection.exec_driver_sql("UPDATE documents SET state = 'expired' WHERE uri = 'page.md'")
    assert not contracts.ask(lambda m: verify(m)).ok
    contracts.ask(lambda m: repair(m, verify(m), Run(m, "verify")))
    assert states(contracts)["page.md"] == "indexed" and agrees(contracts)


# ── What becomes of it ────────────────────────────────────────────────────────────────────────────────


def test_touched_or_renamed_it_stays_expired_and_nothing_is_embedded(contracts: Knowledge) -> None:
    document = over(contracts).documents()["contracts/old.md"]
    path = contracts.docs / "contracts" / "old.md"
    os.utime(path, (1, 1))
    assert counts(contracts.sync()) == {"touched": 1, "unchanged": 3, "embedded": 0}
    path.rename(contracts.docs / "contracts" / "other.md")
    assert counts(contracts.sync()) == {"moved": 1, "unchanged": 3, "embedded": 0}
    found = contracts.documents()["contracts/other.md"]
    assert (found.document_id, found.state) == (document.document_id, State.EXPIRED)
    assert found.url.endswith("contracts/other.md")
    assert log(contracts, found) == [LogAction.ADDED, LogAction.EXPIRED, LogAction.TOUCHED, LogAction.MOVED]
    assert counts(contracts.sync()) == {"unchanged": 4, "embedded": 0} and agrees(contracts)


def test_renamed_out_of_its_rule_it_comes_back(contracts: Knowledge) -> None:
    over(contracts)
    (contracts.docs / "contracts" / "old.md").rename(contracts.docs / "kept.md")
    report = contracts.sync()
    assert counts(report) == {"moved": 1, "unchanged": 3, "embedded": 1}
    assert states(contracts)["kept.md"] == "indexed" and "kookaburra" in contracts.texts()["kept.md"]
    assert agrees(contracts)


def test_a_version_with_an_older_date_stays_out_and_one_with_a_newer_date_comes_back(
    contracts: Knowledge,
) -> None:
    document = over(contracts).documents()["contracts/old.md"]
    contracts.write("contracts/old.md", dated("2024-01-01", "Other words."))
    assert counts(contracts.sync()) == {"touched": 1, "unchanged": 3, "embedded": 0}
    assert "from 2024-01-01" in contracts.documents()["contracts/old.md"].reason
    contracts.write("contracts/old.md", dated("2026-06-30", "Newer words."))
    assert counts(contracts.sync()) == {"updated": 1, "unchanged": 3, "embedded": 1}
    found = contracts.documents()["contracts/old.md"]
    assert (found.document_id, found.state, found.reason) == (document.document_id, State.INDEXED, "")
    assert "Newer words" in contracts.texts()["contracts/old.md"] and agrees(contracts)


def test_a_new_version_that_says_that_it_has_ended_is_not_embedded(contracts: Knowledge) -> None:
    contracts.write("contracts/new.md", dated("2024-01-01", "Of another heron."))
    assert counts(contracts.sync()) == {"expired": 1, "unchanged": 3, "embedded": 0}
    assert "contracts/new.md" not in contracts.texts() and agrees(contracts)


def test_a_file_that_is_given_an_old_date_expires_by_the_next_plan(kb: Knowledge) -> None:
    """Which has a guard: a tool that copies files may give all of them the dates of another day."""
    kb.settings["retention"] = [{"after": "90d"}]
    paths = [aged(kb.write(f"{n:02}.md", f"# {n}\n\nText {n}.\n"), days=1) for n in range(12)]
    kb.sync()
    for path in paths:
        aged(path, days=100)
    assert counts(kb.sync()) == {"touched": 12, "embedded": 0}
    assert counts(kb.sync()) == {"refused": 12, "unchanged": 12, "embedded": 0}
    for path in paths:
        aged(path, days=2)
    kb.sync()
    assert counts(kb.sync()) == {"unchanged": 12, "embedded": 0} and len(kb.texts()) == 12


def test_another_rule_brings_documents_back_and_lets_others_go(contracts: Knowledge) -> None:
    over(contracts)
    contracts.settings["retention"][0]["after"] = "10y"
    assert counts(contracts.sync()) == {"updated": 1, "unchanged": 3, "embedded": 1}
    assert set(states(contracts).values()) == {"indexed"} and agrees(contracts)
    contracts.settings["retention"][0]["after"] = "30d"
    assert counts(contracts.sync()) == {"expired": 2, "unchanged": 2, "embedded": 0}
    contracts.settings["retention"] = []
    assert counts(contracts.sync()) == {"updated": 2, "unchanged": 2, "embedded": 2}
    assert agrees(contracts)


def test_an_expired_document_that_vanishes_is_deleted_without_a_question(contracts: Knowledge) -> None:
    document = over(contracts).documents()["contracts/old.md"]
    contracts.source["delete"] = {"max_fraction": 0.0, "max_count": 0}
    (contracts.docs / "contracts" / "old.md").unlink()
    assert counts(contracts.sync()) == {"deleted": 1, "unchanged": 3, "embedded": 0}
    assert "contracts/old.md" not in contracts.documents()
    assert log(contracts, document)[-1] is LogAction.DELETED and agrees(contracts)


def test_what_its_source_has_lost_when_its_retention_ends_leaves_at_once(contracts: Knowledge) -> None:
    document = contracts.documents()["contracts/old.md"]
    (contracts.docs / "contracts" / "old.md").unlink()
    contracts.clock.forward(days=31)
    assert counts(contracts.sync()) == {"expired": 1, "unchanged": 3, "embedded": 0}
    assert "contracts/old.md" not in contracts.documents()
    assert log(contracts, document) == [LogAction.ADDED, LogAction.EXPIRED] and agrees(contracts)


# ── Holds ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_held_document_stays_in_search_and_expires_once_the_hold_is_released(contracts: Knowledge) -> None:
    hold = contracts.ask(lambda m: place(m, Target(["contracts/old.md"]), "A lawsuit.")).hold.hold_id
    contracts.clock.forward(days=31)
    assert contracts.ask(lambda m: plan_of(m, "docs")).items == ()
    assert counts(contracts.sync()) == {"unchanged": 4, "embedded": 0}
    contracts.write("contracts/old.md", dated("2024-01-01", "Other words."))
    assert counts(contracts.sync()) == {"updated": 1, "unchanged": 3, "embedded": 1}
    assert "Other words" in contracts.texts()["contracts/old.md"] and agrees(contracts)
    contracts.ask(lambda m: release(m, hold, "Settled."))
    assert counts(contracts.sync()) == {"expired": 1, "unchanged": 3, "embedded": 0}
    assert agrees(contracts)


def test_a_hold_ends_by_itself_and_then_the_document_expires(contracts: Knowledge) -> None:
    contracts.ask(lambda m: place(m, Target(["contracts/old.md"]), "A lawsuit.", until="2026-08-01"))
    contracts.clock.forward(days=40)
    assert counts(contracts.sync()) == {"unchanged": 4, "embedded": 0}
    contracts.clock.forward(days=40)
    assert counts(contracts.sync())["expired"] == 1


def test_a_hold_brings_what_had_expired_back_while_its_source_has_it(contracts: Knowledge) -> None:
    over(contracts)
    hold = contracts.ask(lambda m: place(m, Target(pattern="contracts/**"), "A lawsuit.")).hold.hold_id
    assert counts(contracts.sync()) == {"updated": 1, "unchanged": 3, "embedded": 1}
    contracts.write("contracts/older.md", dated("2020-01-01", "Old, and held."))
    assert counts(contracts.sync()) == {"added": 1, "unchanged": 4, "embedded": 1}
    assert agrees(contracts)
    contracts.ask(lambda m: release(m, hold, "Settled."))
    assert counts(contracts.sync()) == {"expired": 2, "unchanged": 3, "embedded": 0}


def test_a_held_document_that_vanished_expires_once_it_is_released(contracts: Knowledge) -> None:
    hold = contracts.ask(lambda m: place(m, Target(["contracts/old.md"]), "A lawsuit.")).hold.hold_id
    (contracts.docs / "contracts" / "old.md").unlink()
    contracts.clock.forward(days=31)
    contracts.sync()
    assert states(contracts)["contracts/old.md"] == "held"
    document = contracts.documents()["contracts/old.md"]
    contracts.ask(lambda m: release(m, hold, "Settled."))
    assert counts(contracts.sync()) == {"expired": 1, "unchanged": 3, "embedded": 0}
    assert "contracts/old.md" not in contracts.documents()
    assert log(contracts, document)[-1] is LogAction.EXPIRED and agrees(contracts)


def test_a_hold_that_comes_after_the_plan_keeps_it_and_the_refusal_is_logged(contracts: Knowledge) -> None:
    document = contracts.documents()["contracts/old.md"]
    contracts.clock.forward(days=31)
    with contracts.workspace() as workspace:
        real = workspace.ledger.runs.save_plan

        def save(*args: Any) -> None:
            place(workspace, Target(["contracts/old.md"]), "A lawsuit.")
            real(*args)

        setattr(workspace.ledger.runs, real.__name__, save)
        report = sync(Run(workspace, "sync"))
    assert counts(report)["unchanged"] == 3 and "expired" not in counts(report)
    assert states(contracts)["contracts/old.md"] == "indexed"
    assert log(contracts, document) == [LogAction.ADDED, LogAction.REMOVAL_REFUSED] and agrees(contracts)


# ── The guard ─────────────────────────────────────────────────────────────────────────────────────────


def test_many_at_once_wait_for_approval_with_the_removals_beside_them(kb: Knowledge) -> None:
    kb.settings["retention"] = [{"match": "old/**", "after": "90d"}]
    for number in range(20):
        aged(kb.write(f"old/{number:02}.md", f"# {number}\n\nText {number}.\n"), days=89)
    for number in range(4):
        kb.write(f"page-{number}.md", f"# Page {number}\n\nPage {number}.\n")
    kb.sync()
    kb.clock.forward(days=1)
    (kb.docs / "page-0.md").unlink()
    kb.write("new.md", "# New\n\nThe rest goes on.\n")
    report = kb.sync()
    assert counts(report) == {"added": 1, "refused": 21, "unchanged": 23, "embedded": 1}
    assert report.exit_code == 4
    (source,) = report.sources
    assert "The retention of 20 of them has ended." in source.reasons[0] and source.plan_hash
    found = kb.ask(lambda m: verify(m)).json()["outdated"]
    assert "its retention has ended, and its removal is refused" in {d["what"] for d in found}
    done = kb.sync(approve=source.plan_hash)
    assert counts(done) == {"deleted": 1, "expired": 20, "unchanged": 4, "embedded": 0}
    (approved,) = [e for e in kb.ask(lambda m: m.ledger.log.newest(100)) if e.action is LogAction.APPROVED]
    assert approved.facts == {"removals": 21}
    assert agrees(kb)


# ── Without asking the source ─────────────────────────────────────────────────────────────────────────


def expire(kb: Knowledge, **options: Any) -> RunReport:
    with kb.workspace() as workspace:
        return sync(Run(workspace, "retention"), asked=False, **options)


def test_it_ends_without_asking_any_source(contracts: Knowledge) -> None:
    contracts.clock.forward(days=31)
    contracts.write("another.md", "# Another\n\nNot looked at.\n")
    contracts.docs.rename(contracts.home / "elsewhere")
    report = expire(contracts)
    assert (counts(report), report.exit_code) == ({"expired": 1, "embedded": 0}, 0)
    assert report.sources[0].complete and "contracts/old.md" not in contracts.texts()
    (run,) = contracts.ask(lambda m: m.ledger.runs.newest(1))
    assert (run.kind, run.outcome) == ("retention", "done")
    (contracts.home / "elsewhere").rename(contracts.docs)
    assert counts(contracts.sync()) == {"added": 1, "unchanged": 4, "embedded": 1} and agrees(contracts)


def test_a_sync_whose_source_cannot_be_asked_does_the_same_and_says_so(contracts: Knowledge) -> None:
    contracts.clock.forward(days=31)
    contracts.docs.rename(contracts.home / "elsewhere")
    report = contracts.sync()
    assert (counts(report), report.exit_code) == ({"expired": 1, "embedded": 0}, 1)
    assert (report.sources[0].error or "").endswith("Nothing else was removed.")
    assert (contracts.sync().sources[0].error or "").endswith("Nothing was removed.")
    (contracts.home / "elsewhere").rename(contracts.docs)
    assert counts(contracts.sync()) == {"unchanged": 4, "embedded": 0}


def test_it_has_the_guard_too_and_the_approval_of_a_sync_is_good_for_it(kb: Knowledge) -> None:
    kb.settings["retention"] = [{"after": "90d"}]
    for number in range(12):
        aged(kb.write(f"{number:02}.md", f"# {number}\n\nText {number}.\n"), days=89)
    kb.sync()
    kb.clock.forward(days=1)
    report = expire(kb)
    assert (counts(report), report.exit_code) == ({"refused": 12, "embedded": 0}, 4)
    name = report.sources[0].plan_hash
    assert name == kb.ask(lambda m: plan_of(m, "docs")).plan_hash
    assert counts(kb.sync(approve=name)) == {"expired": 12, "embedded": 0}


def test_documents_of_a_source_that_is_configured_no_more_expire(contracts: Knowledge) -> None:
    contracts.settings["sources"] = [{"id": "others", "type": "files", "root": "./others"}]
    (contracts.home / "others").mkdir()
    contracts.clock.forward(days=31)
    assert counts(expire(contracts)) == {"expired": 1, "embedded": 0}
    # The rest waits for approval, as ever.
    report = contracts.sync()
    assert report.sources[1].refused == 4 and states(contracts)["contracts/old.md"] == "expired"
    contracts.sync(approve=report.sources[1].plan_hash)
    assert states(contracts) == {}


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("step", ["commit", "settle"])
def test_an_expiration_that_a_crash_left_is_carried_out_again(
    contracts: Knowledge, asked: bool, step: str
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    document = contracts.documents()["contracts/old.md"]
    contracts.clock.forward(days=31)
    with contracts.workspace() as workspace:
        setattr(workspace.ledger.writes, step, crash)
        with pytest.raises(Crash):
            sync(Run(workspace, "sync"), asked=asked)
    committed = step == "settle"
    assert states(contracts)["contracts/old.md"] == ("expired" if committed else "indexed")
    found = {"unchanged": 4} if committed else {"expired": 1, "unchanged": 3}
    assert counts(contracts.sync()) == found | {"embedded": 0}
    assert states(contracts)["contracts/old.md"] == "expired"
    assert log(contracts, document) == [LogAction.ADDED, LogAction.EXPIRED]
    # What an interrupted run left is looked at once more.
    assert counts(contracts.sync())["unchanged"] == (4 if committed else 3)
    assert agrees(contracts)
