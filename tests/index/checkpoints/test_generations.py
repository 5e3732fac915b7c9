"""After a restore of an older copy the log goes on, and what was lost is told: never in silence, and not as a
forgery."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index import checkpoints
from index.checkpoints import behind
from index.health.doctor import examine
from index.ledger import LogAction, LogCheck, LogEntry
from index.parse import Parser
from index.signed.note import Checkpoint, parse
from index.workspace import Workspace
from tests.index.backup.conftest import made, place, restored
from tests.knowledge import Knowledge
from tests.older import anchor, erased, keep, put_back


@pytest.fixture
def anchored(kb: Knowledge, examined_here: None, scanned_here: None) -> Knowledge:
    anchor(kb)
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    return kb


def grow(kb: Knowledge, *names: str) -> None:
    for name in names:
        kb.write(f"{name}.md", f"# {name}\n\nText of {name}.\n")
    assert kb.sync().outcome == "done"


def verified(kb: Knowledge, *restores: str) -> LogCheck:
    return kb.ask(lambda workspace: checkpoints.verify(workspace, restored=restores))


def said(check: LogCheck) -> list[str]:
    return [problem.problem for problem in check.problems]


def size(kb: Knowledge) -> int:
    return kb.ask(lambda workspace: workspace.ledger.log.head().size)


def generation(kb: Knowledge) -> str:
    return kb.ask(lambda workspace: workspace.ledger.history.generation())


def known(kb: Knowledge) -> list[list[tuple[str, int]]]:
    """(generation, size) of all checkpoints of each anchor."""

    def of(workspace: Workspace) -> list[list[tuple[str, int]]]:
        base = checkpoints.origin(workspace.ledger.instance_id)
        notes = [anchor.all(base) for anchor in checkpoints.anchors_of(workspace)]
        found = [[Checkpoint.of(parse(note)) for note in own] for own in notes]
        return [[(c.origin.removeprefix(base).strip("/"), c.size) for c in own] for own in found]

    return kb.ask(of)


@pytest.fixture
def elsewhere(anchored: Knowledge, tmp_path: Path, parser: Parser) -> Knowledge:
    """A place to restore backups into, with the same anchors and the same key."""
    other = place(anchored, tmp_path / "other", parser)
    key = (anchored.home / ".freshkb" / "signing.pem").rename(anchored.home / "key.pem")
    anchored.settings["log"]["key_file"] = str(key)
    other.settings["log"] = anchored.settings["log"]
    return other


def test_a_backup_that_has_all_that_the_anchors_know_begins_no_generation(
    anchored: Knowledge, elsewhere: Knowledge, tmp_path: Path
) -> None:
    made(anchored, tmp_path / "backup")
    assert restored(elsewhere, tmp_path / "backup").lost == 0
    grow(elsewhere, "b")
    assert generation(elsewhere) == ""
    assert verified(elsewhere).json() == {"ok": True, "entries": size(elsewhere), "problems": []}


def test_an_older_backup_goes_on_under_a_new_name_and_the_loss_is_told(
    anchored: Knowledge, elsewhere: Knowledge, tmp_path: Path
) -> None:
    made(anchored, tmp_path / "backup")
    kept = size(anchored)
    grow(anchored, "b", "c")
    lost = size(anchored)
    assert restored(elsewhere, tmp_path / "backup").lost == lost - kept
    name = generation(elsewhere)
    entry = elsewhere.ask(lambda w: w.ledger.log.newest(1)[0])
    assert (entry.action, entry.sequence) == (LogAction.LEDGER_RESTORED, kept + 1)
    assert {k: entry.facts[k] for k in ("generation", "kept", "known")} == {
        "generation": name,
        "kept": kept,
        "known": lost,
    }
    grow(elsewhere, "d")
    assert known(elsewhere) == [[("", kept), ("", lost), (name, size(elsewhere))]] * 2
    assert all(check.ok for check in elsewhere.ask(examine) if check.name == "log")
    found = verified(elsewhere)
    assert not found.ok and [problem.seq for problem in found.problems] == [kept + 1] * 2
    assert f"of which {kept + 1} to {lost} were lost" in found.problems[0].problem
    assert f"--restored {name}" in found.problems[0].problem
    # A person who knows of it says so, and is told all the same.
    found = verified(elsewhere, name)
    assert found.ok and len(found.lost) == 2
    assert [loss["seq"] for loss in found.json()["lost"]] == [kept + 1] * 2
    assert not verified(elsewhere, "R-0000000").ok


def test_what_came_before_the_restore_is_compared_as_ever(
    anchored: Knowledge, elsewhere: Knowledge, tmp_path: Path
) -> None:
    made(anchored, tmp_path / "backup")
    grow(anchored, "b")
    restored(elsewhere, tmp_path / "backup")
    grow(elsewhere, "c")
    name = generation(elsewhere)
    with closing(sqlite3.connect(elsewhere.home / ".freshkb" / "ledger.db")) as database, database:
        database.execute("UPDATE log SET actor = 'mallory@host' WHERE sequence = 1")
    found = verified(elsewhere, name)
    assert not found.ok and {problem.seq for problem in found.problems} == {1}
    # By the chain, and by two anchors in both generations.
    assert len(found.problems) == 5


def test_one_backup_is_restored_twice(
    anchored: Knowledge, elsewhere: Knowledge, tmp_path: Path, parser: Parser
) -> None:
    made(anchored, tmp_path / "backup")
    grow(anchored, "b")
    restored(elsewhere, tmp_path / "backup")
    grow(elsewhere, "c", "d")
    first, end = generation(elsewhere), size(elsewhere)
    third = place(anchored, tmp_path / "third", parser)
    third.settings["log"] = anchored.settings["log"]
    assert restored(third, tmp_path / "backup").lost > 0
    second = generation(third)
    assert second != first
    assert third.ask(lambda w: w.ledger.log.newest(1)[0]).facts[first] == end
    grow(third, "e")
    assert not verified(third).ok
    found = verified(third, second)
    assert found.ok and any(first in loss.problem for loss in found.lost)
    # Who named the first restore has not heard of the second.
    assert not verified(third, first).ok
    # The copy that was given up finds that it is behind, and writes nothing over the other.
    assert any("a later history" in problem for problem in said(verified(elsewhere, first)))
    elsewhere.write("f.md", "F\n")
    report = elsewhere.sync()
    assert report.outcome == "failed" and "a later history" in str(report.error)
    # A backup of the present one goes on by itself.
    made(third, tmp_path / "again")
    fourth = place(anchored, tmp_path / "fourth", parser)
    fourth.settings["log"] = anchored.settings["log"]
    assert restored(fourth, tmp_path / "again").lost == 0
    grow(fourth, "g")
    assert generation(fourth) == second and verified(fourth, second).ok


def test_a_copy_that_is_put_in_place_afterwards_is_visible(
    anchored: Knowledge, elsewhere: Knowledge, tmp_path: Path
) -> None:
    made(anchored, tmp_path / "backup")
    grow(anchored, "b")
    restored(elsewhere, tmp_path / "backup")
    keep(elsewhere, tmp_path / "aside")
    grow(elsewhere, "c", "d")
    name = generation(elsewhere)
    put_back(elsewhere, tmp_path / "aside")
    assert any("an older copy of the ledger" in problem for problem in said(verified(elsewhere, name)))
    # It goes on under a name that nobody has accepted.
    elsewhere.ask(behind.go_on)
    assert generation(elsewhere) != name
    grow(elsewhere, "e")
    assert not verified(elsewhere, name).ok
    assert verified(elsewhere, name, generation(elsewhere)).ok


def test_a_copy_that_was_written_to_after_the_restore_is_visible(
    anchored: Knowledge, elsewhere: Knowledge, tmp_path: Path
) -> None:
    made(anchored, tmp_path / "backup")
    grow(anchored, "b")
    log = anchored.settings.pop("log")
    restored(elsewhere, tmp_path / "backup")
    name = generation(elsewhere)
    grow(anchored, "c", "d")
    anchored.settings["log"] = log
    # No anchor knows of the restore yet, so that the former copy goes on.
    grow(anchored, "e")
    grow(elsewhere, "c")
    assert any(
        "another copy of the ledger was written to since" in p for p in said(verified(elsewhere, name))
    )


def test_a_ledger_that_is_not_behind_begins_no_generation(anchored: Knowledge) -> None:
    before = size(anchored)
    anchored.ask(behind.go_on)
    with anchored.workspace() as workspace:
        # Ahead of its anchors, as a run in progress is.
        workspace.ledger.log.append([LogEntry(workspace.now(), LogAction.REVIEWED, "docs", "x")])
        behind.go_on(workspace)
    assert generation(anchored) == "" and size(anchored) == before + 1


def test_checkpoints_name_the_orders_that_their_anchor_does_not_know(
    anchored: Knowledge, tmp_path: Path
) -> None:
    def named() -> list[list[tuple[str, ...]]]:
        def of(workspace: Workspace) -> list[list[tuple[str, ...]]]:
            base = checkpoints.origin_of(workspace.ledger)
            notes = [anchor.all(base) for anchor in checkpoints.anchors_of(workspace)]
            return [[Checkpoint.of(parse(note)).erased for note in own] for own in notes]

        return anchored.ask(of)

    grow(anchored, "b", "c")
    first = erased(anchored, "a.md").order_id
    assert [[ids for ids in own if ids] for own in named()] == [[(first,)]] * 2
    (anchored.home / "anchors").rename(anchored.home / "away")
    anchored.settings["log"]["anchors"] = anchored.settings["log"]["anchors"][1:]
    second = erased(anchored, "b.md").order_id
    (anchored.home / "away").rename(anchored.home / "anchors")
    (anchored.home / "late").mkdir()
    anchor(anchored)
    anchored.settings["log"]["anchors"].append(f"file:{anchored.home}/late/kb")
    third = erased(anchored, "c.md").order_id
    file, git, late = ([ids for ids in own if ids] for own in named())
    assert file == [(first,), (second, third)]
    assert git == [(first,), (second,), (third,)]
    assert late == [(first, second, third)]
    assert verified(anchored).ok
