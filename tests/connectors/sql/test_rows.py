"""Rows as documents: ids, tokens, times, formats and everything else that a column may hold."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.base import DocumentError, DocumentTooLarge, Entry, SourceUnavailable
from connectors.sql import identifiers
from connectors.sql.connector import SqlConnector
from connectors.sql.database import Snapshot
from connectors.sql.moments import moment
from tests.connectors.sql.tables import OLD, Table

pytest_plugins = ["tests.postgres"]

TEXT = {"id": "id", "text": "body"}


def entries(connector: SqlConnector) -> dict[str, Entry]:
    listing = connector.list()
    found = {entry.uri: entry for entry in listing}
    assert listing.complete, listing.errors
    return found


def fetched(connector: SqlConnector, uri: str, folder: Path) -> bytes:
    into = folder / "fetched"
    into.unlink(missing_ok=True)
    connector.fetch(uri, into)
    return into.read_bytes()


# ── Ids ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("identifier", "uri"),
    [
        ("handbook/leave", "handbook/leave"),
        ("100%", "100%"),
        ("100%25", "100%2525"),
        ("a//b", "a%2F%2Fb"),
        ("/etc/passwd", "%2Fetc%2Fpasswd"),
        ("../x", "..%2Fx"),
        (".", "%2E"),
        ("..", "%2E."),
        ("a\0b", "a%00b"),
        ("ä b?#", "ä b?#"),
        ("a'; DROP TABLE pages; --", "a'; DROP TABLE pages; --"),
    ],
)
def test_an_id_has_one_uri_and_a_uri_at_most_one_id(identifier: str, uri: str) -> None:
    assert identifiers.encode(identifier) == uri
    assert identifiers.decode(uri) == identifier


@pytest.mark.parametrize("uri", ["", "%2f", "a%41", "a%ff", "a\ud800"])
def test_what_no_id_has_is_no_uri(uri: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        identifiers.decode(uri)


def test_each_row_is_found_by_its_id_however_that_is_spelled(pages: Table, tmp_path: Path) -> None:
    ids = ["a'; DROP TABLE pages; --", "a//b", ".", "100%", ":x", "\\", "Ä", "x y"]
    for number, identifier in enumerate(ids):
        pages.put(identifier, f"text {number}")
    connector = pages.connector(columns=TEXT)
    found = entries(connector)
    assert set(found) == {identifiers.encode(identifier) for identifier in ids}
    for number, identifier in enumerate(ids):
        uri = identifiers.encode(identifier)
        assert connector.stat(uri) == found[uri]
        assert fetched(connector, uri, tmp_path) == f"text {number}".encode()


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("CAST(n AS INTEGER)", ["1", "2"]),
        ("CAST(n AS NUMERIC)", ["1", "2"]),
        ("n + 0", ["1", "2"]),
        ("'page-' || n", ["page-1", "page-2"]),
        ("n * 1.5", ["1.5", "3.0"]),
    ],
)
def test_numbers_and_expressions_are_ids(pages: Table, expression: str, ids: list[str]) -> None:
    pages.run("CREATE TABLE numbers (n INTEGER)")
    pages.run("INSERT INTO numbers VALUES (1), (2)")
    connector = pages.connector(query=f"SELECT {expression} AS id, 'x' AS body FROM numbers", columns=TEXT)
    found = entries(connector)
    assert sorted(found) == ids
    assert [connector.stat(uri) for uri in ids] == [found[uri] for uri in ids]
    for gone in ("3", "x", "page-3", "01", "1.50", "99999999999999999999"):
        assert connector.stat(gone) is None


@pytest.mark.parametrize(
    ("type", "value", "uri"),
    [
        ("UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("CHAR(3)", "x", "x  "),
        ("VARCHAR(40)", "x", "x"),
        ("BIGINT", "9007199254740993", "9007199254740993"),
        ("DOUBLE PRECISION", "2", "2.0"),
        ("DOUBLE PRECISION", "0.00001", "1e-05"),
        ("REAL", "0.1", "0.1"),
        ("NUMERIC", "0.0000001", "1E-7"),
        ("NUMERIC", "NaN", "NaN"),
        ("DATE", "2026-01-02", "2026-01-02"),
        ("TIMESTAMP", "2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        ("TIMESTAMP", "2026-01-01 10:00:00.25", "2026-01-01 10:00:00.250000"),
        ("TIMESTAMPTZ", "2026-01-01 10:00:00+00", "2026-01-01 10:00:00+00:00"),
    ],
)
def test_ids_of_postgresqls_types_are_found_again(postgres: Table, type: str, value: str, uri: str) -> None:
    """As Python writes them, which is not as PostgreSQL does."""
    postgres.run(f"CREATE TABLE t (id {type}, body TEXT)")
    postgres.run(f"INSERT INTO t VALUES ('{value}', 'x')")
    connector = postgres.connector(query="SELECT * FROM t", columns=TEXT)
    found = entries(connector)
    assert list(found) == [uri]
    assert connector.stat(uri) == found[uri]
    for gone in ("y", "7", "1E+99999", "2026-01-03", "9" * 30):
        assert connector.stat(gone) is None


def test_rows_without_an_id_or_with_one_that_is_none_make_a_listing_incomplete(pages: Table) -> None:
    for identifier in ("good", None, "", "x" * 3_000):
        pages.put(identifier, "x")
    listing = pages.connector().list()
    assert [entry.uri for entry in listing] == ["good"]
    assert not listing.complete
    told = " ".join(listing.errors)
    assert "1 rows have no id: 'id' is NULL." in told
    assert "An id is empty text." in told
    assert "has 3,000 bytes; the limit is 2,000." in told


def test_two_rows_with_one_id_make_a_listing_incomplete_and_are_no_document(pages: Table) -> None:
    pages.put("a", "x")
    pages.run("INSERT INTO pages (id, body) VALUES ('a', 'y')")
    connector = pages.connector()
    listing = connector.list()
    assert len([*listing]) == 1
    assert listing.errors == ["Two documents have the same address 'a'."]
    for ask in (connector.stat, lambda uri: connector.fetch(uri, None)):
        with pytest.raises(DocumentError, match="2 rows have the id of 'a'"):
            ask("a")


def test_very_many_bad_rows_fill_no_memory(sqlite: Table) -> None:
    sqlite.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO pages (id) SELECT '' FROM n"
    )
    listing = sqlite.connector().list()
    assert [*listing] == [] and len(listing.errors) == 100


# ── Contents ──────────────────────────────────────────────────────────────────────────────────────────


def test_texts_are_utf8_and_null_is_an_empty_one(pages: Table, tmp_path: Path) -> None:
    pages.put("a", "Zürich 日本 😀\n")
    pages.run("INSERT INTO pages (id) VALUES ('b')")
    for columns in (TEXT, {**TEXT, "updated_at": "updated_at"}):
        connector = pages.connector(columns=columns)
        found = entries(connector)
        assert fetched(connector, "a", tmp_path) == "Zürich 日本 😀\n".encode()
        assert fetched(connector, "b", tmp_path) == b""
        assert (found["a"].size, found["b"].size) == (len("Zürich 日本 😀\n".encode()), 0)
        assert found["a"].format == "text/markdown"


def test_a_token_without_times_is_the_hash_of_the_content(pages: Table) -> None:
    pages.put("a", "one")
    connector = pages.connector(columns=TEXT)
    assert connector.capabilities.token == "content"
    assert entries(connector)["a"].token == hashlib.sha256(b"one").hexdigest()
    pages.put("a", "two")
    assert entries(connector)["a"].token == hashlib.sha256(b"two").hexdigest()
    assert connector.fetch("a", None).entry == entries(connector)["a"]


def test_with_times_no_text_is_read_to_see_that_nothing_changed(pages: Table) -> None:
    """Neither text nor hash is asked for, only the number of bytes."""
    pages.put("a", "one" * 1_000)
    connector = pages.connector()
    assert connector.capabilities.token == "mtime"
    asked: list[str] = []
    engine = connector._database._connected()
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    token = entries(connector)["a"].token
    changed = OLD + timedelta(seconds=1)
    assert token == f"{changed if pages.on_sqlite else changed.isoformat()} 3000"
    (listing,) = (statement for statement in asked if "AS p0" in statement)
    assert "sha256" not in listing
    assert listing.count("body") == 1, "in the size, and in no other column"


def test_a_row_that_was_changed_just_now_has_no_token_yet(pages: Table) -> None:
    """Another change may get the same time: of the same second, or of a clock that is late."""
    now = datetime.now(UTC)
    for name, at in {
        "now": now,
        "late clock": now - timedelta(seconds=30),
        "early clock": now + timedelta(hours=1),
        "settled": now - timedelta(minutes=2),
    }.items():
        pages.put(name, "x", at)
    connector = pages.connector()
    found = entries(connector)
    assert {uri for uri, entry in found.items() if entry.token is None} == {
        "now",
        "late clock",
        "early clock",
    }
    assert connector.fetch("now", None).entry.token is None
    assert connector.fetch("settled", None).entry == found["settled"]


def test_a_day_settles_once_it_is_over_everywhere(pages: Table) -> None:
    today = datetime.now(UTC).date()
    for days in (0, 1, 4):
        pages.put(str(days), "x", today - timedelta(days=days))
    query = "SELECT id, body, CAST(updated_at AS DATE) AS updated_at FROM pages"
    if pages.on_sqlite:
        query = "SELECT * FROM pages"
    found = entries(pages.connector(query=query, columns={**TEXT, "updated_at": "updated_at"}))
    assert [found[name].token is None for name in ("0", "1", "4")] == [True, True, False]


def test_a_row_without_a_time_has_no_token(pages: Table) -> None:
    pages.run("INSERT INTO pages (id, body) VALUES ('a', 'x')")
    found = entries(pages.connector())["a"]
    assert (found.token, found.modified_at) == (None, None)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-01-01 10:00:00", 1_767_261_600_000_000_000),
        ("2026-01-01T10:00:00.25Z", 1_767_261_600_250_000_000),
        ("2026-01-01 12:00:00+02:00", 1_767_261_600_000_000_000),
        (1_767_261_600, 1_767_261_600_000_000_000),
        (1_767_261_600_000, 1_767_261_600_000_000_000),
        (1_767_261_600_000_000, 1_767_261_600_000_000_000),
        (7, None),
        (float("inf"), None),
        ("version 7", None),
        (b"\x00\x07", None),
        (datetime(2026, 1, 1, 10), 1_767_261_600_000_000_000),
        (20260102030405, None),
        ("9999-12-31T23:59:59-10:00", None),
    ],
)
def test_times_come_in_many_shapes_and_what_is_none_is_a_version(value: Any, at: int | None) -> None:
    assert moment(value).at == at
    assert moment(value).settled(time.time_ns())


def test_sizes_are_refused_before_bytes_are_read(pages: Table) -> None:
    pages.put("big", "ü" * 60_000)
    connector = pages.connector()
    with pytest.raises(DocumentTooLarge, match="'big' has 120,000 bytes; the limit is 100,000"):
        connector.fetch("big", None)


def test_a_file_has_the_format_of_its_row(pages: Table) -> None:
    for name, format in {"a": "application/pdf", "b": "docx", "c": "Scan.PDF", "d.txt": None}.items():
        pages.put(name, b"%PDF")
        pages.run("UPDATE pages SET format = :format WHERE id = :id", format=format, id=name)
    columns = {"id": "id", "file": "file", "format": "format"}
    found = entries(pages.connector("file", columns=columns))
    assert [entry.format for entry in found.values()] == ["application/pdf", ".docx", ".PDF", None]
    found = entries(pages.connector("file", columns={"id": "id", "file": "file"}, format="application/pdf"))
    assert {entry.format for entry in found.values()} == {"application/pdf"}


def test_a_text_with_a_nul_or_in_another_encoding_is_handed_over_as_it_is(
    sqlite: Table, tmp_path: Path
) -> None:
    sqlite.run("INSERT INTO pages (id, body, title) VALUES ('a', 'x' || char(0) || 'y', 'T' || char(0))")
    sqlite.run(
        "INSERT INTO pages (id, body, title) VALUES ('b', CAST(x'5afc' AS TEXT), CAST(x'5afc' AS TEXT))"
    )
    connector = sqlite.connector(columns={**TEXT, "title": "title"})
    found = entries(connector)
    assert fetched(connector, "a", tmp_path) == b"x\0y"
    assert fetched(connector, "b", tmp_path) == b"Z\xfc"
    assert [entry.properties for entry in found.values()] == [{"title": "T�"}, {"title": "Z�"}]


def test_a_database_in_utf16_is_read_as_utf8(tmp_path: Path, sqlite: Table) -> None:
    """It counts and hashes other bytes than those that are fetched, so that this is done here."""
    with sqlite3.connect(tmp_path / "wide.db") as wide:
        wide.execute("PRAGMA encoding = 'UTF-16le'")
        wide.execute("CREATE TABLE t (id TEXT, body TEXT)")
        wide.execute("INSERT INTO t VALUES ('a', 'Zürich')")
    wide.close()
    connector = sqlite.connector(url="sqlite:///wide.db", query="SELECT * FROM t", columns=TEXT)
    found = entries(connector)["a"]
    assert (found.size, found.token) == (7, hashlib.sha256("Zürich".encode()).hexdigest())
    assert fetched(connector, "a", tmp_path) == "Zürich".encode()
    assert connector.stat("a") == found


def test_a_latin1_database_gives_utf8(postgres: Table, tmp_path: Path) -> None:
    name = postgres.url.partition("@/")[2].partition("?")[0]
    with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name}_latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    url = postgres.url.replace(name, f"{name}_latin")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id TEXT, body TEXT)")
        connection.exec_driver_sql("INSERT INTO t VALUES ('Zürich', 'Straße')")
    connector = postgres.connector(url=url, query="SELECT * FROM t", columns=TEXT)
    found = entries(connector)["Zürich"]
    assert found.size == len("Straße".encode())
    assert fetched(connector, "Zürich", tmp_path) == "Straße".encode()
    assert connector.fetch("Zürich", None).entry == found


def test_bytes_are_not_taken_for_text(postgres: Table) -> None:
    with pytest.raises(SourceUnavailable, match=r"column 'file' holds bytes: name it as columns\.file"):
        postgres.connector(columns={"id": "id", "text": "file"}).list()


def test_a_snapshot_is_one_state(pages: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others commit while rows are read is seen in the next listing, as a whole."""
    if pages.on_sqlite:
        pages.run("PRAGMA journal_mode = WAL")
    for number in range(3):
        pages.put(f"old {number}", "x")
    really = Snapshot.rows

    def beside(*given: Any) -> Any:
        rows = really(*given)
        yield next(rows)
        pages.run("DELETE FROM pages")
        pages.put("new", "x")
        yield from rows

    connector = pages.connector()
    with monkeypatch.context() as patched:
        patched.setattr("connectors.sql.database.STREAM_ROWS", 1)
        patched.setattr(Snapshot, "rows", beside)
        assert set(entries(connector)) == {"old 0", "old 1", "old 2"}
    assert set(entries(connector)) == {"new"}


def test_queries_are_taken_as_they_are_written(pages: Table, tmp_path: Path) -> None:
    """Percent signs, colons, comments and a semicolon at the end have no meaning of ours."""
    pages.put("a", "100% at 10:30 :x ::y")
    query = (
        '-- all of them\nWITH q AS (SELECT * FROM pages) /* :a */ SELECT id AS "Id", body FROM q '
        "WHERE body LIKE '100%' AND body LIKE '%:x%' AND ':y' <> '\\:z' ; -- ;;"
    ).replace("; -- ;;", "-- the end")
    connector = pages.connector(query=query, columns=TEXT)
    assert list(entries(connector)) == ["a"]
    assert fetched(connector, "a", tmp_path) == b"100% at 10:30 :x ::y"
    assert pages.connector(query="SELECT * FROM pages;\n").settings
    casts = "SELECT id, body::text AS body FROM pages" if not pages.on_sqlite else "SELECT * FROM pages"
    assert list(entries(pages.connector(query=casts, columns=TEXT))) == ["a"]
