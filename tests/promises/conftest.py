"""Fixtures of the tests in which something hostile is synced."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.parse import Parser
from tests.promises.stage import Sinks, Stage, processes


@pytest.fixture(scope="module")
def sinks() -> Iterator[Sinks]:
    opened = Sinks()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where this process, and so its parser, keeps what is temporary. Nothing is left there in the end."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
    assert list(folder.iterdir()) == []
    if sys.platform == "linux":
        assert processes(folder) == []


@pytest.fixture(scope="module")
def walled(temporary: Path) -> Iterator[Parser]:
    """The real parser."""
    with Parser() as parser:
        yield parser


@pytest.fixture
def staged(
    tmp_path: Path, sinks: Sinks, temporary: Path, soak: bool, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Parser], Stage]:
    """Sets a stage for a parser, in an empty home and an empty working directory."""
    for name in ("home", "cwd"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "cwd")
    return lambda parser: Stage(tmp_path, parser, sinks, temporary, large=soak)
