"""A ledger that is damaged or lost is named, and gives way to a new one that holds what can be read."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from index.errors import LedgerDamaged, LedgerError, Locked, Refused
from index.health.doctor import examine
from index.ledger import Ledger
from index.ledger import file as ledger_file
from index.run import Run
from index.sync.requests import review
from index.verify.compare import verify
from index.verify.mend import mend_ledger
from index.verify.repair import repair
from tests import forks
from tests.commands import forked
from tests.holds import order
from tests.knowledge import Knowledge
from tests.laid_out import LaidOut, made_once

PAGE = 4096


def grow(kb: Knowledge) -> None:
    """Enough documents for several pages of a table, one of them reviewed, one held."""
    for number in range(60):
        kb.write(f"{number:02}.md", f"# Page {number}\n\nText {number}.\n")
    kb.sync()
    with kb.workspace() as workspace:
        review(Run(workspace, "review"), ["07.md"], "anna", "Read it.")
        kept = [d.document_id for d in workspace.ledger.documents.find(uris=["08.md"])]
        workspace.ledger.holds.place(order("LH", kb.clock()), kept, [])


laid_out = made_once(grow)


@pytest.fixture
def grown(kb: Knowledge, laid_out: LaidOut, examined_here: None) -> Knowledge:
    return laid_out.again(kb)


def ledger(kb: Knowledge) -> Path:
    return kb.home / ".freshkb" / "ledger.db"


def pages_of(kb: Knowledge, table: str) -> list[int]:
    """Leaf pages of a table; not every SQLite is built to tell them, so they are found by what they hold."""
    marks = {"documents": b"text/markdown", "reviews": b"Read it."}
    content = ledger(kb).read_bytes()
    return [at for at in range(PAGE, len(content), PAGE) if marks[table] in content[at : at + PAGE]]


def blank(kb: Knowledge, at: int) -> None:
    with ledger(kb).open("r+b") as file:
        file.seek(at)
        file.write(bytes(PAGE))


def mended(kb: Knowledge) -> list[str]:
    with kb.workspace() as workspace:
        said = mend_ledger(workspace)
        found = verify(workspace, deep=True)
        if not found.ok:
            repair(workspace, found, Run(workspace, "verify"))
        assert found.repaired == found.findings and not found.errors, found.json()
        assert verify(workspace, deep=True).ok
    return said


def decisions(kb: Knowledge) -> tuple[list[str], list[str]]:
    with kb.workspace() as workspace:
        uris = {d.document_id: d.uri for d in workspace.ledger.documents.find()}
        reviewed = sorted(uris[d] for d in workspace.ledger.reviews.of(list(uris)))
        return reviewed, sorted(uris[name] for name in workspace.ledger.holds.held())


def test_every_command_names_a_damaged_ledger_and_the_way_out_and_takes_it(grown: Knowledge) -> None:
    ids = {uri: d.document_id for uri, d in grown.documents().items()}
    blank(grown, pages_of(grown, "documents")[1])
    lines = ("sync", "ls", "verify", "doctor", "verify --repair", "verify --deep", "purge", "doctor")
    grown.config()
    *refused, repaired, verified, purged, examined = forked(
        grown.home, [line.split() for line in lines], {"PREFECT_API_URL": ""}
    )
    for ended in refused:
        assert ended.code == 1, ended
        assert "ledger" in ended.printed and "damaged" in ended.printed, ended
        assert "freshkb verify --repair" in ended.printed
        assert "is whole" not in ended.printed and "Traceback" not in ended.printed
    assert repaired.code == 0, repaired
    assert "Not all could be read of: documents" in repaired.printed
    assert "1 reviews, 1 holds" in repaired.printed
    (kept,) = ledger(grown).parent.glob("ledger.db.damaged-*")
    assert str(kept) in repaired.printed
    assert kept.stat().st_mode & 0o777 == 0o600
    # By the tests' clock what was removed has waited for months, until the purge.
    assert [ended.code for ended in (verified, purged, examined)] == [0, 0, 0], (verified, purged, examined)
    assert {uri: d.document_id for uri, d in grown.documents().items()} == ids
    assert decisions(grown) == (["07.md"], ["08.md"])


@pytest.mark.parametrize("name", [b"ON log (sequence", b"sqlite_autoindex_alembic"])
def test_a_name_of_the_schema_that_is_no_text_is_damage(grown: Knowledge, name: bytes) -> None:
    """SQLite's message quotes it, and its driver cannot decode the message."""
    content = bytearray(ledger(grown).read_bytes())
    content[content.index(name) + len(name) - 1] ^= 0x80
    ledger(grown).write_bytes(content)
    with pytest.raises(LedgerDamaged, match=r"malformed database schema .*freshkb verify --repair"):
        grown.ask(verify)
    assert any("was damaged" in sentence for sentence in mended(grown))
    assert decisions(grown) == (["07.md"], ["08.md"])


