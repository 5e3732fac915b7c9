"""All rows of a ledger, and a ledger made of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.errors import Refused
from index.ledger import Ledger, LogAction, LogEntry
from index.ledger.copy import Table, existing, load
from index.ledger.schema import VERSION

pytest_plugins = ["tests.postgres"]

NOW = datetime(2026, 6, 1, tzinfo=UTC)

INSTANCE = "0f8fad5b-d9cb-469f-a165-70867728950e"

#: Some tables of a ledger before its events became the log.
M004 = [
    Table(
        "events",
        ["id", "at", "run_id", "document_id", "source", "action", "detail"],
        [[7, 1, None, "d", "docs", "added", ""]],
    ),
    Table("meta", ["name", "value"], [["instance", INSTANCE]]),
    Table("removals", ["collection", "point_id", "document_id"], [["kb-1", "p", "d"]]),
]


def nothing(ledger: Ledger) -> None:
    assert ledger.instance_id


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    return found


def test_rows_of_an_older_schema_are_brought_to_this_one(url: str, tmp_path: Path) -> None:
    state, scratch = tmp_path / "state", tmp_path / "state" / "scratch"
    assert existing(url, state) is None
    load(url, state, scratch, "m004", M004, nothing)
    assert existing(url, state) is not None
    with Ledger.open(url, state) as ledger:
        assert ledger.instance_id == INSTANCE
        assert ledger.points.removals("kb-1") == ["p"]
        assert [entry.subject for entry in ledger.log.newest()] == ["d"]
        ledger.log.append([LogEntry(NOW, LogAction.REVIEWED, "docs", "e")])
        assert [entry.subject for entry in ledger.log.newest()] == ["e", "d"]
        with ledger.snapshot() as snapshot:
            assert snapshot.schema == VERSION
    with pytest.raises(Refused, match="ledger already"):
        load(url, state, tmp_path / "other", "m004", M004, nothing)


def test_a_load_that_fails_leaves_no_ledger(url: str, tmp_path: Path) -> None:
    def rows() -> Iterator[list[str]]:
        yield ["instance", INSTANCE]
        raise ValueError("cut short")

    with pytest.raises(ValueError, match="cut short"):
        load(url, tmp_path, tmp_path / "scratch", "m004", [Table("meta", ["name", "value"], rows())], nothing)
    assert existing(url, tmp_path) is None


def test_a_snapshot_is_one_moment(url: str, tmp_path: Path) -> None:
    with Ledger.open(url, tmp_path) as ledger, Ledger.open(url, tmp_path) as writer:
        with ledger.snapshot() as snapshot:
            tables = snapshot.tables()
            next(tables)
            writer.runs.start("sync", NOW)
            found = {table.name: list(table.rows) for table in tables}
        assert found["runs"] == []
        assert "writers" not in found
        with ledger.snapshot() as snapshot:
            (rows,) = (list(table.rows) for table in snapshot.tables() if table.name == "runs")
        assert len(rows) == 1
