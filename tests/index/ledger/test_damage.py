"""Holds of an earlier schema in a ledger that is too damaged to be brought to this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.ledger import Ledger
from index.ledger.damage import rescue
from index.ledger.database import Database
from index.ledger.migrations import upgrade


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
