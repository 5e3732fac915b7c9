"""A held document stays, on every path that removes documents, and goes once its hold is released."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from index.errors import PlanChanged
from index.hold import Target, place, release
from index.ledger import LogAction, LogEntry
from index.model import State
from index.outcome import RunReport
from index.records import Document, Intent
from index.reindex import reindex
from index.run import Run
from index.sync.requests import retry, review
from index.sync.sync import plan_of, sync
from index.verify.compare import verify
from index.verify.repair import repair
from index.workspace import Workspace, require_collection
from tests.knowledge import Knowledge, counts
from tests.laid_out import LaidOut, made_once
from tests.soak import LONG

pytestmark = pytest.mark.usefixtures("examined_here")

WORDS = "# Page\n\nThe words of {}.\n"


def page(kb: Knowledge, uri: str) -> Path:
    return kb.write(uri, WORDS.format(uri))


def held(kb: Knowledge, *names: str, **target: Any) -> str:
    """The id of a new hold on these documents."""
    aim = Target(names, **target)
    return kb.ask(lambda m: place(m, aim, "A lawsuit.").hold.hold_id)


def state(kb: Knowledge, uri: str) -> tuple[State, bool]:
    """The document's state, and whether all of its text is there."""
    return kb.documents()[uri].state, kb.texts().get(uri) == f"Page\n\nThe words of {uri}.\n\n"


def log(kb: Knowledge, document: Document) -> list[LogAction]:
    found = kb.ask(lambda m: m.ledger.log.newest(1000))
    return [entry.action for entry in found if entry.subject == document.document_id]


def agrees(kb: Knowledge) -> bool:
    found = kb.ask(lambda m: verify(m, deep=True))
    assert found.ok, found.json()
    return found.ok


def refused(report: RunReport) -> str:
    (source,) = report.sources
    assert source.plan_hash is not None and (source.refused or source.error)
    return source.plan_hash


def hold_one(kb: Knowledge) -> None:
    page(kb, "held.md")
    page(kb, "free.md")
    kb.sync()
    held(kb, "held.md")


laid_out = made_once(hold_one)


@pytest.fixture
def two(kb: Knowledge, laid_out: LaidOut) -> Knowledge:
    """Two documents, the first of them held."""
    return laid_out.again(kb)


# ── Paths that remove ─────────────────────────────────────────────────────────────────────────────────


def test_a_deletion_at_the_source_takes_it_out_of_search_and_is_logged_once(two: Knowledge) -> None:
    document = two.documents()["held.md"]
    for uri in ("held.md", "free.md"):
        (two.docs / uri).unlink()
    page(two, "new.md")
    assert counts(two.sync()) == {"added": 1, "deleted": 1, "held": 1, "embedded": 1}
    assert counts(two.sync()) == {"unchanged": 1, "held": 1, "embedded": 0}
    assert state(two, "held.md") == (State.HELD, True)
    assert log(two, document) == [LogAction.HELD, LogAction.ADDED]
    assert agrees(two)


def approved(kb: Knowledge) -> None:
    """Everything that the next sync asks for is approved."""
    name = refused(kb.sync())
    assert kb.sync(approve=name).exit_code == 0


def test_an_approval_does_not_remove_it(kb: Knowledge) -> None:
    for number in range(30):
        page(kb, f"{number:02}.md")
    kb.sync()
    held(kb, pattern="0*.md")
    for number in range(20):
        (kb.docs / f"{number:02}.md").unlink()
    report = kb.sync()
    assert report.exit_code == 4 and report.sources[0].refused == 20
    assert "10 of them would stay, held and out of search" in report.sources[0].reasons[0]
    assert {d.state for d in kb.documents().values()} == {State.INDEXED}
    done = kb.sync(approve=refused(report))
    assert counts(done) == {"deleted": 10, "unchanged": 10, "held": 10, "embedded": 0}
    assert {state(kb, f"0{n}.md") for n in range(10)} == {(State.HELD, True)}
    assert agrees(kb)


