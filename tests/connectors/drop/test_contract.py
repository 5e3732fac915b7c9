"""The contract of connectors, for documents of which every other one lies in the archive already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connectors.base import Context
from connectors.files import FilesConnector, FilesSettings
from tests.connectors.drop.folders import PLACES
from tests.connectors.test_contract import FilesDriver
from tests.contracts.connector_contract import MAX_SIZE, ConnectorContract, Driver


class DropDriver(FilesDriver):
    """The same as for a folder, in two of them."""

    def __init__(
        self, connector: FilesConnector, home: Path, lost: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(connector, monkeypatch)
        self._home, self._lost = home, lost

    def _path(self, uri: str) -> Path:
        place = "archive" if len(uri) % 2 else "inbox"
        if uri == "secret":
            place = "inbox" if (self._home / "inbox" / uri).exists() else "archive"
        return self._home / place / uri

    def take_away(self) -> None:
        """Where a document is found in the inbox, the archive is not asked."""
        shutil.rmtree(self._home / self._lost)
        (self._home / "inbox" / "a.md").unlink(missing_ok=True)


class TestInbox(ConnectorContract):
    lost = "inbox"

    @pytest.fixture
    def driver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
        for place in PLACES:
            (tmp_path / place).mkdir()
        given = {"root": "inbox", "mode": "drop", "archive": "archive", "quarantine": "quarantine"}
        connector = FilesConnector(FilesSettings.model_validate(given), Context("drop", tmp_path, MAX_SIZE))
        return DropDriver(connector, tmp_path, self.lost, monkeypatch)


class TestArchive(TestInbox):
    lost = "archive"


class TestQuarantine(TestInbox):
    lost = "quarantine"
