"""Fixtures of the model's tests."""

from __future__ import annotations

import pytest

from index.parse import Parser
from tests.model.oracle import Reader


@pytest.fixture(scope="session")
def reader(parser: Parser, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(parser, tmp_path_factory.mktemp("reader"))
