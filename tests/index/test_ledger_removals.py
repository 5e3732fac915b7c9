"""What is left of a document in the ledger when its points are gone, and what the log says of it."""

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
from index.workspace import Mirror, require_collection
from tests.knowledge import Knowledge

WORDS = ("Zanzibar", "Quetzal", "Marimba", "Obsidian", "Tamarind")


def removals(mirror: Mirror) -> tuple[list[str], list[PointRemoval]]:
    name, points = require_collection(mirror).name, mirror.ledger.points
    return points.removals(name), points.absent(name)


def put_back(mirror: Mirror, points: Sequence[Point]) -> None:
    with mirror.store.session(require_collection(mirror).name) as session:
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
    with kb.mirror() as mirror:
        name, until = require_collection(mirror).name, mirror.now()
        entry = LogEntry(until, LogAction.PURGED, subject=name)
        assert mirror.ledger.writes.purged(name, [entry], until=until) == len(absent)
        assert removals(mirror) == ([], [])
    assert kb.ask(verify).ok


def test_a_removed_point_that_is_there_again_is_extra_and_removed(kb: Knowledge) -> None:
    """As an older copy of the store would have it."""
    gone = kb.write("a.md", "# A\n\nOne.\n")
    kb.write("b.md", "# B\n\nTwo.\n")
    kb.sync()
    old = [p for p in kb.points().values() if p.payload["metadata"]["uri"] == "a.md"]
    gone.unlink()
    kb.sync()
    kb.ask(lambda mirror: put_back(mirror, old))
    found = kb.ask(verify)
    assert {difference.point_id for difference in found.extra} == {point.id for point in old}
    with kb.mirror() as mirror:
        repair(mirror, found, Run(mirror, "verify"))
    assert found.repaired == len(old) and kb.ask(verify).ok
    assert {point.id for point in old}.isdisjoint(kb.points())
    assert len(kb.ask(removals)[1]) == len(old), "its bytes are still to be purged"


def test_the_removals_of_a_collection_are_dropped_with_it(kb: Knowledge) -> None:
    gone = kb.write("a.md", "# A\n\nOne.\n")
    kb.write("b.md", "# B\n\nTwo.\n")
    kb.sync()
    gone.unlink()
    with kb.mirror() as mirror:
        sync(Run(mirror, "sync"))
        collection = require_collection(mirror)
        assert mirror.ledger.points.absent(collection.name)
        drop(mirror, collection)
        assert mirror.ledger.points.absent(collection.name) == []
        entry = mirror.ledger.log.newest(1)[0]
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
    with kb.mirror() as mirror:
        review(Run(mirror, "review"), ["zanzibar/one.md"], "Tamarind", "Tamarind was here.")
        placed = LogEntry.of(document, LogAction.HOLD_PLACED, mirror.now(), hold="LH-1")
        ids = [document.document_id]
        mirror.ledger.holds.place(ids, "LH-1", "Tamarind against Marimba.", mirror.now(), [placed])
    for name in ("one.md", "two.md", "zanzibar.exe"):
        (kb.docs / "zanzibar" / name).unlink()
    kb.sync()
    with kb.mirror() as mirror:
        released = LogEntry(mirror.now(), LogAction.HOLD_RELEASED, subject="LH-1")
        mirror.ledger.holds.release("LH-1", mirror.now(), [released])
        found = verify(mirror)
        repair(mirror, found, Run(mirror, "verify"))
        log, runs = mirror.ledger.log.newest(1000), mirror.ledger.runs.newest(1000)
    actions = {entry.action for entry in log}
    assert actions >= {"added", "deleted", "quarantined", "skipped", "touched", "reviewed", "hold-placed"}
    said = [str(entry) for entry in log] + [str(run) for run in runs]
    assert [line for line in said for word in WORDS if word.lower() in line.lower()] == []
