"""What goes wrong is said, and is never an absence: settings, privileges, time-outs, lost servers."""

from __future__ import annotations

import re
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from connectors.base import Context, SourceUnavailable
from connectors.sql.connector import SqlConnector
from connectors.sql.settings import SqlSettings
from tests.connectors.sql.tables import Table
from tests.postgres import PASSWORD, Server

pytest_plugins = ["tests.postgres"]

TEXT = {"id": "id", "text": "body"}


def refused(connector: SqlConnector) -> str:
    """Every question is refused with one sentence or more, without a secret."""
    told = set()
    for ask in (
        connector.probe,
        connector.list,
        lambda: connector.stat("a"),
        lambda: connector.fetch("a", None),
    ):
        with pytest.raises(SourceUnavailable, match=r"[.?]$") as caught:
            ask()
        told.add(str(caught.value))
        assert caught.value.__cause__ is None
    said = " ".join(told)
    assert PASSWORD not in said and "pa%3Ass" not in said
    return said


# ── Settings ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"url": "pages.db"}, "is not the url of a database"),
        ({"url": "sqlite://"}, "is not the url of a database"),
        ({"url": "sqlite:///:memory:"}, "names no file"),
        ({"url": "postgresql://u:sec/ret@host:x/db"}, "%2F"),
        ({"query": "DELETE FROM pages"}, "does not begin with SELECT or WITH"),
        ({"query": "-- SELECT\nDROP TABLE pages"}, "does not begin with SELECT or WITH"),
        ({"query": ""}, "does not begin with SELECT or WITH"),
        ({"columns": {"id": "id"}}, "needs `text` or `file`"),
        ({"columns": {"id": "id", "text": "a", "file": "b"}}, "not both"),
        ({"columns": {"id": "id", "text": "a", "body": "b"}}, "Extra inputs"),
        ({"timeout": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], why: str) -> None:
    good = {"url": "sqlite:///pages.db", "query": "SELECT 1", "columns": TEXT}
    with pytest.raises(ValidationError, match=re.escape(why)):
        SqlSettings.model_validate(good | settings)


def test_a_password_is_not_in_the_settings_as_they_are_shown_nor_in_links(postgres: Table) -> None:
    connector = postgres.connector()
    for shown in (repr(connector.settings), connector.home(), connector.url("a"), connector.probe()):
        assert "pa:ss" not in shown and "pa%3Ass" not in shown and "freshkb:" not in shown


def test_a_wrong_column_is_named_with_those_that_there_are(pages: Table) -> None:
    said = refused(pages.connector(columns={"id": "id", "text": "content"}))
    assert "gives no column 'content' (columns.text); it gives: id, body, file, format, title" in said
    said = refused(pages.connector(metadata=["department"]))
    assert "gives no column 'department' (metadata)" in said
    if pages.on_sqlite:
        # It renames the second one itself.
        return
    said = refused(pages.connector(query="SELECT id, id AS id, body FROM pages", columns=TEXT))
    assert "gives 2 columns 'id' (columns.id); rename them with AS" in said


def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connector(url: str) -> SqlConnector:
        settings = SqlSettings.model_validate({"url": url, "query": "SELECT 1", "columns": TEXT})
        return SqlConnector(settings, Context("pages", tmp_path, 1_000))

    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    assert "'pages' needs the package MySQLdb" in refused(connector("mysql://u:p@127.0.0.1/db"))
    assert "dialect of SQLAlchemy that is not installed: nosuch" in refused(connector("nosuch://h/db"))