def test_an_approval_is_void_once_a_hold_changes_the_removals(kb: Knowledge) -> None:
    for number in range(30):
        page(kb, f"{number:02}.md")
    kb.sync()
    for number in range(20):
        (kb.docs / f"{number:02}.md").unlink()
    name = refused(kb.sync())
    held(kb, "00.md")
    with pytest.raises(PlanChanged):
        kb.sync(approve=name)
    assert len(kb.documents()) == 30
    assert counts(kb.sync(approve=refused(kb.sync())))["deleted"] == 19
    assert state(kb, "00.md") == (State.HELD, True)


@pytest.mark.parametrize("path", ["filter", "removed source", "empty source", "other root"])
def test_a_changed_configuration_takes_it_out_of_search_only_with_approval(two: Knowledge, path: str) -> None:
    if path == "filter":
        two.source["exclude"] = ["*.md"]
        page(two, "other.txt")
    elif path == "removed source":
        two.settings["sources"] = [{"id": "others", "type": "files", "root": "./others"}]
        (two.home / "others").mkdir()
    elif path == "empty source":
        for uri in ("held.md", "free.md"):
            (two.docs / uri).unlink()
    else:
        (two.home / "other").mkdir()
        (two.home / "other" / "x.md").write_text("# X\n\nAnother.\n")
        two.source["root"] = "./other"
    report = two.sync()
    assert report.exit_code in (1, 4)
    assert state(two, "held.md") == (State.INDEXED, True)
    name = next(source.plan_hash for source in report.sources if source.plan_hash)
    assert two.sync(approve=name).exit_code == 0
    assert state(two, "held.md") == (State.HELD, True)
    assert "free.md" not in two.documents()
    assert two.sync().exit_code == 0
    # Nobody is asked again when the hold is released.
    (hold,) = two.ask(lambda m: m.ledger.holds.standing())
    assert two.ask(lambda m: release(m, hold.hold_id, "Settled."))[1] == 1
    assert two.sync().exit_code == 0
    assert "held.md" not in two.documents() and "held.md" not in two.texts()


def test_a_source_of_held_documents_alone_asks_too(kb: Knowledge) -> None:
    page(kb, "held.md")
    kb.sync()
    held(kb, source="docs")
    (kb.docs / "held.md").unlink()
    report = kb.sync()
    assert report.exit_code == 1 and "is it mounted?" in (report.sources[0].error or "")
    assert state(kb, "held.md") == (State.INDEXED, True)
    approved(kb)
    assert state(kb, "held.md") == (State.HELD, True)


def test_a_document_without_text_keeps_its_row(kb: Knowledge) -> None:
    kb.write("page.md", "# A\n\nText.\n")
    kb.write("held.exe", "binary")
    kb.write("free.exe", "binary")
    kb.write("broken.pdf", "no PDF")
    kb.sync()
    held(kb, "held.exe", "broken.pdf")
    for uri in ("held.exe", "free.exe", "broken.pdf"):
        (kb.docs / uri).unlink()
    assert counts(kb.sync())["held"] == 2
    assert {uri: d.state for uri, d in kb.documents().items()} == {
        "page.md": State.INDEXED,
        "held.exe": State.HELD,
        "broken.pdf": State.HELD,
    }
    assert agrees(kb)
    kb.write("held.exe", "binary")
    kb.sync()
    assert kb.documents()["held.exe"].state is State.SKIPPED
    assert agrees(kb)


def test_a_hint_of_a_watcher_leads_to_the_same(two: Knowledge) -> None:
    (two.docs / "held.md").unlink()
    two.sync(sources=["docs"], folders=[""])
    assert state(two, "held.md") == (State.HELD, True)


def test_a_document_that_vanishes_while_it_is_fetched_stays(two: Knowledge) -> None:
    page(two, "held.md").write_text("# Other\n\nText.\n")
    with two.workspace() as workspace:
        connector = workspace.connector("docs")
        real = connector.fetch

        def fetch(uri: str, into: Path | None, **more: Any) -> Any:
            if into is not None:
                (two.docs / uri).unlink()
            return real(uri, into, **more)

        connector.fetch = fetch  # type: ignore[method-assign]
        sync(Run(workspace, "sync"))
    assert state(two, "held.md") == (State.INDEXED, True)
    two.sync()
    assert state(two, "held.md") == (State.HELD, True)


