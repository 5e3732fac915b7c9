from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.sql.tables import Table, table


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for between two attempts."""
    monkeypatch.setattr("connectors.sql.database.PAUSES", (0.0, 0.0))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Table]:
    with table("sqlite:///pages.db", tmp_path) as made:
        yield made


@pytest.fixture
def postgres(postgresql_url: str, tmp_path: Path) -> Iterator[Table]:
    with table(postgresql_url, tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def pages(request: pytest.FixtureRequest) -> Table:
    """The table in each of the databases that are tested."""
    found: Table = request.getfixturevalue(request.param)
    return found
