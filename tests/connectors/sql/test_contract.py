"""The contract of connectors, for rows with bytes: with a time of modification, and without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.base import SourceUnavailable
from connectors.sql.connector import SqlConnector
from tests.connectors.sql.tables import COLUMNS, Table
from tests.contracts.connector_contract import MAX_SIZE, ConnectorContract, Driver

pytest_plugins = ["tests.postgres"]

#: Refuses to hand over the bytes of one row, after which its size may still be asked.
_GUARD = """
CREATE FUNCTION guarded(id TEXT, file BYTEA) RETURNS BYTEA LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF id IN (SELECT f.id FROM forbidden f) AND current_query() LIKE '%CASE WHEN%' THEN
    RAISE insufficient_privilege;
  END IF;
  RETURN file;
END $$
"""


class SqlDriver:
    def __init__(self, pages: Table, connector: SqlConnector) -> None:
        self._pages, self.connector = pages, connector

    def put(self, uri: str, data: bytes) -> None:
        self._pages.put(uri, data)

    def remove(self, uri: str) -> None:
        self._pages.run("DELETE FROM pages WHERE id = :id", id=uri)

    def rename(self, old: str, new: str) -> None:
        self._pages.run("UPDATE pages SET id = :new WHERE id = :old", old=old, new=new)

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        said = ", ".join(f"{name} = :{name}" for name in properties)
        self._pages.run(f"UPDATE pages SET {said} WHERE id = :id", id=uri, **properties)
        return True

    def own(self, text: str) -> bool:
        return False

    def forbid(self, uri: str) -> None:
        self._pages.run("INSERT INTO forbidden VALUES (:id)", id=uri)

    def disturb(self, uri: str) -> None:
        raise AssertionError("a snapshot is never disturbed")

    def conceal(self, folder: str) -> None:
        self._pages.run("INSERT INTO pages (file) VALUES (NULL)")

    def take_away(self) -> None:
        self._pages.run("DROP TABLE pages")


class SqlContract(ConnectorContract):
    dated: bool

    def connector(self, pages: Table, **settings: Any) -> SqlConnector:
        columns = {**COLUMNS, "file": "file", "updated_at": "updated_at" if self.dated else None}
        return pages.connector(
            "file", max_size=MAX_SIZE, columns=columns, metadata=["last_reviewed"], **settings
        )

    def test_a_document_that_never_holds_still_is_given_up(self, driver: Driver, tmp_path: Path) -> None:
        """A snapshot holds still."""
        driver.put("a.md", b"x")
        assert driver.connector.fetch("a.md", tmp_path / "fetched").entry == driver.connector.stat("a.md")


def only_elsewhere(request: pytest.FixtureRequest, soak: bool) -> None:
    """What is no uri is looked at before any table is: one shows it."""
    if "[" in request.node.name and not soak:
        pytest.skip("Only with --soak.")


#: Without a time of modification another statement lists the rows, and their hashes are the tokens.
WITHOUT_TIMES = ("listing", "token", "stat_says", "fetch", "native", "what_is_said", "read_still")


def test_the_short_form_names_tests_that_there_are() -> None:
    tests = [name for name in dir(SqlContract) if name.startswith("test_")]
    assert [words for words in WITHOUT_TIMES if not any(words in test for test in tests)] == []


class TestSqlite(SqlContract):
    dated = True

    @pytest.fixture
    def driver(self, sqlite: Table) -> Driver:
        return SqlDriver(sqlite, self.connector(sqlite))

    def test_a_document_that_may_not_be_read_still_exists(self, driver: Driver, tmp_path: Path) -> None:
        """A file is read as a whole, or not at all: then nothing of it is said to be gone."""
        driver.put("a.md", b"x")
        file = tmp_path / "pages.db"
        file.unlink()
        file.mkdir()
        with pytest.raises(SourceUnavailable):
            driver.connector.fetch("a.md", None)


class TestSqliteWithoutTimes(TestSqlite):
    dated = False

    @pytest.fixture
    def driver(self, sqlite: Table, request: pytest.FixtureRequest, soak: bool) -> Driver:
        only_elsewhere(request, soak)
        return SqlDriver(sqlite, self.connector(sqlite))


class TestPostgres(SqlContract):
    dated = True

    @pytest.fixture
    def driver(self, postgres: Table, request: pytest.FixtureRequest, soak: bool) -> Driver:
        only_elsewhere(request, soak)
        if not (self.dated or soak or any(word in request.node.name for word in WITHOUT_TIMES)):
            pytest.skip("Only with --soak. It does not depend on times, as SQLite's tables show.")
        postgres.run("CREATE TABLE forbidden (id TEXT)")
        postgres.run(_GUARD)
        columns = "id, guarded(id, file) AS file, title, owner, last_reviewed, url, updated_at"
        return SqlDriver(postgres, self.connector(postgres, query=f"SELECT {columns} FROM pages"))


class TestPostgresWithoutTimes(TestPostgres):
    dated = False
