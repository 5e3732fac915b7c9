"""A backup is restored into each database and store, as it was."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from index.checkpoints import checkpoint_of
from index.errors import LedgerError, Refused
from index.ledger import LogAction
from index.ledger.copy import existing
from index.model import State
from index.parse import Parser
from index.run import Run
from index.verify.compare import verify
from index.verify.repair import repair
from tests.holds import order
from tests.index.backup.conftest import agrees, hits, made, place, restored, rows
from tests.knowledge import Knowledge, counts
from tests.traces.server import Served

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

#: Tables whose rows a restore changes: the log says that there was one.
CHANGED = {"log_head", "log"}


def same_rows(one: Knowledge, other: Knowledge, *besides: str) -> None:
    before, after = rows(one), rows(other)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} <= CHANGED | set(besides)
    assert after["log"][: len(before["log"])] == before["log"]
    with other.workspace() as workspace:
        newest = workspace.ledger.log.newest(1)[0]
    assert newest.action is LogAction.LEDGER_RESTORED
    assert newest.facts["points"] == len(before["chunks"])


def test_everything_is_as_it_was(full: Knowledge, other: Knowledge, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    manifest = made(full, folder)
    checkpoint = full.ask(lambda workspace: checkpoint_of(workspace.ledger, workspace.ledger.log.head()).text)
    assert manifest.json() == {"documents": 13, "points": 34, "checkpoint": checkpoint}
    assert restored(other, folder).manifest == manifest
    same_rows(full, other)
    filled = {name for name, found in rows(other).items() if found}
    assert filled >= {"approvals", "holds", "reviews", "tombstones", "runs", "plans", "removals", "log"}
    assert other.points() == full.points()
    assert hits(other) == hits(full) != []
    agrees(other)
    assert not (other.home / ".freshkb" / ".restoring").exists()
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    assert (other.home / ".freshkb" / "ledger.db").stat().st_mode & 0o077 == 0


def test_what_had_expired_comes_back_expired(kb: Knowledge, other: Knowledge, tmp_path: Path) -> None:
    for one in (kb, other):
        one.settings["retention"] = [{"after": "1y", "field": "ended"}]
    kb.write("over.md", "---\nended: 2020-01-01\n---\n# Over\n\nThe end.\n")
    kb.write("page.md", "# Page\n\nAs it is.\n")
    assert counts(kb.sync()) == {"added": 1, "expired": 1, "embedded": 1}
    assert made(kb, tmp_path / "backup").json()["documents"] == 1
    restored(other, tmp_path / "backup")
    same_rows(kb, other)
    assert other.documents()["over.md"].state is State.EXPIRED
    agrees(other)


def test_databases_and_stores_may_differ(
    full: Knowledge, tmp_path: Path, parser: Parser, postgresql_url: str
) -> None:
    server = place(full, tmp_path / "server", parser, Served)
    server.settings["ledger"] = postgresql_url
    made(full, tmp_path / "one")
    restored(server, tmp_path / "one")
    # The stand-in normalises once more what is normalised, as a server may.
    same_rows(full, server, "chunks")
    assert hits(server) == hits(full)
    agrees(server)
    server.write("new.md", "Another page, which the log counts on.\n")
    server.sync()
    made(server, tmp_path / "two")
    back = place(full, tmp_path / "back", parser)
    restored(back, tmp_path / "two")
    same_rows(server, back, "chunks")
    assert back.texts() == server.texts()
    agrees(back)


def test_equal_contents_make_equal_files(full: Knowledge, tmp_path: Path) -> None:
    for name in ("one", "two"):
        made(full, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 3
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_knowledge_base_that_was_never_synced_comes_back(
    kb: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    kb.ask(lambda workspace: workspace.ledger.holds.place(order("LH", kb.clock()), ["d"], []))
    said = made(kb, tmp_path / "backup").json()
    assert (said["documents"], said["points"], said["checkpoint"].splitlines()[1]) == (0, 0, "0")
    restored(other, tmp_path / "backup")
    same_rows(kb, other)


@pytest.mark.parametrize("held", [False, True])
def test_a_collection_of_another_instance_on_the_server_is_left_alone(
    full: Knowledge, tmp_path: Path, parser: Parser, held: bool
) -> None:
    manifest = made(full, tmp_path / "backup")
    server = place(full, tmp_path / "server", parser, Served)
    with server.workspace() as workspace:
        # The backup's name, or another that the configured one leads to.
        name = manifest.collections[0].collection if held else "kb-01234567-89abcdef"
        workspace.store.create(name, dimension=3, instance="of others")
    with pytest.raises(Refused, match="of instance of others"):
        restored(server, tmp_path / "backup")
    with server.workspace() as workspace:
        assert workspace.store.collections() == [name]
        # A name that only begins alike is another knowledge base's.
        workspace.store.drop(name)
        workspace.store.create("kb-legal-01234567-89abcdef", dimension=3, instance="of others")
    restored(server, tmp_path / "backup")
    agrees(server)


def test_a_copy_on_the_server_of_the_original_has_collections_of_its_own(
    full: Knowledge, tmp_path: Path, parser: Parser
) -> None:
    made(full, tmp_path / "one")
    original = place(full, tmp_path / "original", parser, Served)
    restored(original, tmp_path / "one")
    made(original, tmp_path / "two")
    copy = place(full, tmp_path / "copy", parser, Served)
    assert isinstance(original, Served) and isinstance(copy, Served)
    copy._client = original._client
    copy.settings["index"]["collection"] = "staging"
    restored(copy, tmp_path / "two")
    names = original.ask(lambda workspace: workspace.store.collections())
    assert [name.partition("-")[0] for name in names] == ["kb", "staging"]
    # A second collection of each with the instance id, so that an orphan is found, and only its own.
    for kb, lost in ((original, "kb-01234567-89abcdef"), (copy, "staging-01234567-89abcdef")):
        with kb.workspace() as workspace:
            workspace.store.create(lost, dimension=3, instance=workspace.ledger.instance_id)
    for kb, lost in ((copy, "staging-01234567-89abcdef"), (original, "kb-01234567-89abcdef")):
        with kb.workspace() as workspace:
            found = verify(workspace)
            assert [difference.collection for difference in found.extra] == [lost]
            repair(workspace, found, Run(workspace, "verify"))
        agrees(kb)
        assert hits(kb) == hits(full)
    assert original.ask(lambda workspace: workspace.store.collections()) == names


def test_a_path_that_a_database_cannot_hold_is_named(
    kb: Knowledge,
    other: Knowledge,
    tmp_path: Path,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kb.write("page.md", "# Page\n\nAs it is.\n")
    kb.sync()
    # Databases compress what repeats itself.
    uri = "".join(sha256(bytes([n])).hexdigest() for n in range(46))
    with kb.workspace() as workspace:
        (row,) = workspace.ledger.documents.find()
        workspace.ledger.documents.put([replace(row, uri=uri)], [])
    made(kb, tmp_path / "backup")
    other.settings["ledger"] = postgresql_url
    with pytest.raises(Refused, match=r"path of 2,944 bytes.*Restore with ledger: sqlite"):
        restored(other, tmp_path / "backup")
    assert existing(postgresql_url, other.home / ".freshkb") is None
    assert not list((other.home / ".freshkb").glob("index/[!.]*"))

    def fail(*_: object) -> None:
        raise LedgerError("The disk is full.")

    other.settings["ledger"] = "sqlite"
    with monkeypatch.context() as full, pytest.raises(LedgerError, match=r"^The disk is full\.$"):
        full.setattr("index.backup.restore.load", fail)
        restored(other, tmp_path / "backup")
    restored(other, tmp_path / "backup")
    same_rows(kb, other)
