"""Fixtures that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.parse import Parser
from tests.knowledge import Knowledge


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long forms of the tests of promises")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether to run the long form of a test."""
    return bool(pytestconfig.getoption("--soak"))


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser(timeout_seconds=60) as shared:
        yield shared


@pytest.fixture
def kb(tmp_path: Path, parser: Parser) -> Knowledge:
    return Knowledge(tmp_path / "kb", parser)