def test_the_removal_that_a_crash_left_is_planned_again(two: Knowledge) -> None:
    class Crash(BaseException):
        pass

    for uri in ("held.md", "free.md"):
        (two.docs / uri).unlink()
    page(two, "new.md")
    (hold,) = two.ask(lambda m: m.ledger.holds.standing())
    two.ask(lambda m: release(m, hold.hold_id, "By mistake."))
    with two.workspace() as workspace:

        def crash(collection: str, done: Sequence[Intent], entries: Sequence[LogEntry]) -> list[str]:
            raise Crash

        workspace.ledger.writes.commit = crash  # type: ignore[method-assign]
        with pytest.raises(Crash):
            sync(Run(workspace, "sync"))
        assert workspace.ledger.points.intents()
    held(two, "held.md")
    two.sync()
    assert state(two, "held.md") == (State.HELD, True)
    assert "free.md" not in two.documents()


def after_vanishing(kb: Knowledge) -> None:
    (kb.docs / "held.md").unlink()
    kb.sync()


# What no source has any more is what other runs could take away; in the long form, also what is there.
@pytest.mark.parametrize("vanished", [pytest.param(False, marks=LONG), True])
@pytest.mark.parametrize(
    "act",
    [
        lambda m: repair(m, verify(m, deep=True), Run(m, "verify")),
        lambda m: review(Run(m, "review"), ["free.md"], "anna"),
        lambda m: retry(Run(m, "retry")),
        lambda m: plan_of(m, "docs"),
    ],
)
def test_other_runs_leave_it(two: Knowledge, vanished: bool, act: Callable[[Workspace], object]) -> None:
    if vanished:
        after_vanishing(two)
    before = two.documents()["held.md"]
    two.ask(act)
    assert two.documents()["held.md"] == before and state(two, "held.md")[1]


@pytest.mark.parametrize("vanished", [False, True])
def test_a_new_index_has_it_and_the_former_is_dropped(two: Knowledge, vanished: bool) -> None:
    if vanished:
        after_vanishing(two)
    two.settings["embedding"] = {"dtype": "bfloat16"}
    before = two.documents()["held.md"]
    two.ask(lambda m: reindex(m, Run(m, "reindex")))
    assert two.documents()["held.md"].state is before.state and state(two, "held.md")[1]
    two.sync()
    assert state(two, "held.md") == (before.state, True)
    assert agrees(two)


def test_a_repair_writes_it_again_of_what_is_proven(two: Knowledge) -> None:
    after_vanishing(two)
    with two.workspace() as workspace, workspace.ledger.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM documents WHERE uri = 'held.md'")
    assert two.ask(mended) == []
    assert state(two, "held.md") == (State.HELD, True)


def test_of_a_document_whose_text_is_lost_the_row_stays(two: Knowledge) -> None:
    after_vanishing(two)
    lost = [point.id for point in two.points().values() if point.payload["metadata"]["uri"] == "held.md"]
    with two.workspace() as workspace:
        collection = require_collection(workspace)
        with workspace.store.session(collection.name) as session:
            session.delete(lost)
    (said,) = two.ask(mended)
    assert "are lost" in said
    assert two.documents()["held.md"].state is State.HELD


def mended(workspace: Workspace) -> list[str]:
    found = verify(workspace, deep=True)
    repair(workspace, found, Run(workspace, "verify"))
    return found.errors


def test_points_that_are_all_that_is_left_of_it_stay(two: Knowledge) -> None:
    after_vanishing(two)
    before = two.points()
    lose(two, "held.md")
    (said,) = two.ask(mended)
    assert said == (
        "docs:held.md: the ledger has lost it, and a hold stands on it. Nothing of it was removed. Restore "
        "the ledger from a backup, or release the hold."
    )
    assert two.points() == before
    (hold,) = two.ask(lambda m: m.ledger.holds.standing())
    two.ask(lambda m: release(m, hold.hold_id, "Settled."))
    (said,) = two.ask(mended)
    assert "all of its text is lost" in said and len(two.points()) == len(before) - 1


