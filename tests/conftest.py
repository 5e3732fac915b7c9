"""Fixtures that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.parse import Parser
from tests.knowledge import Knowledge


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser(timeout_seconds=60) as shared:
        yield shared


@pytest.fixture
def kb(tmp_path: Path, parser: Parser) -> Knowledge:
    return Knowledge(tmp_path / "kb", parser)
