"""The ledger on SQLite, and the behaviour that only SQLite has."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from index.errors import LedgerError
from index.ledger import Ledger
from tests.contracts.ledger_contract import LedgerContract, document


class TestSQLiteLedger(LedgerContract):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite"

    def test_a_commit_is_synchronous_and_what_is_deleted_is_overwritten(self, ledger: Ledger) -> None:
        with ledger.database.reading() as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "secure_delete")
            }
        assert settings == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}

    def test_a_deleted_title_is_in_no_file_once_the_ledger_is_closed(self, url: str, tmp_path: Path) -> None:
        with Ledger.open(url, tmp_path) as ledger:
            ledger.documents.put([document(f"{i}", title="unforgettable") for i in range(50)], [])
            ledger.documents.put([document(f"{i}", title="") for i in range(50)], [])
        assert all(b"unforgettable" not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())

    def test_plans_and_hints_are_read_out_of_their_indices(self, ledger: Ledger) -> None:
        # So few that no stream takes the connection with it.
        ledger.documents.put([document(f"{i % 100}/{i}") for i in range(500)], [])
        steps: list[str] = []
        with ledger.database.engine.connect() as connection:
            dbapi = connection.connection.dbapi_connection
            assert dbapi is not None
            statements: list[str] = []
            dbapi.set_trace_callback(statements.append)
        list(ledger.documents.rows("handbook"))
        list(ledger.documents.rows("handbook", ["7"]))
        dbapi.set_trace_callback(None)
        for statement in statements:
            if statement.startswith("SELECT documents"):
                steps += [row[3] for row in dbapi.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert "SEARCH documents USING COVERING INDEX documents_plan (source=?)" in steps
        assert "SEARCH documents USING INDEX documents_live_folder (source=? AND folder=?)" in steps

    def test_a_file_that_is_no_database_is_a_ledger_error(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "ledger.db").write_bytes(b"no database, but long enough to have a header " * 20)
        with pytest.raises(LedgerError, match=r"ledger\.db is damaged: file is not a database"):
            Ledger.open(url, tmp_path)

    def test_a_folder_that_cannot_be_made_is_a_ledger_error(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(LedgerError, match=r"folder .*file/state cannot be made"):
            Ledger.open(url, tmp_path / "file" / "state")

    def test_a_path_with_strange_characters_works(self, url: str, tmp_path: Path) -> None:
        odd = tmp_path / "a b%20?c#d%"
        with Ledger.open(url, odd) as ledger, ledger.writer("../handbook", "freshkb sync"):
            assert ledger.writers()[0].source == "../handbook"
        assert sorted(path.name for path in odd.iterdir()) == ["ledger.db", "locks"]
        assert [path.name for path in (odd / "locks").iterdir()] == ["..%2Fhandbook.lock"]

    def test_a_lock_that_cannot_be_taken_is_a_ledger_error(self, ledger: Ledger, tmp_path: Path) -> None:
        (tmp_path / "locks").write_text("")
        with (
            pytest.raises(LedgerError, match="lock of source 'a' cannot be used"),
            ledger.writer("a", "freshkb sync"),
        ):
            pass

    def test_streams_that_are_abandoned_give_their_connections_back(self, ledger: Ledger) -> None:
        ledger.documents.put([document(str(i)) for i in range(3000)], [])
        for _ in range(40):
            next(ledger.documents.rows("handbook"))
            next(ledger.documents.find())
        ledger.documents.put([document("x")], [])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:hunter2@host:port/db",
        "mysql://user:hunter2@host/db",
        "sqlite:////tmp/other.db?password=hunter2",
        "hunter2",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="must be sqlite or postgresql") as caught:
        Ledger.open(url, tmp_path)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
