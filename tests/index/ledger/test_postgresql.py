"""The ledger on a real PostgreSQL, and the behaviour that only PostgreSQL has."""

from __future__ import annotations

import traceback
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from index.errors import LedgerError
from index.ledger import Ledger
from index.ledger.locks import AdvisoryLocks
from tests.contracts.ledger_contract import LedgerContract, document

pytest_plugins = ["tests.postgres"]


class TestPostgreSQLLedger(LedgerContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url

    def await_release(self, ledger: Ledger, source: str) -> None:
        """The server ends a session as soon as it has seen that the other side is gone: wait for its lock."""
        assert isinstance(ledger._locks, AdvisoryLocks)
        key = ledger._locks._key(source)
        with ledger.database.writing() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({key})")

    def test_a_commit_is_synchronous_although_the_server_would_not_wait(self, ledger: Ledger) -> None:
        with ledger.database.writing() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"

    def test_a_password_appears_in_no_error(self, postgresql_url: str, tmp_path: Path) -> None:
        password = unquote(urlsplit(postgresql_url).password or "")
        assert len(password) > 5
        wrong = postgresql_url.replace("pa%3A", "hunter2%3A")
        for url in (wrong, postgresql_url.replace("?host=", "?host=/nowhere"), f"{wrong}&password=hunter2"):
            with pytest.raises(LedgerError, match="cannot be used") as caught:
                Ledger.open(url, tmp_path)
            text = "".join(traceback.format_exception(caught.value))
            assert "hunter2" not in text and password not in text

    def test_a_ledger_goes_on_after_its_connections_were_cut(self, ledger: Ledger, again: Ledger) -> None:
        ledger.documents.put([document("a")], [])
        self.cut(again)
        assert [row.uri for row in ledger.documents.rows("handbook")] == ["a"]

    def test_a_writer_learns_that_its_lock_was_lost(self, ledger: Ledger, again: Ledger) -> None:
        with pytest.raises(LedgerError, match="cannot be used"), ledger.writer("a", "freshkb sync"):
            self.cut(again)

    def cut(self, ledger: Ledger) -> None:
        with ledger.database.writing() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
