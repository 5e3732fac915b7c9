from __future__ import annotations

from pathlib import Path

import pytest

from tests.connectors.drop.folders import Folders


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are waited for as ever."""
    monkeypatch.setattr("connectors.quiet.QUIET_SECONDS", 0.2)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was written just now is taken for one that is quiet."""
    monkeypatch.setattr("connectors.quiet.QUIET_SECONDS", 0.0)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "drop")
