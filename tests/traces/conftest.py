"""Fixtures of the model's tests."""

from __future__ import annotations

import pytest

from index.parse import Parser
from tests.traces.oracle import Reader


@pytest.fixture(autouse=True)
def in_this_process(examined_here: None) -> None:
    """Traces verify after each step."""


@pytest.fixture(scope="session")
def reader(parser: Parser, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(parser, tmp_path_factory.mktemp("reader"))
