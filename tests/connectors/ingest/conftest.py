from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Context
from connectors.ingest import IngestConnector, IngestSettings
from connectors.ingest.wire import Patience
from tests.connectors.ingest import confluence_site, graph_site, notion_site
from tests.connectors.ingest.confluence_site import ConfluenceSite
from tests.connectors.ingest.graph_site import GraphSite
from tests.connectors.ingest.loopback import Loopback
from tests.connectors.ingest.notion_site import NotionSite
from tests.contracts.connector_contract import MAX_SIZE

HOSTS = (confluence_site.HOST, *GraphSite.hosts, notion_site.HOST)

CONFLUENCE: dict[str, Any] = {
    "url": f"https://{confluence_site.HOST}/wiki",
    "username": confluence_site.USER,
    "api_token": confluence_site.TOKEN,
    "cloud": True,
}
SHAREPOINT: dict[str, Any] = {
    "site": graph_site.SITE,
    "tenant": graph_site.TENANT,
    "client_id": graph_site.CLIENT,
    "client_cred": graph_site.SECRET,
}
NOTION: dict[str, Any] = {"notion_api_key": notion_site.KEY, "page_ids": [notion_site.ROOT]}


class Impatient(IngestConnector):
    """Waits for nothing; `pauses` are the seconds that it would have waited."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.pauses: list[float] = []

    def patience(self) -> Patience:
        return Patience(connect=5, read=0.5, attempts=3, sleep=self.pauses.append)


Make = Callable[..., Impatient]


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    net = Loopback(tmp_path_factory.mktemp("loopback"), HOSTS)
    yield net
    net.close()


@pytest.fixture
def net(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """The only internet that there is. Nobody but the sites of the test was asked."""
    for name, value in loopback.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield loopback
    strangers = list(loopback.strangers)
    loopback.serve()
    assert strangers == []


@pytest.fixture
def confluence(net: Loopback) -> Iterator[ConfluenceSite]:
    site = ConfluenceSite()
    net.serve(site)
    yield site
    site.released.set()


@pytest.fixture
def graph(net: Loopback) -> Iterator[GraphSite]:
    site = GraphSite()
    net.serve(site)
    yield site
    site.released.set()


@pytest.fixture
def notion(net: Loopback) -> Iterator[NotionSite]:
    site = NotionSite()
    net.serve(site)
    yield site
    site.released.set()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A connector of a service with these settings."""
    made: list[Impatient] = []

    def connector(service: str, settings: dict[str, Any], **others: Any) -> Impatient:
        given = IngestSettings.model_validate({"connector": service, "settings": settings, **others})
        context = Context("tail", tmp_path, MAX_SIZE, cache=tmp_path / "cache" / "tail")
        made.append(Impatient(given, context))
        return made[-1]

    yield connector
    for one in made:
        one.close()
