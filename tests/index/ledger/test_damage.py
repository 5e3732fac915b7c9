"""Decisions in a ledger that is too damaged to be opened: of an earlier schema, or without their key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index.ledger import Ledger
from index.ledger.damage import rescue
from index.ledger.database import Database
from index.ledger.migrations import upgrade
from tests.contracts.ledger_contract import T0, document
from tests.erasures import placed

#: Bytes of a page.
PAGE = 4096


@pytest.mark.parametrize("holds", [0, 2])
def test_former_holds_are_torn_only_where_there_are_some(tmp_path: Path, holds: int) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    database = Database("sqlite", old)
    with database.writing() as connection:
        upgrade(connection, "m005")
        for number in range(holds):
            row = f"('LH', 'd{number}', 'A lawsuit.', 0, NULL)"
            connection.exec_driver_sql(f"INSERT INTO holds VALUES {row}")
    database.close()
    Ledger.open("sqlite", new).close()
    taken = rescue(old / "ledger.db", new / "ledger.db")
    assert ("holds" in taken.torn) == bool(holds) and "held_documents" not in taken.torn


def test_in_an_earlier_schema_no_order_is_missing(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    database = Database("sqlite", old)
    with database.writing() as connection:
        upgrade(connection, "m007")
    database.close()
    Ledger.open("sqlite", new).close()
    taken = rescue(old / "ledger.db", new / "ledger.db")
    assert taken.torn == []


@pytest.mark.parametrize("table", ["orders", "order_documents", "tombstones"])
def test_a_lost_table_of_orders_is_torn(tmp_path: Path, table: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with Ledger.open("sqlite", old) as ledger, ledger.database.writing() as connection:
        connection.exec_driver_sql(f"DROP TABLE {table}")
    Ledger.open("sqlite", new).close()
    assert rescue(old / "ledger.db", new / "ledger.db").torn == [table]


@pytest.mark.parametrize("key", [None, "", "no key"])
def test_tombstones_without_their_key_are_torn(tmp_path: Path, key: str | None) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with Ledger.open("sqlite", old) as ledger:
        ledger.documents.put([document("a.md", "d1", size=1)], [])
        placed(ledger, "E-1", ["d1"], T0)
        with ledger.database.writing() as connection:
            which = "WHERE name = 'tombstone key'"
            if key is None:
                connection.exec_driver_sql(f"DELETE FROM meta {which}")
            else:
                connection.exec_driver_sql(f"UPDATE meta SET value = '{key}' {which}")
        assert ledger.faults() == ["the key of tombstones is lost"]
    Ledger.open("sqlite", new).close()
    taken = rescue(old / "ledger.db", new / "ledger.db")
    assert taken.torn == ["tombstones"] and taken.rows["tombstones"] == 0
    with Ledger.open("sqlite", new) as ledger:
        assert ledger.tombstones.keys() and ledger.tombstones.kinds() == set() and ledger.faults() == []


@pytest.mark.parametrize(
    "written, damaged, table",
    [
        ("TEXT DEFAULT 'present' NOT NULL", "TEXT DEFAUDT 'present' NOT NULL", "removals"),
        ("page BIGINT", "page BIFINT", "chunks"),
        ("TEXT DEFAULT 'present'", "TEXT DEFAULT 'presenu'", "removals"),
        ("TEXT DEFAULT 'present'", "TE\udcd8T DEFAULT 'present'", "removals"),
    ],
)
def test_a_damaged_declaration_is_a_fault_and_its_rows_are_taken_over(
    tmp_path: Path, written: str, damaged: str, table: str
) -> None:
    """SQLite's own check looks at pages and rows, and not at what the columns were declared as."""
    old, new = tmp_path / "old", tmp_path / "new"
    with Ledger.open("sqlite", old) as ledger:
        ledger.documents.put([document("a.md", "d1", size=1)], [])
    path = old / "ledger.db"
    content = path.read_bytes()
    assert content.count(written.encode()) == 1
    path.write_bytes(content.replace(written.encode(), damaged.encode("utf-8", "surrogateescape")))
    with Ledger.open("sqlite", old) as ledger:
        assert ledger.faults() == [f"the columns of {table} are not as freshkb made them"]
    Ledger.open("sqlite", new).close()
    assert rescue(path, new / "ledger.db").rows["documents"] == 1
    with Ledger.open("sqlite", new) as ledger:
        assert ledger.faults() == [] and len(list(ledger.documents.find())) == 1


