"""Audits and answers, on every database."""

from __future__ import annotations

import pytest

from tests.contracts.audits_contract import AuditsContract

pytest_plugins = ["tests.postgres"]


class TestSQLiteAudits(AuditsContract):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite"


class TestPostgreSQLAudits(AuditsContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url
