"""A kill at any step of a backup or a restore leaves nothing that looks like one, and the next is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from index.backup.create import PREFIX
from index.backup.manifest import Manifest
from index.backup.restore import HOME
from index.errors import LedgerDamaged, Refused
from index.ledger.copy import existing
from index.workspace import Workspace
from tests.index.backup.conftest import agrees, made, restored, rows
from tests.index.backup.killed import STRIDE, Order, Server
from tests.knowledge import Knowledge


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_a_killed_create_leaves_no_backup(
    full: Knowledge, other: Knowledge, server: Server, tmp_path: Path, soak: bool
) -> None:
    full.config()
    place = tmp_path / "backups"
    place.mkdir()
    whole = 0
    for step in count(1, 1 if soak else STRIDE):
        ended = server.run(Order(str(full.home), str(place / "new"), "create", step))
        assert ended in (0, -9)
        if (place / "new").exists():
            Manifest.read(place / "new").check(place / "new")
            shutil.rmtree(place / "new")
            whole += 1
        if ended == 0:
            break
    assert step > 10
    # The last steps come after the rename.
    assert whole < 6
    made(full, place / "last")
    assert [path.name for path in place.iterdir()] == ["last"]
    assert not list(place.glob(f"{PREFIX}*"))
    restored(other, place / "last")
    agrees(other)


def test_a_killed_restore_leaves_no_knowledge_base_and_the_next_is_whole(
    full: Knowledge, other: Knowledge, server: Server, tmp_path: Path, soak: bool
) -> None:
    made(full, tmp_path / "backup")
    other.config()
    state, points, before = other.home / ".freshkb", full.points(), rows(full)
    del before["log"], before["log_head"]
    halves = finished = 0
    for step in count(1, 1 if soak else STRIDE):
        shutil.rmtree(state, ignore_errors=True)
        ended = server.run(Order(str(other.home), str(tmp_path / "backup"), "restore", step))
        assert ended in (0, -9)
        if existing("sqlite", state) is not None:
            # Its ledger came last.
            finished += 1
            with pytest.raises(Refused, match="ledger already"):
                restored(other, tmp_path / "backup")
        else:
            if list(state.glob("index/[!.]*/instance")):
                halves += 1
                with Workspace(other.config()) as workspace, pytest.raises(LedgerDamaged):
                    assert workspace.ledger
            restored(other, tmp_path / "backup")
            assert not (state / HOME).exists()
        after = rows(other)
        del after["log"], after["log_head"]
        assert after == before
        assert other.points() == points
        if ended == 0:
            break
    assert step > 25
    assert halves > (5 if soak else 1)
    # The kills at the removal of what the restore needed, and the end.
    assert 1 < finished < 14
    agrees(other)