# ── Read only ─────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = [
    "SELECT 1 AS id, 'x' AS body; DELETE FROM pages",
    "SELECT 1 AS id, 'x' AS body) AS q; DELETE FROM pages; --",
    "SELECT 1 AS id, 'x' AS body) AS q; COMMIT; DELETE FROM pages; SELECT (1",
    "WITH gone AS (DELETE FROM pages RETURNING *) SELECT id, body FROM gone",
    "WITH q AS (SELECT 1) DELETE FROM pages",
]
ON_POSTGRES = [
    "SELECT nextval('counter')::text AS id, 'x' AS body",
    "SELECT 'a' AS id, wipe() AS body",
    "SELECT 'a' AS id, 'x' AS body FROM pages FOR UPDATE",
    "SELECT set_config('transaction_read_only', 'off', true) AS id, wipe() AS body",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_a_query_that_is_more_than_one_select_is_refused(pages: Table, query: str) -> None:
    pages.put("a", "x")
    refused(pages.connector(query=query, columns=TEXT))
    still(pages)


@pytest.mark.parametrize("query", ON_POSTGRES)
def test_functions_that_write_are_refused_by_the_transaction(postgres: Table, query: str) -> None:
    postgres.put("a", "x")
    postgres.run("CREATE SEQUENCE counter")
    postgres.run(
        "CREATE FUNCTION wipe() RETURNS TEXT LANGUAGE sql VOLATILE AS $$ DELETE FROM pages RETURNING id $$"
    )
    connector = postgres.connector(query=query, columns=TEXT)
    with pytest.raises(SourceUnavailable, match=r"read-only|read-write"):
        connector.list()
    still(postgres)


def still(pages: Table) -> None:
    with pages.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pages").scalar() == 1


def test_a_file_of_sqlites_is_not_touched(sqlite: Table, tmp_path: Path) -> None:
    sqlite.put("a", "x")
    before = {path.name: path.stat() for path in tmp_path.iterdir()}
    connector = sqlite.connector()
    connector.probe()
    connector.fetch("a", None)
    assert [entry.uri for entry in connector.list()] == ["a"]
    after = {path.name: path.stat() for path in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name].st_mtime_ns == was.st_mtime_ns for name, was in before.items())


# ── Outages ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_or_broken_file_is_not_an_empty_database(sqlite: Table, tmp_path: Path) -> None:
    file = tmp_path / "pages.db"
    file.unlink()
    assert "does not exist; is it mounted?" in refused(sqlite.connector())
    assert not file.exists()
    file.write_bytes(b"no database " * 100)
    assert "file is not a database" in refused(sqlite.connector())


def test_a_statement_that_takes_too_long_is_cancelled(pages: Table) -> None:
    slow = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'x' AS body FROM n "
        "WHERE i < 0"
    )
    connector = pages.connector(query=slow, columns=TEXT, timeout=0.2)
    with pytest.raises(SourceUnavailable, match=r"longer than 0\.2 s .*raise `timeout`\.$"):
        connector.list()


