"""Verify examines the store in itself: the results of searches and filters, and files that cannot be read."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

import index.store.edge.session
import index.verify.checks
import index.verify.repair
from index.errors import StoreDamaged, StoreMismatch
from index.health.doctor import examine
from index.model import Point, point_id
from index.records import ChunkRecord
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.sizes import Sizes
from index.store.edge.session import EdgeSession
from index.verify.checks import Ids
from index.verify.compare import verify
from index.verify.differences import Verification
from index.verify.repair import repair
from index.workspace import Workspace
from tests import forks
from tests.commands import environment, process
from tests.knowledge import Knowledge
from tests.laid_out import LaidOut, made_once
from tests.soak import LONG


def checked(kb: Knowledge) -> Verification:
    return kb.ask(lambda workspace: verify(workspace, deep=True))


def mended(kb: Knowledge) -> Verification:
    with kb.workspace() as workspace:
        found = verify(workspace, deep=True)
        repair(workspace, found, Run(workspace, "verify"))
    return found


def hits(kb: Knowledge, **where: str) -> int:
    with kb.workspace() as workspace:
        return len(KnowledgeBase(workspace).search("leave", k=50, mode="dense", **where))  # type: ignore[arg-type]


def doctor(kb: Knowledge) -> dict[str, str]:
    return {check.name: check.detail for check in kb.ask(examine) if not check.ok}


def seal(kb: Knowledge) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index.store.edge.session, "SEAL_POINTS", 1)
        grown(kb)


laid_out = made_once(seal)


@pytest.fixture
def sealed(kb: Knowledge, laid_out: LaidOut, monkeypatch: pytest.MonkeyPatch) -> Knowledge:
    """Twenty documents whose points are sealed: their indexes of words are in files, too."""
    monkeypatch.setattr(index.store.edge.session, "SEAL_POINTS", 1)
    return laid_out.again(kb)


def grown(kb: Knowledge) -> Knowledge:
    for number in range(20):
        kb.write(f"{number}.md", f"# Leave {number}\n\nIt is {number} days.\n")
    kb.sync()
    kb.clock.forward(minutes=1)
    return kb


def shard_files(kb: Knowledge, pattern: str) -> list[Path]:
    found = sorted((kb.home / ".freshkb" / "index").glob(f"*/shard/segments/*/{pattern}"))
    assert found
    return found


# ── What filters and searches find ────────────────────────────────────────────────────────────────────


def test_payload_indexes_that_are_zeroed_are_found_and_built_anew(kb: Knowledge) -> None:
    grown(kb)
    assert hits(kb, source="docs") == 20
    for path in shard_files(kb, "payload_index/*/*.dat"):
        path.write_bytes(bytes(path.stat().st_size))
    assert hits(kb, source="docs") == 0
    assert hits(kb) == 20
    said = [finding.what for finding in checked(kb).altered]
    assert [what.partition(" finds")[0] for what in said] == [
        f"a filter by {field}" for field in ("source", "owner", "document", "freshness")
    ]
    assert said[0] == "a filter by source finds 0 points where 20 payloads say so"
    assert "a filter by source finds 0" in doctor(kb)["store"]
    found = mended(kb)
    assert found.repaired == found.findings == 4
    assert hits(kb, source="docs") == 20
    assert checked(kb).ok
    assert doctor(kb) == {}


def test_a_filter_by_owner_finds_what_each_of_several_owners_has(kb: Knowledge) -> None:
    kb.write("a.md", "---\nowner: [user:Anna, group:Travel]\n---\n# Leave a\n")
    kb.write("b.md", "---\nowner: USER:anna\n---\n# Leave b\n")
    kb.write("c.md", "# Leave c\n")
    kb.sync()
    assert [hits(kb, owner=owner) for owner in ("user:anna", "Group:travel")] == [2, 1]
    assert checked(kb).ok


def test_characters_that_a_ledger_cannot_hold_are_no_difference(kb: Knowledge) -> None:
    kb.write("a.md", '---\nlang: "de\\0"\nowner: ["user:a\\0", "user:b\\0"]\n---\n# Leave\n')
    kb.sync()
    document = kb.documents()["a.md"]
    assert (document.language, document.owner) == ("de", "user:a")
    assert checked(kb).ok


def test_words_that_no_search_reaches_are_found_and_built_anew(sealed: Knowledge) -> None:
    for path in shard_files(sealed, "vector_index-bm25/inverted_index.dat"):
        path.write_bytes(bytes(path.stat().st_size))
    assert [finding.what for finding in checked(sealed).altered] == [
        "a search by words reaches 0 of 20 points that have any"
    ]
    mended(sealed)
    assert checked(sealed).ok


# ── Files that cannot be read ─────────────────────────────────────────────────────────────────────────


def test_a_store_that_cannot_be_opened_is_named_and_built_anew(sealed: Knowledge) -> None:
    before = {point.payload["page_content"] for point in sealed.points().values()}
    (former,) = (sealed.home / ".freshkb" / "index").glob("kb-*")
    shard_files(sealed, "segment.json")[0].write_text("{")
    with pytest.raises(StoreDamaged) as caught:
        hits(sealed)
    said = str(caught.value)
    assert str(former) in said and "freshkb verify --repair" in said and "is whole" not in said
    assert "freshkb verify --repair" in doctor(sealed)["store"]
    found = mended(sealed)
    assert found.repaired == found.findings and not found.errors
    assert {point.payload["page_content"] for point in sealed.points().values()} == before
    assert checked(sealed).ok
    # Text that was deleted from the new collection does not live on in the old one.
    assert not former.exists()


def test_what_cannot_be_written_any_more_is_written_to_a_new_collection(sealed: Knowledge) -> None:
    """The engine passes over an update of a point whose version, as its file has it, is higher."""
    for path in shard_files(sealed, "id_tracker.versions"):
        path.write_bytes(b"\xff\xff\xff\xff\xff\xff\xff\x7f" * (path.stat().st_size // 8))
    sealed.write("0.md", "# Leave 0\n\nIt is 100 days.\n")
    with pytest.raises(StoreDamaged, match="freshkb verify --repair"):
        sealed.sync()
    mended(sealed)
    assert "100 days" in sealed.texts()["0.md"]
    assert checked(sealed).ok
    (sealed.docs / "1.md").unlink()
    sealed.sync()
    assert "1.md" not in sealed.texts()


def test_damage_that_the_sync_of_a_repair_meets_is_mended_by_the_same_repair(
    sealed: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, met = EdgeSession.upsert, list[Sequence[Point]]()

    def meets(session: EdgeSession, points: Sequence[Point]) -> None:
        if not met:
            met.append(points)
            raise StoreDamaged("The vector store is damaged.")
        real(session, points)

    sealed.write("new.md", "# New\n\nIt is new.\n")
    monkeypatch.setattr(EdgeSession, "upsert", meets)
    assert mended(sealed).rebuild
    assert met and "new.md" in sealed.texts()
    assert checked(sealed).ok


def test_a_damaged_mark_is_told_from_that_of_another_ledger(sealed: Knowledge) -> None:
    (mark,) = (sealed.home / ".freshkb" / "index").glob("*/instance")
    whole = mark.read_bytes()
    mark.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(StoreDamaged, match="freshkb verify --repair"):
        hits(sealed)
    mended(sealed)
    assert hits(sealed) == 20
    (mark,) = (sealed.home / ".freshkb" / "index").glob("*/instance")
    mark.write_text("00000000-0000-4000-8000-000000000000")
    with pytest.raises(StoreMismatch, match="belongs to another ledger"):
        checked(sealed)


# ── One document of many equal chunks ─────────────────────────────────────────────────────────────────


def test_each_id_of_a_document_is_made_once_however_often_it_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = 0

    def counted(*names: object) -> str:
        nonlocal made
        made += 1
        return point_id(*names)  # type: ignore[arg-type]

    monkeypatch.setattr(index.verify.checks, "point_id", counted)
    records = [ChunkRecord(point_id("d", "same", n, "f"), "d", n, "same", "") for n in range(5000)]
    ids = Ids("d", "f", len(records))
    # In the order of their ids, which is none.
    assert all(ids.genuine(record) for record in sorted(records, key=lambda record: record.point_id))
    assert not ids.genuine(ChunkRecord(point_id("d", "same", 5000, "f"), "d", 0, "same", ""))
    assert made <= 2 * len(records) + 1


def test_verify_and_repair_of_equal_chunks_take_time_in_proportion(
    kb: Knowledge, soak: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, many = 0, 200 if soak else 80

    def counted(*names: object) -> str:
        nonlocal made
        made += 1
        return point_id(*names)  # type: ignore[arg-type]

    kb.write("x.txt", "x" * (2000 * many))
    kb.sync()
    chunks = kb.documents()["x.txt"].chunk_count
    assert chunks > many
    monkeypatch.setattr(index.verify.checks, "point_id", counted)
    assert checked(kb).ok
    assert made < 3 * chunks
    with kb.workspace() as workspace:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        with workspace.store.session(collection.name) as session:
            session.delete([next(iter(session.scroll(vectors=False))).id])
    made = 0
    mended(kb)
    assert made < 20 * chunks
    assert checked(kb).ok


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────

#: A verify that compares each page slowly and says so. Where it reads them itself, each is one point.
SLOW = """
import time
import index.sizes
import index.verify.points
take = index.verify.points.Comparison.take
def slowly(comparison, points):
    take(comparison, points)
    print("compared", file=sys.stderr, flush=True)
    time.sleep(0.5)
