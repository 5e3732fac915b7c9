"""A run that has lost its writer lock, as with a session of PostgreSQL, beside the run that came after it.

The lock is not lost here: the other run recovers without it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.errors import LedgerError
from index.parse import Parser
from index.purge.purge import purge
from index.run import Run
from index.sync.recover import recover
from index.sync.sync import sync
from index.sync.target import target_of
from index.verify.compare import verify
from tests.knowledge import Knowledge
from tests.promises.parts import Call, interpose
from tests.traces.server import Served

pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect in the local Qdrant:UserWarning"
)

KEPT, WITHDRAWN = "# A\n\nFirst words.\n", "# A\n\nThe withdrawn words.\n"


@pytest.fixture
def base(tmp_path: Path, parser: Parser) -> Knowledge:
    """On a server, whose sessions exclude nobody. Its document is about to get a text, which it loses."""
    kb = Served(tmp_path / "kb", parser)
    kb.write("a.md", KEPT)
    kb.sync()
    kb.clock.forward(hours=1)
    return kb


def sync_past(kb: Knowledge, name: str, then: Callable[[], Any]) -> None:
    """Sync the withdrawn text. Before the first call of this name another run recovers; after it comes
    `then`."""

    cleared = False

    def around(call: Call) -> Any:
        nonlocal cleared
        if call.name != name or cleared:
            return call.whole()
        cleared = True
        kb.ask(lambda other: recover(target_of(Run(other, "sync")), "docs"))
        answer = call.whole()
        then()
        return answer

    kb.write("a.md", WITHDRAWN)
    try:
        with kb.workspace() as workspace:
            interpose(workspace, around)
            sync(Run(workspace, "sync"))
    finally:
        assert cleared
        kb.write("a.md", KEPT)


def test_what_another_run_has_cleared_up_is_not_written(base: Knowledge) -> None:
    before = base.points()
    with pytest.raises(LedgerError, match="1 of 1 documents cannot be written: another run has cleared up"):
        sync_past(base, "embed_documents", lambda: None)
    assert base.points() == before
    base.sync()
    assert base.ask(lambda workspace: verify(workspace)).ok


def test_points_that_were_written_after_they_were_cleared_up_go_with_the_next_sync(base: Knowledge) -> None:
    before = base.texts()
    with pytest.raises(LedgerError, match="Another run may have cleared it up"):
        sync_past(base, "upsert", lambda: None)
    assert len(base.points()) == 2
    base.sync()
    assert base.texts() == before and len(base.points()) == 1
    assert base.ask(lambda workspace: verify(workspace)).ok


def test_they_go_with_the_next_purge_when_their_writer_was_killed(base: Knowledge) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    before = base.texts()
    with pytest.raises(KeyboardInterrupt):
        sync_past(base, "upsert", killed)
    base.sync()
    assert len(base.points()) == 2
    report = base.ask(lambda workspace: purge(Run(workspace, "purge")))
    assert (report.purged, report.outcome) == (1, "done")
    assert base.texts() == before and len(base.points()) == 1
    assert base.ask(lambda workspace: verify(workspace)).ok
