"""The oracle itself: it must see what it is there to see."""

from __future__ import annotations

from dataclasses import replace

from index.model import State
from index.run import Run
from index.sync.sync import sync
from index.workspace import Workspace
from tests.knowledge import Knowledge
from tests.promises.image import Image, differences, image, rebuilt
from tests.promises.parts import Call, interpose


def _written(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText of a.\n\n# Again\n\nMore.\n")
    kb.write("b.md", "# B\n\nSame.\n\nSame.\n")
    kb.write("c.xyz", "nothing that can be parsed")
    kb.sync()


def test_an_index_that_has_a_history_equals_its_rebuild(kb: Knowledge) -> None:
    _written(kb)
    (kb.docs / "b.md").rename(kb.docs / "renamed.md")
    kb.write("a.md", "# A\n\nText of a, changed.\n\n# Again\n\nMore.\n")
    kb.clock.forward(days=1)
    kb.sync()
    mine = kb.ask(image)
    assert set(mine.documents) == {("docs", uri) for uri in ("a.md", "renamed.md", "c.xyz")}
    assert differences(mine, rebuilt(kb)) == []


def test_every_kind_of_difference_is_seen(kb: Knowledge) -> None:
    _written(kb)
    kb.source["delete"] = {"max_fraction": 1.0}
    theirs = rebuilt(kb)

    def damaged(change: str) -> list[str]:
        mine: Image = kb.ask(image)
        points = mine.points["docs", "a.md"]
        match change:
            case "payload":
                points[0] = replace(points[0], payload={**points[0].payload, "page_content": "x"})
            case "dense":
                points[0] = replace(points[0], dense=[-n for n in points[0].dense or ()])
            case "sparse":
                points[0] = replace(points[0], sparse=points[1].sparse)
            case "point":
                points.pop()
            case "row":
                mine.documents["docs", "a.md"]["state"] = State.PENDING
            case "document":
                del mine.documents["docs", "a.md"]
        return differences(mine, theirs)

    assert damaged("") == []
    for change in ("payload", "dense", "sparse", "point", "row", "document"):
        assert len(damaged(change)) == 1, change


def test_points_that_are_lost_or_nobodys_are_seen(kb: Knowledge) -> None:
    _written(kb)

    def disturb(workspace: Workspace) -> None:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        with workspace.store.session(collection.name) as session:
            first, second, *_ = session.scroll(vectors=True)
            session.delete([first.id])
            session.upsert([replace(second, id="00000000-0000-0000-0000-000000000001")])

    kb.ask(disturb)
    wrong = kb.ask(image).wrong
    assert len(wrong) == 2
    assert "is missing" in wrong[0] and "belongs to no document" in wrong[1]


def test_every_call_of_every_part_is_crossed(kb: Knowledge) -> None:
    calls: list[str] = []
    halves: list[str] = []

    def note(call: Call) -> object:
        calls.append(str(call))
        if call.half is not None:
            halves.append(str(call))
        return call.whole()

    kb.write("a.md", "# A\n\nText of a.\n\n# Again\n\nMore.\n")
    with kb.workspace() as workspace:
        interpose(workspace, note)
        sync(Run(workspace, "sync"))
        kb.write("a.md", "# A\n\nAnother text.\n")
        sync(Run(workspace, "sync"))
    assert {
        "ledger.writes.intend",
        "ledger.writes.commit",
        "ledger.writes.settle",
        "store.create",
        "store.session",
    } <= set(calls)
    assert {"session.upsert", "session.delete", "session.retrieve"} <= set(calls)
    assert {"connector.list", "connector.fetch", "parser.submit", "embedder.embed_documents"} <= set(calls)
    assert set(halves) == {"session.upsert", "session.delete"}