index.verify.points.Comparison.take = slowly
index.sizes.Sizes.__init__.__defaults__ = (*index.sizes.Sizes.__init__.__defaults__[:-1], 1)
"""


@pytest.mark.parametrize(
    "number, deep",
    [
        (signal.SIGINT, None),
        (signal.SIGTERM, "--deep"),
        pytest.param(signal.SIGINT, "--deep", marks=LONG),
        pytest.param(signal.SIGTERM, None, marks=LONG),
    ],
)
def test_a_verify_that_is_asked_to_stop_ends_after_the_page_in_hand(
    sealed: Knowledge, number: signal.Signals, deep: str | None
) -> None:
    """In the short form each signal once, and each kind of verify."""
    sealed.config()
    with forks.Popen(
        process("verify", *([deep] if deep else []), "--json", more=SLOW),
        cwd=sealed.home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "compared\n"
        child.send_signal(number)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    # It may have been in the middle of the next one.
    assert err.count("compared") <= 2
    assert "Interrupted: not all was compared" in err
    assert json.loads(out)["ok"] is False


def test_a_repair_that_is_stopped_says_so_and_the_next_one_does_the_rest(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = grown(kb)
    sealed.sizes = Sizes(batch_documents=1)
    stop = threading.Event()
    with sealed.workspace() as workspace:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        with workspace.store.session(collection.name) as session:
            session.delete([point.id for point in list(session.scroll(vectors=False))[:6]])
        found = verify(workspace)
        assert found.findings == 6
        monkeypatch.setattr(Workspace, "embed", stopping(stop, Workspace.embed))
        repair(workspace, found, Run(workspace, "verify", stop=stop))
        assert found.interrupted and not found.ok and found.repaired == 0
        (last,) = workspace.ledger.runs.newest(1)
        assert (last.kind, last.outcome) == ("verify", "interrupted")
        left = verify(workspace)
    assert 0 < left.findings < 6
    assert mended(sealed).repaired > 0
    assert checked(sealed).ok


def stopping(stop: threading.Event, embed: object) -> object:
    def stopped(*arguments: object, **named: object) -> object:
        stop.set()
        return embed(*arguments, **named)  # type: ignore[operator]

    return stopped


def test_nothing_is_said_of_a_collection_that_is_in_use_elsewhere(sealed: Knowledge) -> None:
    """The child that examines takes the lock; the parent lets go of it first."""
    with sealed.workspace() as workspace:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        with workspace.store.session(collection.name) as session:
            assert session.count() == 20
        assert workspace.store.faults(collection.name) == []
        with workspace.store.session(collection.name) as session:
            assert session.count() == 20
        assert re.fullmatch(r"kb-[0-9a-f]{8}-[0-9a-f]{8}", collection.name)
