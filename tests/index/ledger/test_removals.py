"""The ledger's rows of a document whose points are gone, and the log's entries of it."""

from __future__ import annotations

from collections.abc import Sequence

from index.ledger import LogAction, LogEntry, PointRemoval
from index.model import Point
from index.run import Run
from index.sync.collection import drop
from index.sync.requests import review
from index.sync.sync import sync
from index.verify.compare import verify
from index.verify.repair import repair
from index.workspace import Workspace, require_collection
from tests.holds import order
from tests.knowledge import Knowledge

WORDS = ("Zanzibar", "Quetzal", "Marimba", "Obsidian", "Tamarind")


def removals(workspace: Workspace) -> tuple[list[str], list[PointRemoval]]:
    name, points = require_collection(workspace).name, workspace.ledger.points
    return points.removals(name), points.absent(name)


def put_back(workspace: Workspace, points: Sequence[Point]) -> None:
    with workspace.store.session(require_collection(workspace).name) as session:
        session.upsert(points)


def test_what_was_removed_is_absent_until_it_is_purged(kb: Knowledge) -> None:
    gone, kept = kb.write("a.md", "# A\n\nOne.\n\n## B\n\nTwo.\n"), kb.write("b.md", "# B\n\nThree.\n")
    kb.sync()
    (document, points) = kb.documents()["a.md"], kb.points()
    mine = sorted(i for i, p in points.items() if p.payload["doc_id"] == document.document_id)
    kb.clock.forward(hours=1)
    gone.unlink()
    kept.write_text("# B\n\nFour.\n")
    kb.sync()
    present, absent = kb.ask(removals)
    assert present == [] and {removal.absent_at for removal in absent} == {kb.clock()}
    assert sorted(r.point_id for r in absent if r.document_id == document.document_id) == mine
    assert len(absent) == len(mine) + 1
    kept.write_text("# B\n\nThree.\n")
    kb.sync()
    assert len(kb.ask(removals)[1]) == len(absent), "one came back, and another went"
    with kb.workspace() as workspace:
        name, absent = require_collection(workspace).name, removals(workspace)[1]
        entry = LogEntry(workspace.now(), LogAction.PURGED, subject=name)
        assert workspace.ledger.writes.purged(name, absent, [entry]) == len(absent)
        assert removals(workspace) == ([], [])
    assert kb.ask(verify).ok


def test_a_removed_point_that_is_there_again_is_extra_and_removed(kb: Knowledge) -> None:
    """As an older copy of the store would have it."""
    gone = kb.write("a.md", "# A\n\nOne.\n")
    kb.write("b.md", "# B\n\nTwo.\n")
    kb.sync()
    old = [p for p in kb.points().values() if p.payload["metadata"]["uri"] == "a.md"]
    gone.unlink()
    kb.sync()
    kb.ask(lambda workspace: put_back(workspace, old))
    found = kb.ask(verify)
    assert {difference.point_id for difference in found.extra} == {point.id for point in old}
    with kb.workspace() as workspace:
        repair(workspace, found, Run(workspace, "verify"))
    assert found.repaired == len(old) and kb.ask(verify).ok
    assert {point.id for point in old}.isdisjoint(kb.points())
    assert len(kb.ask(removals)[1]) == len(old), "its bytes are still to be purged"


def test_the_removals_of_a_collection_are_dropped_with_it(kb: Knowledge) -> None:
    gone = kb.write("a.md", "# A\n\nOne.\n")
    kb.write("b.md", "# B\n\nTwo.\n")
    kb.sync()
    gone.unlink()
    with kb.workspace() as workspace:
        sync(Run(workspace, "sync"))
        collection = require_collection(workspace)
        assert workspace.ledger.points.absent(collection.name)
        drop(workspace, collection)
        assert workspace.ledger.points.absent(collection.name) == []
        entry = workspace.ledger.log.newest(1)[0]
        assert (entry.action, entry.subject) == (LogAction.COLLECTION_DROPPED, collection.name)


def test_the_log_holds_no_words_of_a_document(kb: Knowledge) -> None:
    """Neither its name, nor its title, its owner, its text, or why it was put aside, held or reviewed."""
    front = "---\ntitle: Quetzal\nowner: user:marimba\n---\n"
    kb.write("zanzibar/one.md", f"{front}# Quetzal\n\nObsidian.\n")
    kb.write("zanzibar/two.md", f"{front}# Quetzal\n\nObsidian, too.\n")
    kb.write("zanzibar/zanzibar.exe", "Obsidian")
    kb.write("zanzibar/broken.docx", "Obsidian")
    kb.sync()
    document = kb.documents()["zanzibar/one.md"]
    with kb.workspace() as workspace:
        review(Run(workspace, "review"), ["zanzibar/one.md"], "Tamarind", "Tamarind was here.")
        placed = LogEntry.of(document, LogAction.HOLD_PLACED, workspace.now(), hold="LH-1")
        ids, reason = [document.document_id], "Tamarind against Marimba."
        hold = order("LH-1", workspace.now(), reason, matter="Zanzibar 7")
        workspace.ledger.holds.place(hold, ids, [placed])
    for name in ("one.md", "two.md", "zanzibar.exe"):
        (kb.docs / "zanzibar" / name).unlink()
    kb.sync()
    with kb.workspace() as workspace:
        released = LogEntry(workspace.now(), LogAction.HOLD_RELEASED, subject="LH-1")
        workspace.ledger.holds.release("LH-1", "Tamarind", "Quetzal won.", workspace.now(), [released])
        found = verify(workspace)
        repair(workspace, found, Run(workspace, "verify"))
        log, runs = workspace.ledger.log.newest(1000), workspace.ledger.runs.newest(1000)
    actions = {entry.action for entry in log}
    assert actions >= {"added", "deleted", "quarantined", "skipped", "touched", "reviewed", "hold-placed"}
    said = [str(entry) for entry in log] + [str(run) for run in runs]
    assert [line for line in said for word in WORDS if word.lower() in line.lower()] == []
