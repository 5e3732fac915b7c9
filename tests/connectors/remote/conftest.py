"""Servers on loopback, started once, and connectors for folders of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Context
from connectors.remote.connector import FsspecConnector
from connectors.remote.settings import FsspecSettings
from tests.connectors.remote.sites import (
    SHARED,
    FtpSite,
    OpensshSite,
    SftpSite,
    Site,
    SmbSite,
    VsftpdSite,
    WebdavSite,
    closing,
)
from tests.contracts.connector_contract import MAX_SIZE

_numbers = itertools.count()


@pytest.fixture(scope="session")
def top(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "top"
        folder.mkdir()
        return folder

    return make


@pytest.fixture(scope="session")
def webdav_site(top: Callable[[str], Path]) -> Iterator[WebdavSite]:
    yield from closing(WebdavSite(top("webdav")))


@pytest.fixture(scope="session")
def sftp_site(top: Callable[[str], Path]) -> Iterator[SftpSite]:
    folder = top("sftp")
    yield from closing(SftpSite(folder, folder.parent))


@pytest.fixture(scope="session")
def openssh_site() -> Iterator[OpensshSite]:
    if OpensshSite.program is None:
        pytest.skip("sshd is not installed")
    yield from closing(OpensshSite())


@pytest.fixture(scope="session")
def ftp_site(top: Callable[[str], Path]) -> Iterator[FtpSite]:
    yield from closing(FtpSite(top("ftp")))


@pytest.fixture(scope="session")
def old_ftp_site(top: Callable[[str], Path]) -> Iterator[FtpSite]:
    """Without MLSD."""
    yield from closing(FtpSite(top("ftp"), facts=False))


@pytest.fixture(scope="session")
def vsftpd_site() -> Iterator[VsftpdSite]:
    if VsftpdSite.program is None:
        pytest.skip("vsftpd is not installed")
    yield from closing(VsftpdSite())


@pytest.fixture(scope="session")
def smb_site() -> Iterator[SmbSite]:
    if SmbSite.program is None or SmbSite.smbpasswd is None:
        pytest.skip("smbd is not installed")
    yield from closing(SmbSite())


class Place:
    """A folder of its own on a site, and connectors for it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.root = site.top / f"{SHARED} {next(_numbers)}"
        self.root.mkdir()
        self._made: list[FsspecConnector] = []

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"url": self.site.url(self.root), **self.site.settings(), **more}

    def connect(self, *, max_size: int = MAX_SIZE, **settings: Any) -> FsspecConnector:
        checked = FsspecSettings.model_validate(self.settings(**settings))
        self._made.append(FsspecConnector(checked, Context("docs", self.root.parent, max_size)))
        return self._made[-1]

    def put(self, uri: str, data: bytes = b"x") -> Path:
        path = self.root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def close(self) -> None:
        self.site.reset()
        for connector in self._made:
            connector.close()


@pytest.fixture
def at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Place]]:
    """A new folder on the server of this fixture. No test waits for its server to get well."""
    monkeypatch.setattr("connectors.remote.asking.PAUSES", (0.0, 0.01, 0.02))
    made: list[Place] = []

    def make(name: str) -> Place:
        made.append(Place(request.getfixturevalue(name)))
        return made[-1]

    yield make
    for place in made:
        place.close()
