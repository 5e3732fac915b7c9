"""The contract of connectors, for a web site whose documents are files: their bytes are theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors.base import Connector, Entry, Fetched, Listing
from connectors.web.connector import WebConnector
from tests.connectors.web.website import Answer, Website, connect
from tests.contracts.connector_contract import MAX_SIZE, ConnectorContract, Driver


class Below(Connector):
    """The pages of one host, by their paths: the contract's uris have no host."""

    settings_model = WebConnector.settings_model
    capabilities = WebConnector.capabilities

    def __init__(self, inner: WebConnector, host: str) -> None:
        super().__init__(inner.settings, inner.context)
        self._inner, self._host = inner, host

    def probe(self) -> str:
        return self._inner.probe()

    def list(self, folders: Collection[str] | None = None) -> Listing:
        asked = None if folders is None else [f"{self._host}/{f}" if f else self._host for f in folders]
        listing = self._inner.list(asked)
        entries = (self._short(entry) for entry in listing)
        return Listing(entries, listing.errors, listing.unlisted)

    def stat(self, uri: str) -> Entry | None:
        entry = self._inner.stat(self._long(uri))
        return None if entry is None else self._short(entry)

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        found = self._inner.fetch(self._long(uri), into)
        return Fetched(self._short(found.entry), found.content_hash)

    def url(self, uri: str) -> str:
        return self._inner.url(self._long(uri))

    def home(self) -> str:
        return self._inner.home()

    def close(self) -> None:
        self._inner.close()

    def _long(self, uri: str) -> str:
        return f"{self._host}/{uri}" if uri else ""

    def _short(self, entry: Entry) -> Entry:
        return entry._replace(uri=entry.uri.removeprefix(f"{self._host}/"))


class WebDriver:
    """A sitemap for each folder, under an index of them."""

    def __init__(self, site: Website, cache: Path | None) -> None:
        self._site, self._uris = site, set[str]()
        self._concealed: set[str] = set()
        inner = connect(site, cache, max_size=MAX_SIZE, start=[], sitemaps=[f"{site.url}/sitemap.xml"])
        self.connector = Below(inner, site.host)
        self.take_away = site.close
        self._told()

    def _told(self) -> None:
        folders = sorted({uri.rpartition("/")[0] for uri in self._uris})
        maps = {folder: f"/sitemap-{number}.xml" for number, folder in enumerate(folders)}
        self._site.sitemap("/sitemap.xml", *maps.values(), kind="sitemap")
        for folder, path in maps.items():
            inside = [uri for uri in sorted(self._uris) if uri.rpartition("/")[0] == folder]
            self._site.sitemap(path, *(f"/{quote(uri)}" for uri in inside))
            if folder in self._concealed:
                self._site.status(path, 500)

    def put(self, uri: str, data: bytes) -> None:
        self._uris.add(uri)
        self._site.file(f"/{uri}", data, "text/markdown")
        self._told()

    def remove(self, uri: str) -> None:
        self._uris.discard(uri)
        self._site.status(f"/{uri}", 410)
        self._told()

    def rename(self, old: str, new: str) -> None:
        self._uris.add(new)
        self._site.answers[f"/{new}"] = self._site.answers[f"/{old}"]
        self.remove(old)

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        return False

    def own(self, text: str) -> bool:
        return False

    def forbid(self, uri: str) -> None:
        self._site.status(f"/{uri}", 403)

    def disturb(self, uri: str) -> None:
        self._site.answers[f"/{uri}"] = Answer(b"x", 200, {"Content-Type": "text/markdown"}, cut=5)

    def conceal(self, folder: str) -> None:
        self._concealed.add(folder)
        self._told()


@pytest.mark.parametrize("kept", [True, False])
class TestWeb(ConnectorContract):
    @pytest.fixture
    def driver(self, tmp_path: Path, kept: bool) -> Iterator[Driver]:
        site = Website()
        driver = WebDriver(site, tmp_path / "cache" / "site" if kept else None)
        yield driver
        driver.connector.close()
        site.close()