def lose(kb: Knowledge, uri: str) -> Document:
    """The ledger loses the document and its chunks. Returns its former row."""
    document = kb.documents()[uri]
    with kb.workspace() as workspace, workspace.ledger.database.writing() as connection:
        for table in ("documents", "chunks"):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE document_id = '{document.document_id}'")
    return document


def test_a_document_that_the_ledger_has_lost_keeps_its_id_and_its_hold(two: Knowledge) -> None:
    document, before = lose(two, "held.md"), two.points()
    assert two.ask(mended) == []
    assert two.documents()["held.md"].document_id == document.document_id and two.points() == before
    assert agrees(two)
    after_vanishing(two)
    assert state(two, "held.md") == (State.HELD, True)


def test_it_keeps_them_also_where_its_text_is_another_now(two: Knowledge) -> None:
    document = lose(two, "held.md")
    two.write("held.md", "# Page\n\nOther words.\n")
    assert two.ask(mended) == []
    assert two.documents()["held.md"].document_id == document.document_id
    assert "Other words" in two.texts()["held.md"] and len(two.points()) == 2
    assert agrees(two)


def test_points_of_a_lost_document_stay_until_its_source_can_be_read(two: Knowledge) -> None:
    document, before = lose(two, "held.md"), two.points()
    path = two.write("held.md", "")
    path.write_bytes(b"\0" * 64)
    for _ in range(2):
        (said,) = two.ask(mended)
        assert "a hold stands on it. Nothing of it was removed" in said
        assert two.points() == before
    page(two, "held.md")
    assert two.ask(mended) == []
    assert two.documents()["held.md"].document_id == document.document_id
    assert two.points().keys() == before.keys() and agrees(two)


def test_a_lost_document_keeps_its_review(two: Knowledge) -> None:
    two.ask(lambda m: review(Run(m, "review"), ["free.md"], "anna"))
    before = lose(two, "free.md")
    assert two.ask(mended) == []
    after = two.documents()["free.md"]
    assert (after.document_id, after.reviewed_at) == (before.document_id, before.reviewed_at)
    assert after.reviewed_at is not None and agrees(two)


def test_two_lost_documents_of_one_place_do_not_take_it(two: Knowledge) -> None:
    """The ledger cannot tell which of them the document at that place is."""
    first = lose(two, "held.md")
    two.sync()
    held(two, "held.md")
    second = lose(two, "held.md")
    said = two.ask(mended)
    assert len(said) == 2 and all("a hold stands on it. Nothing of it was removed" in one for one in said)
    assert two.documents()["held.md"].document_id not in (first.document_id, second.document_id)


# ── What a hold does not keep, and what it follows ────────────────────────────────────────────────────


def test_a_changed_document_is_changed_and_still_held(two: Knowledge) -> None:
    """A hold is on the document, not on its former versions."""
    two.write("held.md", "# Page\n\nOther words.\n")
    assert counts(two.sync())["updated"] == 1
    assert "Other words" in two.texts()["held.md"]
    after_vanishing(two)
    assert two.documents()["held.md"].state is State.HELD


def test_it_stays_held_under_another_name_and_another_owner(kb: Knowledge) -> None:
    page(kb, "case/a.md")
    kb.write("b.md", "---\nowner: user:anna\n---\n# B\n\nWords.\n")
    page(kb, "c.md")
    kb.sync()
    held(kb, pattern="case/**")
    held(kb, owner="user:anna")
    (kb.docs / "case" / "a.md").rename(kb.docs / "moved.md")
    kb.write("b.md", "---\nowner: user:bo\n---\n# B\n\nWords.\n")
    kb.sync()
    for uri in ("moved.md", "b.md"):
        (kb.docs / uri).unlink()
    kb.sync()
    assert {uri: d.state for uri, d in kb.documents().items()} == {
        "moved.md": State.HELD,
        "b.md": State.HELD,
        "c.md": State.INDEXED,
    }
    assert agrees(kb)


