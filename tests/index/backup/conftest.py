"""Knowledge bases with something of everything, in each database and store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.backup.create import create
from index.backup.manifest import Manifest
from index.backup.restore import restore
from index.parse import Parser
from index.run import Run
from index.sync.requests import review
from index.sync.sync import sync
from index.workspace import Workspace
from tests.knowledge import Knowledge

pytestmark = pytest.mark.usefixtures("examined_here")


def fill(kb: Knowledge) -> None:
    """Documents, and something in every table that a person or a run writes to."""
    for number in range(12):
        parts = "\n\n".join(f"# Part {part}\n\nWords of {number} and {part}." for part in range(3))
        kb.write(f"team/{number:02}.md", f"# Page {number}\n\n{parts}\n")
    kb.write("gone.md", "The whimbrel was here.\n")
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
        ledger.holds.place([held.document_id], "LH-1", "lawsuit", now, [])
        ledger.erasures.put(["f" * 64], "docs", "asked for", now, [])
        review(Run(workspace, "review"), ["team/01.md"], "anna", "read it")
        refused = sync(Run(workspace, "sync")).sources[0]
        assert refused.plan_hash is not None
        sync(Run(workspace, "sync"), approve=refused.plan_hash)
    del kb.source["delete"]


def rows(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the ledger."""
    with workspace.ledger.snapshot() as snapshot:
        return {table.name: [tuple(row) for row in table.rows] for table in snapshot.tables()}


def made(kb: Knowledge, folder: Path, **options: Any) -> Manifest:
    return kb.ask(lambda workspace: create(workspace, folder, **options))


def restored(kb: Knowledge, folder: Path, **options: Any) -> Manifest:
    return kb.ask(lambda workspace: restore(workspace, folder, **options))


def beside(kb: Knowledge, home: Path, parser: Parser, kind: type[Knowledge] = Knowledge) -> Knowledge:
    """An empty knowledge base with the same sources and clock."""
    other = kind(home, parser)
    other.docs.rmdir()
    other.settings["sources"] = [{**kb.source, "root": str(kb.docs)}]
    other.docs, other.clock = kb.docs, kb.clock
    return other


@pytest.fixture
def full(kb: Knowledge) -> Knowledge:
    fill(kb)
    return kb


@pytest.fixture
def other(kb: Knowledge, tmp_path: Path, parser: Parser) -> Knowledge:
    """A place without a knowledge base."""
    return beside(kb, tmp_path / "other", parser)


Make = Callable[..., Manifest]