def test_a_ledger_that_is_locked_or_forbidden_is_not_called_damaged(grown: Knowledge) -> None:
    with closing(sqlite3.connect(ledger(grown))) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("index.ledger.sqlite.BUSY_SECONDS", 0.1)
            with pytest.raises(LedgerError, match="is locked") as caught:
                grown.documents()
    assert not isinstance(caught.value, LedgerDamaged)


def test_a_value_that_no_column_can_hold_is_damage_and_the_rest_is_kept(grown: Knowledge) -> None:
    ids = {uri: d.document_id for uri, d in grown.documents().items()}
    values = {"properties": "{", "state": "indexd", "title": b"\xff\xfe", "modified_at": "x"}
    for number, (column, value) in enumerate(values.items(), start=1):
        with closing(sqlite3.connect(ledger(grown))) as database, database:
            changed = f"UPDATE documents SET {column} = ? WHERE uri = ?"
            assert database.execute(changed, (value, f"{10 + number}.md")).rowcount == 1
        # Each of them is found, and all are mended at once.
        with (
            pytest.raises(LedgerDamaged, match=rf"\b{number} rows of documents hold what"),
            grown.workspace() as workspace,
        ):
            verify(workspace)
    assert mended(grown)
    assert {uri: d.document_id for uri, d in grown.documents().items()} == ids
    assert decisions(grown) == (["07.md"], ["08.md"])


def test_what_people_decided_is_given_up_by_nobody_but_a_person(grown: Knowledge) -> None:
    blank(grown, pages_of(grown, "reviews")[0])
    before = ledger(grown).read_bytes()
    with pytest.raises(Refused) as caught:
        mended(grown)
    assert "not all of its reviews can be read, which no source has" in str(caught.value)
    assert ledger(grown).read_bytes() == before
    assert [path.name for path in ledger(grown).parent.glob("ledger.db*")] == ["ledger.db"]
    told = re.search(r"mv (\S+) (\S+) && freshkb verify --repair", str(caught.value))
    assert told is not None
    Path(told[1]).rename(told[2])
    with pytest.raises(LedgerDamaged, match=r"is missing.*freshkb verify --repair"):
        grown.sync()
    assert mended(grown)
    # The date of the review is in the points, too.
    assert decisions(grown) == (["07.md"], ["08.md"])
    (kept,) = ledger(grown).parent.glob("ledger.db.damaged*")
    assert kept.name.startswith("ledger.db.damaged-")


@pytest.mark.parametrize("lost", ["missing", "empty"])
def test_a_ledger_that_is_gone_is_made_anew_of_the_sources_and_no_new_one_in_silence(
    grown: Knowledge, lost: str
) -> None:
    before, texts = grown.documents(), grown.texts()
    if lost == "missing":
        ledger(grown).unlink()
    else:
        os.truncate(ledger(grown), 0)
    with pytest.raises(LedgerDamaged, match=f"is {lost}.*freshkb verify --repair"):
        grown.sync()
    if lost == "empty":
        with pytest.raises(Refused, match="reviews and holds"):
            mended(grown)
        ledger(grown).unlink()
    assert mended(grown)
    assert grown.texts() == texts
    assert {d.document_id for d in grown.documents().values()}.isdisjoint(
        d.document_id for d in before.values()
    )
    assert decisions(grown) == ([], [])
    assert len(list((grown.home / ".freshkb" / "index").glob("kb-*"))) == 1
    grown.sync()


def test_what_only_the_index_of_a_lost_ledger_had_is_named_as_lost(grown: Knowledge) -> None:
    """A document that a hold kept when its source lost it: the payload names it, and proves nothing."""
    (grown.docs / "08.md").unlink()
    grown.sync()
    assert "08.md" in grown.texts()
    ledger(grown).unlink()
    with grown.workspace() as workspace:
        mend_ledger(workspace)
        found = verify(workspace, deep=True)
        assert [extra.what for extra in found.extra] == ["the ledger does not know this collection"]
        repair(workspace, found, Run(workspace, "verify"))
    assert found.errors == [
        "docs:08.md: all of its text is lost. The ledger does not know it, and its source does not have it."
    ]
    assert not found.mended and found.outcome == "failed"
    assert set(grown.texts()) == {f"{n:02}.md" for n in range(60)} - {"08.md"}
    assert len(list((grown.home / ".freshkb" / "index").glob("kb-*"))) == 1
    assert grown.ask(lambda m: verify(m, deep=True)).ok


def test_the_index_of_a_lost_ledger_stays_while_a_source_of_it_cannot_be_asked(grown: Knowledge) -> None:
    ledger(grown).unlink()
    grown.docs.rename(grown.home / "away")
    with grown.workspace() as workspace:
        mend_ledger(workspace)
        found = verify(workspace)
        repair(workspace, found, Run(workspace, "verify"))
    assert found.outcome == "failed"
    (error,) = found.errors
    assert "does not exist; is it mounted? Nothing was removed." in error
    assert len(list((grown.home / ".freshkb" / "index").glob("kb-*"))) == 2
    (grown.home / "away").rename(grown.docs)
    mended(grown)
    assert len(grown.texts()) == 60
    assert len(list((grown.home / ".freshkb" / "index").glob("kb-*"))) == 1