def test_what_comes_to_match_is_held(kb: Knowledge) -> None:
    page(kb, "a.md")
    page(kb, "b.md")
    kb.sync()
    held(kb, pattern="case/**")
    page(kb, "case/new.md")
    (kb.docs / "case").mkdir(exist_ok=True)
    (kb.docs / "a.md").rename(kb.docs / "case" / "a.md")
    kb.sync()
    for uri in ("case/new.md", "case/a.md"):
        (kb.docs / uri).unlink()
    assert counts(kb.sync())["held"] == 2
    assert kb.documents()["case/a.md"].state is State.HELD


def test_rules_that_change_the_owner_put_documents_under_a_hold(kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.write("b.md", "---\nowner: group:law\n---\n# B\n\nWords.\n")
    kb.sync()
    held(kb, owner="group:law")
    kb.source["rules"] = [{"match": "a.md", "owner": "group:law"}]
    kb.sync()
    (kb.docs / "a.md").unlink()
    assert counts(kb.sync())["held"] == 1


def test_a_document_comes_back_when_its_source_has_it_again(two: Knowledge) -> None:
    document = two.documents()["held.md"]
    after_vanishing(two)
    page(two, "held.md")
    assert counts(two.sync())["embedded"] == 0
    assert state(two, "held.md") == (State.INDEXED, True)
    assert two.documents()["held.md"].document_id == document.document_id
    assert log(two, document).count(LogAction.HELD) == 1


# ── Release ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_release_lets_the_waiting_removals_go(kb: Knowledge) -> None:
    """More of them than the guard lets vanish at once: their absence was concluded before."""
    for number in range(40):
        page(kb, f"{number:02}.md")
    kb.sync()
    hold = held(kb, pattern="[01]*.md")
    for number in range(20):
        (kb.docs / f"{number:02}.md").unlink()
    approved(kb)
    assert counts(kb.sync())["held"] == 20
    page(kb, "00.md")
    assert kb.ask(lambda m: release(m, hold, "Settled."))[1] == 20
    report = kb.sync()
    assert (report.exit_code, counts(report)["deleted"]) == (0, 19)
    assert state(kb, "00.md") == (State.INDEXED, True)
    assert len(kb.documents()) == len(kb.texts()) == 21
    assert agrees(kb)


def test_a_document_under_two_holds_stays_until_both_are_released(two: Knowledge) -> None:
    second = held(two, "held.md")
    after_vanishing(two)
    first = next(h.hold_id for h in two.ask(lambda m: m.ledger.holds.standing()) if h.hold_id != second)
    assert two.ask(lambda m: release(m, first, "Settled."))[1] == 0
    two.sync()
    assert state(two, "held.md") == (State.HELD, True)
    assert two.ask(lambda m: release(m, second, "Settled."))[1] == 1
    assert counts(two.sync())["deleted"] == 1


def test_a_hold_that_is_over_lets_them_go(kb: Knowledge) -> None:
    page(kb, "held.md")
    page(kb, "free.md")
    kb.sync()
    kb.ask(lambda m: place(m, Target(["held.md"]), "A lawsuit.", until="2026-06-10"))
    after_vanishing(kb)
    # The tenth of June is over everywhere at noon of the eleventh, UTC.
    kb.clock.forward(days=9, hours=23)
    assert kb.clock().isoformat() == "2026-06-11T11:00:00+00:00"
    kb.sync()
    assert state(kb, "held.md") == (State.HELD, True)
    kb.clock.forward(hours=1)
    assert kb.ask(lambda m: plan_of(m, "docs")).counts()["delete"] == 1
    assert counts(kb.sync())["deleted"] == 1


def test_what_vanishes_beside_waiting_removals_is_guarded(kb: Knowledge) -> None:
    for number in range(40):
        page(kb, f"{number:02}.md")
    kb.sync()
    hold = held(kb, pattern="0*.md")
    for number in range(10):
        (kb.docs / f"{number:02}.md").unlink()
    kb.sync()
    kb.ask(lambda m: release(m, hold, "Settled."))
    for number in range(10, 25):
        (kb.docs / f"{number:02}.md").unlink()
    report = kb.sync()
    assert (report.exit_code, report.sources[0].refused) == (4, 25)
    assert counts(kb.sync(approve=refused(report)))["deleted"] == 25
