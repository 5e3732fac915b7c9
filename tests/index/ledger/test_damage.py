"""Decisions in a ledger that is too damaged to be opened: of an earlier schema, or without their key."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.ledger import Ledger
from index.ledger.damage import rescue
from index.ledger.database import Database
from index.ledger.migrations import upgrade
from tests.contracts.ledger_contract import T0, document
from tests.erasures import placed


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
        assert ledger.erasures.keys() and ledger.erasures.kinds() == set() and ledger.faults() == []
