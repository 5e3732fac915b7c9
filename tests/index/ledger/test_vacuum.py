"""The bytes of deleted rows leave the ledger's files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from index.errors import LedgerError
from index.ledger import Ledger, sqlite, vacuum
from index.model import State
from index.purge import apart
from index.purge.scan import text
from index.records import Document

pytest_plugins = ["tests.postgres"]

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _document(number: int, title: str) -> Document:
    return Document(f"d{number:05}", "docs", f"{title}/{number:05}.md", State.INDEXED, title=title)


def _filled(folder: Path) -> Ledger:
    """A ledger in which a third of the rows held one word, at one time or another, and none does now."""
    ledger, random = Ledger.open("sqlite", folder), Random(1)

    def title(number: int) -> str:
        return ("kookaburra " if number % 3 == 0 else "plain ") * random.randrange(1, 40)

    for start in range(0, 3000, 100):
        ledger.documents.put([_document(n, title(n)) for n in range(start, start + 100)], [])
        changed = [random.randrange(start + 100) for _ in range(30)]
        ledger.documents.put([_document(n, title(n)) for n in dict.fromkeys(changed)], [])
    numbers = list(range(0, 3000, 3))
    random.shuffle(numbers)
    for start in range(0, 1000, 100):
        ledger.documents.put([_document(n, "other") for n in numbers[start : start + 100]], [])
    return ledger


def test_nothing_of_a_deleted_row_is_left(tmp_path: Path) -> None:
    """Not in the file, whose gaps keep copies although deleted rows are overwritten, nor beside it."""
    word = [text("word", "kookaburra")]
    with _filled(tmp_path) as ledger:
        assert tmp_path / "ledger.db-wal" in apart.found([tmp_path], word)
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert apart.found([tmp_path], word), "what secure_delete and the checkpoint leave: the control"
        done = ledger.vacuum()
        assert (done.clean, done.final) == (True, True)
        assert "no free page" in done.evidence
        assert apart.found([tmp_path], word) == {}
        assert (tmp_path / "ledger.db-wal").stat().st_size == 0
        assert len(list(ledger.documents.find())) == 3000
        assert ledger.faults() == []
        assert ledger.vacuum() == done


def test_a_reader_of_an_older_state_keeps_the_log_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vacuum, "WAIT_SECONDS", 0.01)
    with _filled(tmp_path) as ledger, closing(sqlite3.connect(tmp_path / "ledger.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM documents").fetchone()
        ledger.documents.put([_document(1, "another")], [])
        done = ledger.vacuum()
        assert (done.clean, done.final) == (False, False)
        assert "reads an older state" in done.evidence
        reader.execute("COMMIT")
        assert ledger.vacuum().clean


def test_a_writer_that_does_not_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    with Ledger.open("sqlite", tmp_path) as ledger, closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="database is locked"):
            ledger.vacuum()
        other.execute("ROLLBACK")
        assert ledger.vacuum().clean


def test_of_a_server_no_more_is_claimed_than_can_be_seen(postgresql_url: str, tmp_path: Path) -> None:
    with Ledger.open(postgresql_url, tmp_path) as ledger:
        done = ledger.vacuum()
    assert (done.clean, done.final) == (False, True)
    assert "disks that cannot be seen" in done.evidence
