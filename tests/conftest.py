"""Fixtures that many tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.parse import Parser
from tests.knowledge import Knowledge

#: Where files are in memory, and how much room the tests want there.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 6 << 30


def pytest_configure() -> None:
    """Temporary folders lie in memory, where there is room: most of what the tests would otherwise wait for
    is a disk that flushes, hundreds of times in each of them. What is on a disk is not tested here: a process
    that is killed has not lost what it wrote, flushed or not."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


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
