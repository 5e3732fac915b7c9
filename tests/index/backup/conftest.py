"""Knowledge bases with something of everything, and places that have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from index.backup.create import create
from index.backup.manifest import Manifest
from index.backup.restore import Restored, restore
from index.ledger import Tombstone, TombstoneKind
from index.parse import Parser
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.sync.requests import review
from index.sync.sync import sync
from index.verify.compare import verify
from index.workspace import Workspace
from tests.erasures import placed
from tests.holds import order
from tests.knowledge import Knowledge, counts
from tests.laid_out import LaidOut, made_once

#: A word of a document that was deleted before the backup.
GONE = "whimbrel"


def fill(kb: Knowledge) -> None:
    """Documents, and rows in every table that a person or a run writes to."""
    for number in range(12):
        parts = "\n\n".join(f"# Part {part}\n\nWords of {number} and {part}." for part in range(3))
        kb.write(f"team/{number:02}.md", f"# Page {number}\n\n{parts}\n")
    kb.write("gone.md", f"The {GONE} was here.\n")
    kb.write("kept.md", "A document under a hold.\n")
    kb.write("böse \u2028.bin", "\0")
    kb.write("empty.md", "")
    kb.sync()
    (kb.docs / "gone.md").unlink()
    (kb.docs / "team/00.md").unlink()
    kb.source["delete"] = {"max_fraction": 0.0, "max_count": 0}
    with kb.workspace() as workspace:
        ledger, now = workspace.ledger, workspace.now()
        (held,) = ledger.documents.find(uris=["kept.md"])
        ledger.holds.place(order("LH-1", now), [held.document_id], [])
        stone = Tombstone("f" * 64, TombstoneKind.CONTENT)
        placed(ledger, "E-1", [], now, standing=[stone])
        ledger.erasures.finish("E-1", "{}", now)
        review(Run(workspace, "review"), ["team/01.md"], "anna", "read it")
        refused = sync(Run(workspace, "sync")).sources[0]
        assert refused.plan_hash is not None
        sync(Run(workspace, "sync"), approve=refused.plan_hash)
    del kb.source["delete"]


def rows(kb: Knowledge) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the ledger, by table."""

    def read(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
        with workspace.ledger.snapshot() as snapshot:
            return {table.name: [tuple(row) for row in table.rows] for table in snapshot.tables()}

    return kb.ask(read)


def made(kb: Knowledge, folder: Path, **options: Any) -> Manifest:
    return kb.ask(lambda workspace: create(workspace, folder, **options))


def restored(kb: Knowledge, folder: Path, **options: Any) -> Restored:
    return kb.ask(lambda workspace: restore(workspace, folder, **options))


def place(kb: Knowledge, home: Path, parser: Parser, kind: type[Knowledge] = Knowledge) -> Knowledge:
    """A place for a knowledge base of the same documents and time. It has none yet."""
    other = kind(home, parser)
    other.docs.rmdir()
    other.settings["sources"] = [{**kb.source, "root": str(kb.docs)}]
    other.docs, other.clock = kb.docs, kb.clock
    return other


def agrees(kb: Knowledge) -> None:
    """Source, ledger and store agree, and a sync has nothing to do."""
    with kb.workspace() as workspace:
        found = verify(workspace, deep=True)
        assert found.ok, found.json()
        before = [len(embedder.embedded) for embedder in kb.embedders]
        done = counts(sync(Run(workspace, "sync")))
    assert done.keys() <= {"unchanged", "embedded", "skipped", "held"}, done
    assert done["embedded"] == 0
    assert [len(embedder.embedded) for embedder in kb.embedders] == before


def hits(kb: Knowledge) -> list[tuple[str, float]]:
    with kb.workspace() as workspace:
        found = KnowledgeBase(workspace).search("words of 7 and part 2", k=20)
        return [(hit.point_id, round(hit.score, 6)) for hit in found]


laid_out = made_once(fill)


@pytest.fixture
def full(kb: Knowledge, laid_out: LaidOut, examined_here: None) -> Knowledge:
    return laid_out.again(kb)


@pytest.fixture
def other(kb: Knowledge, tmp_path: Path, parser: Parser, request: pytest.FixtureRequest) -> Knowledge:
    """A place for what `kb` is in this test."""
    if "full" in request.fixturenames:
        request.getfixturevalue("full")
    return place(kb, tmp_path / "other", parser)
