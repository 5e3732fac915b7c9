"""Whatever a service does, a listing is whole, or says that it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import (
    DocumentError,
    DocumentTooLarge,
    DocumentVanished,
    Entry,
    Listing,
    SourceUnavailable,
)
from connectors.ingest.names import named
from tests.connectors.ingest.confluence_site import ConfluenceSite
from tests.connectors.ingest.conftest import CONFLUENCE, NOTION, SHAREPOINT, Impatient, Make
from tests.connectors.ingest.graph_site import GraphSite
from tests.connectors.ingest.loopback import Kind, Loopback, Site
from tests.connectors.ingest.notion_site import NotionSite
from tests.contracts.connector_contract import MAX_SIZE
from tests.soak import LONG

SERVICES = ("confluence", "sharepoint", "notion")


@dataclass(slots=True)
class Stand:
    """A service with documents in two of its parts, and a fresh connector for each question."""

    site: Any
    connect: Callable[[], Impatient]
    part: str
    """What addresses of the second part have in them."""
    first: set[str]
    """Uris outside of it."""
    uris: set[str]


def stand_of(name: str, net: Loopback, make: Make) -> Stand:
    if name == "confluence":
        site = ConfluenceSite()
        site.spaces["65602"] = "OPS"
        pages = [site.put(f"Page {at}", "x", ("65601", "65602")[at % 2]) for at in range(12)]
        uris = {f"{site.spaces[page.space]}/{named(page.title, page.id)}" for page in pages}
        stand = Stand(site, lambda: make("confluence", CONFLUENCE), "space-id=65602", set(), uris)
        stand.first = {uri for uri in uris if uri.startswith("KB/")}
    elif name == "sharepoint":
        graph = GraphSite()
        uris = {f"{folder}page {at}.md" for folder in ("", "ops/") for at in range(5)}
        for uri in sorted(uris):
            graph.put(uri, b"x")
        folder = graph.find("ops")
        assert folder is not None
        part = f"items/{folder.id}/children"
        stand = Stand(graph, lambda: make("sharepoint", SHAREPOINT), part, set(), uris)
        stand.first = {uri for uri in uris if "/" not in uri}
    else:
        notion = NotionSite()
        pages_ = [notion.root, *(notion.page(f"Page {at}", "x") for at in range(4))]
        ops = notion.page("Ops", "x", pages_[1])
        pages_ += [ops, notion.page("Deep", "x", ops)]
        notion.pass_time(minutes=10)
        uris = {f"pages/{named(page.text, page.id.replace('-', ''))}" for page in pages_}
        stand = Stand(notion, lambda: make("notion", NOTION), f"pages/{ops.id}", set(), uris)
        stand.first = {uri for uri in uris if "Ops" not in uri and "Deep" not in uri}
    net.serve(stand.site)
    return stand


@pytest.fixture(params=SERVICES)
def stand(request: pytest.FixtureRequest, net: Loopback, make: Make) -> Iterator[Stand]:
    found = stand_of(request.param, net, make)
    yield found
    found.site.released.set()


def listed(connector: Impatient) -> tuple[dict[str, Entry], Listing | None]:
    """The entries, and the listing; None where the source could not be asked at all."""
    try:
        listing = connector.list()
        return {entry.uri: entry for entry in listing}, listing
    except SourceUnavailable as error:
        assert str(error).endswith(".")
        return {}, None


def whole(connector: Impatient) -> set[str]:
    found, listing = listed(connector)
    assert listing is not None
    assert listing.complete, listing.errors
    return set(found)


_REQUESTS: dict[type, int] = {}


def requests_of(stand: Stand) -> int:
    """How many requests a whole listing is; a stand of the same service has as many."""
    service = type(stand.site)
    if service not in _REQUESTS:
        whole(stand.connect())
        _REQUESTS[service] = len(stand.site.asked)
    return _REQUESTS[service]


def test_without_faults_it_is_whole(stand: Stand) -> None:
    assert whole(stand.connect()) == stand.uris


#: Of the answers that stand for one thing, the short form has one.
ALIKE = [pytest.param(kind, marks=LONG) for kind in ("429", "500", "403")]


@pytest.mark.parametrize("kind", ["503", "401", "404", "cut", "html", "odd", *ALIKE])
def test_what_fails_from_some_request_on_never_makes_a_listing_that_is_smaller_and_complete(
    stand: Stand, kind: Kind, soak: bool
) -> None:
    requests = requests_of(stand)
    assert requests > 4
    for skip in range(requests) if soak else (0, 1, requests // 2, requests - 1):
        stand.site.heal()
        stand.site.fail(kind, skip=skip)
        found, listing = listed(stand.connect())
        assert set(found) <= stand.uris
        if listing is not None and listing.complete:
            # A token endpoint that is asked once more than is needed may fail unseen.
            assert set(found) == stand.uris, (skip, stand.site.asked[-1])
        elif listing is not None:
            assert listing.errors
            assert all(error.endswith(".") for error in listing.errors)


@pytest.mark.parametrize("kind", ["503", "cut", "429"])
def test_what_fails_once_is_asked_again(stand: Stand, kind: Kind) -> None:
    connector = stand.connect()
    stand.site.fail(kind, skip=2, times=1, retry_after="7" if kind == "429" else None)
    assert whole(connector) == stand.uris
    (pause,) = connector.pauses
    assert pause == 7 if kind == "429" else pause < 2


def test_a_retry_after_that_is_too_long_is_not_waited_for(stand: Stand) -> None:
    connector = stand.connect()
    stand.site.fail("429", skip=2, retry_after="7200")
    _, listing = listed(connector)
    assert listing is None or not listing.complete
    assert connector.pauses == []


def test_a_server_that_does_not_answer_is_not_waited_for_forever(stand: Stand) -> None:
    connector = stand.connect()
    stand.site.fail("hang", stand.part)
    found, listing = listed(connector)
    assert listing is None or (not listing.complete and set(found) >= stand.first)
    assert len(connector.pauses) == 2


@pytest.mark.parametrize("kind", ["403", "503", "404"])
def test_a_part_that_fails_leaves_the_others_and_makes_the_listing_incomplete(
    stand: Stand, kind: Kind
) -> None:
    stand.site.fail(kind, stand.part)
    found, listing = listed(stand.connect())
    assert set(found) == stand.first
    assert listing is not None
    assert not listing.complete


def test_credentials_that_are_revoked_half_way_never_make_a_source_look_empty(
    stand: Stand, soak: bool
) -> None:
    whole(stand.connect())
    requests = len(stand.site.asked) - 2
    for remaining in range(requests) if soak else (1, requests // 2, requests - 1):
        stand.site.revoke_after = remaining
        stand.site.token = getattr(stand.site, "token", "") and CONFLUENCE["api_token"]
        stand.site.key = getattr(stand.site, "key", "") and NOTION["notion_api_key"]
        stand.site.tokens = {"graph-token-1"}
        connector = stand.connect()
        found, listing = listed(connector)
        assert listing is None or not listing.complete or set(found) == stand.uris
        if listing is not None and not listing.complete:
            with pytest.raises(SourceUnavailable, match="credentials"):
                connector.probe()


def test_the_clock_of_a_service_decides_nothing_about_what_exists(stand: Stand) -> None:
    before, _ = listed(stand.connect())
    really = stand.site.clock
    for years in (-30, 30):
        stand.site.clock = lambda years=years: really() + timedelta(days=365 * years)
        found, listing = listed(stand.connect())
        assert listing is not None
        assert listing.complete
        assert [entry._replace(token=None) for entry in found.values()] == [
            entry._replace(token=None) for entry in before.values()
        ]


def test_an_unchanged_source_costs_no_download_and_few_requests(stand: Stand) -> None:
    connector = stand.connect()
    first, _ = listed(connector)
    stand.site.asked.clear()
    again, _ = listed(connector)
    assert first == again
    assert all(entry.token for entry in again.values())
    assert not [asked for asked in stand.site.asked if "body-format" in asked or "/content" in asked]
    assert not [asked for asked in stand.site.asked if "permission" in asked or "restriction" in asked]


def test_one_document_that_fails_leaves_nothing_behind(stand: Stand, tmp_path: Path) -> None:
    connector = stand.connect()
    uri = sorted(stand.uris)[-1]
    into = tmp_path / "fetched"
    for kind in ("503", "cut", "404", "403", "401"):
        stand.site.heal()
        stand.site.fail(kind, skip=1)
        with pytest.raises((DocumentError, SourceUnavailable), match=r"\.$"):
            connector.fetch(uri, into)
        assert not into.exists()
    stand.site.heal()
    connector.fetch(uri, into)
    assert into.stat().st_size > 0
    assert not list((tmp_path / "cache" / "tail").rglob("*"))


def test_nothing_is_kept_in_the_home_folder(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    connector = stand.connect()
    for uri in whole(connector):
        connector.fetch(uri, None)
    assert list((tmp_path / "home").iterdir()) == []


def test_nobody_else_is_asked(stand: Stand, net: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the makers of the libraries, either: every connection leads to the proxy."""
    import socket

    asked: list[object] = []
    really = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        asked.append(address)
        really(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    connector = stand.connect()
    connector.probe()
    for uri in whole(connector):
        connector.fetch(uri, None)
    port = int(net.url.rpartition(":")[2])
    assert set(asked) == {("127.0.0.1", port)}
    assert net.strangers == []


def test_a_document_that_grew_above_the_limit_is_refused_before_it_is_read(net: Loopback, make: Make) -> None:
    stand = stand_of("sharepoint", net, make)
    connector = stand.connect()
    stand.site.put("page 1.md", b"x" * (MAX_SIZE + 1))
    with pytest.raises(DocumentTooLarge):
        connector.fetch("page 1.md", None)
    assert not [asked for asked in stand.site.asked if "/content" in asked]


def test_the_place_is_known_again_and_another_one_is_not_taken_for_it(stand: Stand) -> None:
    before = stand.connect().probe()
    assert stand.connect().probe() == before
    assert not any(secret in before for secret in (CONFLUENCE["api_token"], NOTION["notion_api_key"]))
    if isinstance(stand.site, GraphSite):
        # Somebody made the library anew, under the same address.
        stand.site.items["01ROOT2"] = stand.site.items.pop("01ROOT")
        stand.site.items["01ROOT2"].id = "01ROOT2"
        stand.site.items["01ROOT"] = stand.site.items["01ROOT2"]
        assert stand.connect().probe() != before


def test_a_document_under_another_name_has_vanished_from_the_old_one(stand: Stand) -> None:
    connector = stand.connect()
    uri = sorted(stand.uris)[0]
    entry = connector.stat(uri)
    assert entry is not None
    site: Site = stand.site
    if isinstance(site, ConfluenceSite):
        site.edit(next(page for page in site.pages.values() if page.id == entry.native_id), title="New")
    elif isinstance(site, GraphSite):
        site.rename(uri, "new.md")
    elif isinstance(site, NotionSite):
        site.edit(site.things[entry.native_id or ""], title="New")
    assert connector.stat(uri) is None
    with pytest.raises(DocumentVanished):
        connector.fetch(uri, None)
    found, _ = listed(connector)
    assert [entry.native_id for entry in found.values()].count(entry.native_id) == 1
