"""A backup is one moment of ledger and store, whatever goes on meanwhile."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import index.backup.create
from index.backup.create import PREFIX
from index.errors import ConfigError, LedgerDamaged, Refused, StoreError
from index.ledger.writes import Writes
from index.run import Run
from index.sizes import Sizes
from index.store.edge.session import EdgeSession
from index.store.edge.store import EdgeStore
from index.sync.collection import create as make_collection
from index.sync.sync import sync
from index.verify.compare import verify
from index.verify.rebuild import rebuild
from index.workspace import require_collection
from tests.index.backup.conftest import GONE, agrees, made, restored
from tests.knowledge import Knowledge


def content(folder: Path) -> bytes:
    """All that is in a backup, unpacked."""
    return b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in folder.iterdir()
    )


@contextmanager
def before_session(number: int, hook: Callable[[], object]) -> Iterator[None]:
    """Call the hook before the store is opened for this time."""
    real, opened = EdgeStore.session, [0]

    def session(self: EdgeStore, collection: str) -> Any:
        opened[0] += 1
        if opened[0] == number:
            hook()
        return real(self, collection)

    EdgeStore.session = session  # type: ignore[method-assign]
    try:
        yield
    finally:
        EdgeStore.session = real  # type: ignore[method-assign]


def test_a_sync_beside_it_is_before_or_after(full: Knowledge, other: Knowledge, tmp_path: Path) -> None:
    full.sizes = Sizes(read_points=5)

    def change() -> None:
        for number in (1, 4, 7):
            full.write(f"team/{number:02}.md", f"# Page {number}\n\nNow the ruff stands here.\n")
        for number in (2, 5, 8):
            full.write(f"team/{number:02}.md", f"# Another title {number}\n\nWords of {number}.\n")
        (full.docs / "team/09.md").rename(full.docs / "renamed.md")
        (full.docs / "team/10.md").unlink()
        full.write("new.md", "A page that nobody saw before.\n")
        full.source["rules"] = [{"match": "team/06*", "owner": "user:bo"}]
        full.sync()

    with before_session(4, change):
        manifest = made(full, tmp_path / "backup")
    said = content(tmp_path / "backup")
    assert b"the ruff stands" in said
    assert b"Words of 10 and" not in said
    assert manifest.points == len(full.points())
    other.source["rules"] = full.source["rules"]
    restored(other, tmp_path / "backup")
    assert other.points() == full.points()
    agrees(other)


def test_a_switch_beside_it_gives_the_new_collection(
    full: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    full.sizes = Sizes(read_points=5)
    former = full.ask(require_collection)
    with before_session(3, lambda: full.ask(rebuild)):
        manifest = made(full, tmp_path / "backup")
    current = full.ask(require_collection)
    assert [points.collection for points in manifest.collections] == [current.name] != [former.name]
    restored(other, tmp_path / "backup")
    agrees(other)


def test_a_collection_that_is_being_built_is_left_out(
    full: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    building = full.ask(lambda workspace: make_collection(workspace, "building"))
    made(full, tmp_path / "backup")
    restored(other, tmp_path / "backup")
    with other.workspace() as workspace:
        (only,) = workspace.ledger.collections.all()
        assert workspace.store.collections() == [only.name] != [building.name]
    agrees(other)


def fail(*_: object, **__: object) -> None:
    raise StoreError("The disk is full.")


@pytest.mark.parametrize("method", [(Writes, "commit"), (EdgeSession, "delete"), (EdgeSession, "upsert")])
def test_recovery_mends_what_was_left_unfinished_after_the_restore(
    full: Knowledge,
    other: Knowledge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: tuple[type, str],
) -> None:
    full.write("team/03.md", "# Page 3\n\n# Part 0\n\nWords of 3 and 0.\n\nMore words.\n")
    full.source["rules"] = [{"match": "team/**", "owner": "user:bo"}]
    with monkeypatch.context() as broken, full.workspace() as workspace:
        broken.setattr(*method, fail)
        with pytest.raises(StoreError):
            sync(Run(workspace, "sync"))
        name = require_collection(workspace).name
        ledger = workspace.ledger
        left = (ledger.points.intents(), ledger.points.removals(name), ledger.log.pending(name))
        assert any(left)
    made(full, tmp_path / "backup")
    other.source["rules"] = full.source["rules"]
    restored(other, tmp_path / "backup")
    with other.workspace() as workspace:
        ledger = workspace.ledger
        assert left == (ledger.points.intents(), ledger.points.removals(name), ledger.log.pending(name))
        sync(Run(workspace, "sync"))
        assert not ledger.points.intents()
        assert not ledger.points.removals(name)
        assert not ledger.log.pending(name)
        assert verify(workspace, deep=True).ok
    full.sync()
    assert other.texts() == full.texts()


def test_a_deleted_text_is_in_no_file_although_the_store_has_it(full: Knowledge, tmp_path: Path) -> None:
    made(full, tmp_path / "backup")
    stored = [path for path in (full.home / ".freshkb" / "index").rglob("*") if path.is_file()]
    assert any(GONE.encode() in path.read_bytes() for path in stored)
    said = content(tmp_path / "backup")
    assert b"Words of 7 and 2" in said
    assert GONE.encode() not in said
    assert b"Words" not in (tmp_path / "backup" / "backup.json").read_bytes()


def test_lost_points_are_an_error_that_names_the_repair_or_the_writer(
    full: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.backup.create, "ROUNDS", 2)
    with full.workspace() as workspace:
        with workspace.store.session(require_collection(workspace).name) as session:
            session.delete([point.id for point in session.scroll(vectors=False)][:3])
        with pytest.raises(StoreError, match=r"lacks 3 of the 34 points.*verify --repair"):
            index.backup.create.create(workspace, tmp_path / "backup")
        with (
            workspace.ledger.writer("docs", "freshkb watch"),
            pytest.raises(Refused, match=r"`freshkb watch` on .*source 'docs'"),
        ):
            index.backup.create.create(workspace, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_an_altered_payload_and_an_altered_vector_are_in_no_backup(
    full: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(index.backup.create, "ROUNDS", 1)
    with full.workspace() as workspace:
        with workspace.store.session(require_collection(workspace).name) as session:
            one, two, *_ = session.scroll(vectors=True)
            session.upsert([replace(one, payload={**one.payload, "page_content": "Forged."})])
            session.upsert([replace(two, dense=one.dense)])
        with pytest.raises(StoreError, match="lacks 2 of the 34"):
            index.backup.create.create(workspace, tmp_path / "backup")


def test_only_a_new_or_empty_folder_is_taken(full: Knowledge, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for wrong in (taken, taken / "mine", tmp_path / "link"):
        with pytest.raises(ConfigError, match="no empty folder"):
            made(full, wrong)
    with pytest.raises(ConfigError, match="lies in the state folder"):
        made(full, full.home / ".freshkb" / "index" / "backup")
    (taken / "mine").unlink()
    made(full, taken)
    made(full, tmp_path / "deep" / "er" / "backup")
    with pytest.raises(ConfigError, match="no empty folder"):
        made(full, taken)


def test_what_a_killed_process_left_is_removed(full: Knowledge, tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}abc"
    left.mkdir()
    (left / "points-1").write_bytes(b"text")
    made(full, tmp_path / "backup")
    assert not left.exists()


def test_a_damaged_ledger_is_not_copied(full: Knowledge, tmp_path: Path) -> None:
    path = full.home / ".freshkb" / "ledger.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(8, size // 4096, 3):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    with pytest.raises(LedgerDamaged):
        made(full, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    shutil.rmtree(full.home / ".freshkb")
