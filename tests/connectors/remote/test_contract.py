"""The contract suite over each protocol, with real servers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from connectors.remote.server import Item, Names, Server
from tests.connectors.remote.conftest import Place
from tests.connectors.remote.sites import OpensshSite
from tests.contracts.connector_contract import ConnectorContract, Driver


class RemoteDriver:
    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        self._place, self._monkeypatch = place, monkeypatch
        self.connector = place.connect()

    def put(self, uri: str, data: bytes) -> None:
        self._place.put(uri, data)

    def remove(self, uri: str) -> None:
        (self._place.root / uri).unlink()

    def rename(self, old: str, new: str) -> None:
        (self._place.root / old).rename(self._place.root / new)

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        return False

    def own(self, text: str) -> bool:
        return False

    def forbid(self, uri: str) -> None:
        self._place.site.refuse(self._place.root / uri)

    def disturb(self, uri: str) -> None:
        """The file grows before its first block is handed over."""
        server: type[Server] = type(self.connector._server)
        really = server.read

        def read(self_: Server, path: Names, item: Item) -> Iterator[bytes]:
            for block in really(self_, path, item):
                with (self._place.root / uri).open("ab") as writer:
                    writer.write(b"!")
                yield block

        self._monkeypatch.setattr(server, "read", read)

    def conceal(self, folder: str) -> None:
        self._place.site.refuse(self._place.root / folder)

    def take_away(self) -> None:
        shutil.rmtree(self._place.root)


class RemoteContract(ConnectorContract):
    site = ""

    @pytest.fixture
    def driver(
        self,
        at: Callable[[str], Place],
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
        soak: bool,
    ) -> Driver:
        if self.site == "sftp_site" and OpensshSite.program is not None and not soak:
            pytest.skip("Only with --soak. OpenSSH's own server has the contract here.")
        case = request.node.name.partition("[")[2]
        if case not in ("", "nowhere]", "a.md]") and self.site != "webdav_site" and not soak:
            pytest.skip("Only with --soak. What is no uri is told before a server is asked for it.")
        return RemoteDriver(at(self.site), monkeypatch)


class TestWebdav(RemoteContract):
    site = "webdav_site"


class TestSftp(RemoteContract):
    site = "sftp_site"


class TestOpenssh(RemoteContract):
    site = "openssh_site"


class TestFtp(RemoteContract):
    site = "ftp_site"


class TestFtpWithoutFacts(RemoteContract):
    site = "old_ftp_site"


class TestVsftpd(RemoteContract):
    site = "vsftpd_site"


class TestSmb(RemoteContract):
    site = "smb_site"
