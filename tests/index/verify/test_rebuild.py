"""A collection that replaces a damaged or a lost one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from index.errors import Locked
from index.model import Point, Sparse
from index.purge.copy import copied
from index.records import Collection
from index.run import Run
from index.verify.compare import verify
from index.verify.differences import Verification
from index.verify.repair import repair
from index.workspace import Workspace
from tests.knowledge import Knowledge


@pytest.fixture
def grown(kb: Knowledge, examined_here: None) -> Knowledge:
    for number in range(3):
        kb.write(f"{number}.md", f"# Page {number}\n\nText {number}.\n")
    kb.sync()
    return kb


def rebuilt(kb: Knowledge) -> Verification:
    """A repair as of a damaged file."""
    with kb.workspace() as workspace:
        found = verify(workspace)
        found.rebuild = True
        repair(workspace, found, Run(workspace, "verify"))
    return found


def add_source(kb: Knowledge) -> None:
    """With a text, in the configuration of commands that begin from now on."""
    folder = kb.home / "added"
    folder.mkdir()
    (folder / "new.md").write_text("# New\n\nText of another source.\n")
    kb.settings["sources"].append({"id": "added", "type": "files", "root": "./added"})


def test_words_without_their_weights_are_not_copied(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a lost page of the store gives them: the engine would panic, and at the next write again."""
    before = grown.texts()

    def damaged(workspace: Workspace, into: Collection, points: Iterable[Point]) -> Iterator[list[str]]:
        lost = (replace(p, sparse=Sparse(p.sparse.indices, ())) for p in points if p.sparse is not None)
        return copied(workspace, into, lost)

    monkeypatch.setattr("index.verify.rebuild.copied", damaged)
    assert rebuilt(grown).errors == []
    assert grown.texts() == before
    assert grown.ask(lambda workspace: verify(workspace, deep=True)).ok


def test_no_source_is_written_beside_a_rebuild_nor_one_that_it_does_not_know(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, refused = grown.texts(), list[str]()

    def beside(*args: Any, **more: Any) -> Iterator[list[str]]:
        yield from copied(*args, **more)
        if not refused:
            add_source(grown)
            with pytest.raises(Locked, match="is being built anew by `freshkb verify --repair`") as caught:
                grown.sync(sources=["added"])
            refused.append(str(caught.value))

    monkeypatch.setattr("index.verify.rebuild.copied", beside)
    former = grown.ask(lambda workspace: workspace.store.collections())
    assert rebuilt(grown).ok
    assert refused and grown.texts() == before
    grown.sync()
    assert set(grown.texts()) == {*before, "new.md"}
    names = grown.ask(lambda workspace: workspace.store.collections())
    assert len(names) == 1 and names != former


def test_no_rebuild_begins_beside_a_writer_of_a_source_that_it_does_not_know(grown: Knowledge) -> None:
    before = grown.ask(lambda workspace: workspace.store.collections())
    with (
        grown.workspace() as other,
        other.ledger.writer("added", "freshkb sync"),
        pytest.raises(Locked, match="'added' is being written by `freshkb sync`"),
    ):
        rebuilt(grown)
    assert grown.ask(lambda workspace: workspace.store.collections()) == before
    assert grown.ask(lambda workspace: verify(workspace)).ok


def test_an_index_of_which_ledger_and_store_have_lost_the_collection_is_made_anew(grown: Knowledge) -> None:
    before = grown.texts()
    with grown.workspace() as workspace:
        (lost,) = workspace.ledger.collections.all()
        workspace.store.drop(lost.name)
        workspace.ledger.writes.drop_collection(lost.name, [])
    with grown.workspace() as workspace:
        repair(workspace, verify(workspace), Run(workspace, "verify"))
    assert grown.texts() == before
    assert grown.ask(lambda workspace: verify(workspace, deep=True)).ok