@pytest.mark.parametrize("version", ["m001", "m004", "m008"])
def test_a_ledger_that_began_with_an_earlier_schema_has_no_fault(tmp_path: Path, version: str) -> None:
    database = Database("sqlite", tmp_path)
    with database.writing() as connection:
        upgrade(connection, version)
    database.close()
    with Ledger.open("sqlite", tmp_path) as ledger:
        assert ledger.faults() == []


@pytest.mark.parametrize("name", ["e6a1bd73-1418-5fkc-9908-e5dc1cf060cf", "", "1" * 36])
def test_a_chunk_of_which_no_store_can_have_a_point_is_not_taken_over(tmp_path: Path, name: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with Ledger.open("sqlite", old) as ledger:
        ledger.documents.put([document("a.md", "d1", size=1)], [])
        with ledger.database.writing() as connection:
            for point in (name, "e6a1bd73-1418-5fac-9908-e5dc1cf060cf"):
                connection.exec_driver_sql(
                    f"INSERT INTO chunks VALUES ('kb-1', '{point}', 'd1', 0, 'h', 'p', 1, 1, 'v')"
                )
        assert ledger.faults() == ["1 rows of chunks hold what freshkb cannot have written"]
    Ledger.open("sqlite", new).close()
    assert rescue(old / "ledger.db", new / "ledger.db").rows["chunks"] == 1


def test_a_document_of_which_the_id_is_no_name_of_a_file_is_not_taken_over(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with Ledger.open("sqlite", old) as ledger:
        ledger.documents.put(
            [document("a.md", "43e7/85bc", size=1), document("b.md", "43e7-85bc", size=1)], []
        )
        assert ledger.faults() == ["1 rows of documents hold what freshkb cannot have written"]
    Ledger.open("sqlite", new).close()
    assert rescue(old / "ledger.db", new / "ledger.db").rows["documents"] == 1


def inner_cells(path: Path, table: str) -> list[tuple[int, int]]:
    """Of the table's inner page: where the page of each cell begins, and the last row number in it."""
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (root,) = database.execute(query, (table,)).fetchone()
    page = path.read_bytes()[(root - 1) * PAGE : root * PAGE]
    assert page[0] == 5
    offsets = [int.from_bytes(page[at : at + 2]) for at in range(12, 12 + 2 * int.from_bytes(page[3:5]), 2)]
    # The number is a varint, here of one byte or two.
    keys = [page[at + 4 : at + 6] for at in offsets]
    last = [((a & 127) << 7 | b) if a > 127 else a for a, b in keys]
    return [
        ((int.from_bytes(page[at : at + 4]) - 1) * PAGE, key) for at, key in zip(offsets, last, strict=True)
    ]


def test_a_page_of_which_a_part_is_left_does_not_make_it_read_without_end(tmp_path: Path) -> None:
    """Rows of the lost part have the number 0. A leap over another page, by powers of two, leads there."""

    def grown(folder: Path, first: int) -> Path:
        with Ledger.open("sqlite", folder) as ledger:
            ledger.documents.put([document("first.md", "d", size=1)], [])
            with ledger.database.writing() as connection:
                connection.exec_driver_sql(f"UPDATE documents SET rowid = {first}")
            made = (document(f"{number:04}.md", f"d{number:04}", size=1) for number in range(200))
            ledger.documents.put([*made], [])
        return folder / "ledger.db"

    _, (_, last), *_ = inner_cells(grown(tmp_path / "tried", 200), "documents")
    path = grown(tmp_path / "old", 200 + 511 - last)
    (lost, _), (_, last), (cut, _), *_ = inner_cells(path, "documents")
    assert last == 511
    content = bytearray(path.read_bytes())
    content[lost] = 0
    begins = cut + int.from_bytes(content[cut + 8 : cut + 10])
    content[begins : cut + PAGE] = bytes(cut + PAGE - begins)
    path.write_bytes(content)
    Ledger.open("sqlite", tmp_path / "new").close()
    taken = rescue(path, tmp_path / "new" / "ledger.db")
    assert "documents" in taken.torn and taken.rows["documents"] > 100