def test_an_error_after_some_rows_is_no_end_of_the_listing(pages: Table) -> None:
    """It comes while rows are streamed, and nothing is listed then."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
    pages.run(
        f"{numbers} INSERT INTO pages (id, body) SELECT CAST(i AS TEXT), 'x' FROM n"
        if pages.on_sqlite
        else f"INSERT INTO pages (id, body) {numbers} SELECT CAST(i AS TEXT), 'x' FROM n"
    )
    broken = "CAST(1 / (length(body) - 1) AS TEXT)" if not pages.on_sqlite else "json(body)"
    query = f"SELECT id, CASE WHEN id = '1100' THEN {broken} ELSE body END AS body FROM pages"
    with pytest.raises(SourceUnavailable, match=r"division by zero|malformed JSON"):
        pages.connector(query=query, columns=TEXT).list()


def test_revoked_privileges_are_no_failure_of_documents(postgres: Table) -> None:
    """Half-way through a sync: documents were listed, and may not be read any more."""
    postgres.put("a", "x")
    postgres.run("DROP ROLE IF EXISTS reader")
    postgres.run("CREATE ROLE reader LOGIN PASSWORD 'reader-pass'")
    postgres.run("GRANT SELECT ON pages TO reader")
    url = re.sub(r"//[^@]*@", "//reader:reader-pass@", postgres.url)
    connector = postgres.connector(url=url)
    assert [entry.uri for entry in connector.list()] == ["a"]
    connector.fetch("a", None)
    postgres.run("REVOKE SELECT ON pages FROM reader")
    assert "permission denied for table pages" in refused(connector)
    postgres.run("DROP ROLE reader")


def test_a_wrong_password_is_said_once_and_not_shown(postgres: Table) -> None:
    url = re.sub(r"//[^@]*@", "//freshkb:wrong-secret@", postgres.url)
    said = refused(postgres.connector(url=url))
    assert "password authentication failed" in said and "wrong-secret" not in said


def test_a_restarted_server_is_asked_again(postgresql: Server, postgres: Table) -> None:
    postgres.put("a", "x")
    connector = postgres.connector()
    entry = connector.stat("a")
    data = str(postgresql.folder / "data")
    postgresql.run(postgresql.pg_ctl, "stop", "--wait", "--mode=fast", "--pgdata", data)
    assert "connection" in refused(connector)
    postgresql.run(
        *(postgresql.pg_ctl, "start", "--wait", "--pgdata", data, "--log", str(postgresql.folder / "log"))
    )
    assert connector.stat("a") == entry


@pytest.fixture
def proxy(postgresql: Server) -> Iterator[Proxy]:
    with closing(Proxy(str(postgresql.folder / ".s.PGSQL.5432"))) as made:
        yield made


class Proxy:
    """A port of this machine that leads to the server's socket, and is cut after so many bytes of answers."""

    def __init__(self, target: str) -> None:
        self._target, self.limits = target, list[int | None]()
        self._port = socket.create_server(("127.0.0.1", 0))
        self.port = self._port.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._port.accept()
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self._target)
                limit = self.limits.pop(0) if self.limits else None
                asking = threading.Thread(target=self._pump, args=(client, server, None), daemon=True)
                asking.start()
                self._pump(server, client, limit)
                for end in (client, server):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        continue
                asking.join()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, limit: int | None) -> None:
        done = 0
        try:
            while block := source.recv(4096):
                done += len(block)
                if limit is not None and done > limit:
                    return
                target.sendall(block)
        except OSError:
            return

    def close(self) -> None:
        self._port.shutdown(socket.SHUT_RDWR)
        self._port.close()
        self._thread.join()


def test_a_connection_that_drops_in_the_middle_is_made_again_and_the_listing_is_whole(
    postgres: Table, proxy: Proxy
) -> None:
    postgres.run("INSERT INTO pages (id, body) SELECT n::text, 'x' FROM generate_series(1, 2000) AS n")
    name = postgres.url.partition("@/")[2].partition("?")[0]
    place = f"@127.0.0.1:{proxy.port}/{name}"
    url = re.sub(r"@/.*", place, postgres.url)
    connector = postgres.connector(url=url)
    proxy.limits = [30_000]
    assert len([*connector.list()]) == 2_000
    connector.close()
    proxy.limits = [30_000] * 10
    with pytest.raises(SourceUnavailable, match=r"connection|server closed") as caught:
        connector.list()
    assert PASSWORD not in str(caught.value)


def test_another_database_behind_the_same_address_is_another_place(
    postgresql: Server, postgres: Table, sqlite: Table
) -> None:
    connector, name = postgres.connector(), postgres.url.partition("@/")[2].partition("?")[0]
    before = connector.probe()
    connector.close()
    again = postgres.connector()
    assert again.probe() == before
    again.close()
    other = postgresql.copy_database(postgres.url)
    there = postgres.connector(url=other)
    assert there.probe() != before
    there.close()
    with psycopg.connect(
        host=str(postgresql.folder), user="freshkb", password=PASSWORD, dbname="postgres", autocommit=True
    ) as admin:
        copied = other.partition("@/")[2].partition("?")[0]
        admin.execute(f"DROP DATABASE {name}".encode())
        admin.execute(f"ALTER DATABASE {copied} RENAME TO {name}".encode())
    assert postgres.connector().probe() != before
    assert sqlite.connector().probe().endswith("/pages.db")


def test_a_locked_file_is_waited_for(sqlite: Table, tmp_path: Path) -> None:
    sqlite.put("a", "x")
    connector = sqlite.connector()
    with closing(sqlite3.connect(tmp_path / "pages.db", check_same_thread=False)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.3, writer.rollback)
        release.start()
        assert [entry.uri for entry in connector.list()] == ["a"]
        release.join()
