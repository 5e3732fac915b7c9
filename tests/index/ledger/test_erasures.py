"""Orders to erase, on every database."""

from __future__ import annotations

import pytest

from tests.contracts.erasures_contract import ErasuresContract

pytest_plugins = ["tests.postgres"]


class TestSQLiteErasures(ErasuresContract):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite"


class TestPostgreSQLErasures(ErasuresContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url