def test_a_ledger_that_another_process_has_open_is_not_replaced(grown: Knowledge) -> None:
    blank(grown, pages_of(grown, "documents")[1])
    holding = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM meta').fetchall(); "
        "print('open', flush=True); sys.stdin.read()"
    )
    with forks.Popen(
        [sys.executable, "-c", holding, str(ledger(grown))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        before = ledger(grown).read_bytes()
        with pytest.raises(Locked, match="Another process has the ledger"):
            mended(grown)
        assert ledger(grown).read_bytes() == before
        other.communicate()
    assert mended(grown)


def test_a_replacement_that_was_cut_short_is_done_when_the_ledger_is_opened(grown: Knowledge) -> None:
    whole = ledger(grown).read_bytes()
    # Killed after the new content was there as a whole, and half of it was poured.
    ledger(grown).with_name("ledger.db.mended").write_bytes(whole)
    ledger(grown).write_bytes(whole[: len(whole) // 2])
    ledger(grown).with_name("ledger.db-wal").write_bytes(b"of the old one")
    assert len(grown.documents()) == 60
    assert not ledger(grown).with_name("ledger.db.mended").exists()
    with Ledger.open("sqlite", ledger(grown).parent) as opened:
        assert opened.faults() == []


def test_a_header_that_is_lost_is_written_anew(grown: Knowledge) -> None:
    with ledger(grown).open("r+b") as file:
        file.write(b"not a database at all")
    assert "file is not a database" in mended(grown)[0]
    assert decisions(grown) == (["07.md"], ["08.md"])


def test_a_sound_ledger_is_left_alone(grown: Knowledge, tmp_path: Path) -> None:
    shutil.copytree(ledger(grown).parent, tmp_path / "before")
    with grown.workspace() as workspace:
        assert mend_ledger(workspace) == []
        assert all(check.ok for check in examine(workspace))
    assert sorted(ledger_file.NAME for _ in ledger(grown).parent.glob("ledger.db*")) == ["ledger.db"]
    assert ledger(grown).read_bytes() == (tmp_path / "before" / "ledger.db").read_bytes()


def test_a_mended_log_goes_on_and_what_it_lost_stays_visible(grown: Knowledge) -> None:
    with grown.workspace() as workspace:
        rows = workspace.ledger.log.newest(10_000)
        size = workspace.ledger.log.head().size
        assert size == len(rows) and workspace.ledger.log.check().ok
    content, mark = ledger(grown).read_bytes(), rows[20].subject.encode()
    pages = [content[at : at + PAGE] for at in range(0, len(content), PAGE)]
    # A leaf of the table, and not of another that knows the document.
    found = [n for n, page in enumerate(pages) if page[0] == 0x0D and mark in page and b"added" in page]
    place = found[0] * PAGE
    blank(grown, place)
    mended(grown)
    with grown.workspace() as workspace:
        checked = workspace.ledger.log.check()
        assert not checked.ok and all("missing" in problem.problem for problem in checked.problems)
        kept = {entry.sequence: entry.subject for entry in workspace.ledger.log.newest(10_000)}
        assert {entry.sequence: entry.subject for entry in rows}.items() >= {
            (sequence, subject) for sequence, subject in kept.items() if (sequence or 0) <= size
        }
        assert max(sequence or 0 for sequence in kept) > size, "it goes on behind the last that there was"
        problems = checked.problems
    grown.write("new.md", "# New\n\nText.\n")
    grown.sync()
    with grown.workspace() as workspace:
        assert list(workspace.ledger.log.check().problems) == list(problems)


def test_a_log_without_its_head_is_damage_that_a_repair_mends(grown: Knowledge) -> None:
    with closing(sqlite3.connect(ledger(grown))) as database, database:
        before = database.execute("SELECT size, hash, frontier FROM log_head").fetchone()
        database.execute("DELETE FROM log_head")
    with pytest.raises(LedgerDamaged, match="the log has lost its head"), grown.workspace() as workspace:
        verify(workspace)
    assert "the log has lost its head" in mended(grown)[0]
    with grown.workspace() as workspace:
        assert workspace.ledger.log.check().ok
        assert workspace.ledger.log.head().size > before[0]


@pytest.mark.parametrize(
    "name, fault",
    [
        ("instance", "the instance id is lost"),
        ("log key", "the log has lost its head"),
        ("tombstone key", "the key of tombstones is lost"),
    ],
)
def test_what_the_ledger_says_of_itself_is_made_anew_where_nobody_can_have_written_it(
    grown: Knowledge, name: str, fault: str
) -> None:
    before = grown.points()
    with closing(sqlite3.connect(ledger(grown))) as database, database:
        database.execute(
            "UPDATE meta SET value = substr(value, 1, 8) || 'm' || substr(value, 10) WHERE name = ?", (name,)
        )
    (said, *_) = mended(grown)
    assert fault in said
    grown.write("new.md", "# New\n\nText.\n")
    grown.sync()
    with grown.workspace() as workspace:
        assert verify(workspace, deep=True).ok and workspace.ledger.faults() == []
    assert before.items() <= grown.points().items()
