"""A source of another kind, from its server to the index: pages that have versions and no suffixes, and of
which their wiki knows title, owner, dates and address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Capabilities
from index.freshness.properties import by_name
from index.model import State
from index.outcome import RunReport
from index.records import Document
from index.search.knowledge_base import KnowledgeBase
from index.sizes import Sizes
from index.sync.sync import plan_of
from index.verify.compare import verify
from index.workspace import require_collection
from tests.knowledge import Knowledge, counts
from tests.onethread import OneThread
from tests.soak import LONG
from tests.wiki import GuardedWiki, Wiki

LEAVE = "<h2>Duration</h2><p>Parents take sixteen weeks.</p><h2>Pay</h2><p>All of it is paid.</p>"
FRONT = "---\nowner: user:bo\nlast_reviewed: 2026-04-01\n---\n# Travel\n\nTrains come first.\n"


class Site:
    """A knowledge base of one wiki."""

    def __init__(self, kb: Knowledge, wiki: Wiki) -> None:
        self.kb, self.wiki = kb, wiki

    def sync(self, **options: Any) -> dict[str, int]:
        return counts(self.report(**options), "wiki")

    def report(self, **options: Any) -> RunReport:
        self.wiki.reads.clear()
        return self.kb.sync(**options)

    def document(self, uri: str) -> Document:
        return self.kb.documents()[uri]

    def payload(self, uri: str) -> dict[str, Any]:
        """The metadata of a page's first point."""
        found = [point.payload["metadata"] for point in self.kb.points().values()]
        return next(said for said in found if (said["uri"], said["chunk_index"]) == (uri, 0))

    def verified(self) -> bool:
        return self.kb.ask(lambda workspace: verify(workspace, deep=True)).ok


@pytest.fixture
def site(kb: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    info = tmp_path / "site" / "acme_wiki-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-wiki\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[freshkb.connectors]\nwiki = tests.wiki:GuardedWiki\n")
    monkeypatch.syspath_prepend(info.parent)
    wiki = Wiki()
    kb.settings["sources"] = [{"id": "wiki", "type": "wiki", "server": wiki.url}]
    said = {
        "title": "Parental leave",
        "owner": "user:anna",
        "last_reviewed": "2026-05-01",
        "url": "https://wiki.example.org/Parental_leave",
    }
    wiki.put("v1.2/leave", LEAVE, "text/html; charset=utf-8", said)
    wiki.put("v1.2/travel", FRONT, "text/markdown", {"title": "Trips", "owner": "user:anna"})
    wiki.put("v1.2/plain", "Nothing is said of it.", "text/plain", None)
    yield Site(kb, wiki)
    wiki.close()


def test_a_date_that_the_source_gives_ends_the_retention_of_a_page_and_a_newer_one_brings_it_back(
    synced: Site,
) -> None:
    """The version is the same, and while it has expired no page is read."""
    site, wiki = synced, synced.wiki
    site.kb.settings["retention"] = [{"source": "wiki", "after": "30d", "field": "last_reviewed"}]
    assert site.sync() == {"expired": 2, "unchanged": 1, "embedded": 0}
    leave = wiki.pages["v1.2/leave"]
    said = leave.properties or {}
    leave.properties = {**said, "owner": "user:bo"}
    assert site.sync() == {"touched": 1, "unchanged": 2, "embedded": 0} and wiki.reads == []
    assert site.document("v1.2/leave").state is State.EXPIRED
    leave.properties = {**said, "last_reviewed": "2026-06-01"}
    assert site.sync() == {"updated": 1, "unchanged": 2, "embedded": 2}
    assert site.document("v1.2/leave").state is State.INDEXED and site.verified()


@pytest.fixture
def synced(site: Site) -> Site:
    assert site.sync() == {"added": 3, "embedded": 4}
    return site


def test_pages_without_suffixes_are_read_as_what_the_wiki_says_they_are(synced: Site) -> None:
    found = synced.kb.documents()
    assert {uri: document.content_type for uri, document in found.items()} == {
        "v1.2/leave": "text/html",
        "v1.2/plain": "text/plain",
        "v1.2/travel": "text/markdown",
    }
    assert synced.kb.texts()["v1.2/plain"].strip() == "Nothing is said of it."
    assert "<h2>" not in synced.kb.texts()["v1.2/leave"]
    assert synced.sync() == {"unchanged": 3, "embedded": 0}
    assert synced.wiki.reads == []
    assert synced.verified()


def test_a_page_says_more_than_its_wiki_and_the_wiki_more_than_nothing(synced: Site) -> None:
    leave, travel = synced.payload("v1.2/leave"), synced.payload("v1.2/travel")
    assert leave["title"] == "Parental leave"
    assert leave["owner"] == "user:anna"
    assert leave["url"] == "https://wiki.example.org/Parental_leave"
    assert leave["date_used"] == "2026-04-30T10:00:00Z"
    assert (travel["title"], travel["owner"]) == ("Travel", "user:bo")
    assert travel["date_used"] == "2026-03-31T10:00:00Z"
    assert travel["url"] == f"{synced.wiki.url}/wiki/v1.2/travel"
    assert synced.document("v1.2/leave").owner_source == "source property"
    assert synced.document("v1.2/travel").owner_source == "front matter"
    assert synced.document("v1.2/plain").owner_source == "default"
    with synced.kb.workspace() as workspace:
        found = KnowledgeBase(workspace)
        shown = found.document("v1.2/leave") or {}
        assert "by last_reviewed of its source" in shown["verdict_reason"]
        assert shown["date_field"] == "last_reviewed"
        # The title is searched for, although it stands nowhere in the page.
        assert found.search("parental", mode="sparse")[0].uri == "v1.2/leave"


def test_a_new_version_is_read_and_its_unchanged_chunks_are_not_embedded(synced: Site) -> None:
    synced.wiki.put("v1.2/leave", LEAVE.replace("sixteen", "twenty"))
    assert synced.sync() == {"updated": 1, "unchanged": 2, "embedded": 1}
    assert synced.wiki.reads == ["v1.2/leave"]
    assert "twenty" in synced.kb.texts()["v1.2/leave"]
    assert synced.verified()


def test_other_properties_of_the_same_version_are_a_touch_and_nothing_is_read(synced: Site) -> None:
    before = synced.document("v1.2/leave")
    for uri in ("v1.2/leave", "v1.2/travel"):
        page = synced.wiki.pages[uri]
        page.properties = {**(page.properties or {}), "owner": "user:eve", "last_reviewed": "2026-05-20"}
    planned = synced.kb.ask(lambda workspace: plan_of(workspace, "wiki"))
    assert {(item.action, item.reason) for item in planned.items} == {("touch", "properties")}
    assert not synced.verified()
    assert synced.sync()["embedded"] == 0
    assert synced.wiki.reads == []
    leave, travel = synced.payload("v1.2/leave"), synced.payload("v1.2/travel")
    assert (leave["owner"], leave["owners"]) == ("user:eve", ["user:eve"])
    assert leave["date_used"] == "2026-05-19T10:00:00Z"
    assert (travel["owner"], travel["date_used"]) == ("user:bo", "2026-03-31T10:00:00Z")
    after = synced.document("v1.2/leave")
    assert (after.version, after.indexed_at) == (before.version, before.indexed_at)
    assert synced.sync() == {"unchanged": 3, "embedded": 0}
    assert synced.verified()
    # A property that the source no longer gives is gone, too.
    synced.wiki.pages["v1.2/leave"].properties = {"title": "Parental leave"}
    assert synced.sync() == {"touched": 1, "unchanged": 2, "embedded": 0}
    assert synced.payload("v1.2/leave")["owner"] == ""
    assert synced.payload("v1.2/leave")["date_used"] is None
    assert synced.payload("v1.2/leave")["url"] == f"{synced.wiki.url}/wiki/v1.2/leave"
    assert synced.verified()


def test_another_title_of_a_page_that_has_none_is_another_text(synced: Site) -> None:
    for uri in ("v1.2/leave", "v1.2/travel"):
        page = synced.wiki.pages[uri]
        page.properties = {**(page.properties or {}), "title": "Family time"}
    assert synced.sync()["embedded"] == 2
    assert synced.payload("v1.2/leave")["title"] == "Family time"
    assert synced.payload("v1.2/travel")["title"] == "Travel"
    assert synced.wiki.reads == ["v1.2/leave"]
    assert synced.verified()
    synced.wiki.pages["v1.2/plain"].properties = {"title": "Of nothing"}
    assert synced.sync() == {"updated": 1, "unchanged": 2, "embedded": 1}
    synced.wiki.pages["v1.2/plain"].properties = None
    assert synced.sync()["embedded"] == 1
    assert synced.payload("v1.2/plain")["title"] == ""
    assert synced.verified()


def test_a_renamed_page_keeps_its_identity_and_a_removed_one_goes(synced: Site) -> None:
    before = synced.document("v1.2/travel")
    synced.wiki.rename("v1.2/travel", "v2.0/trips.and.travel")
    assert synced.sync() == {"moved": 1, "unchanged": 2, "embedded": 0}
    moved = synced.document("v2.0/trips.and.travel")
    assert moved.document_id == before.document_id
    assert synced.payload(moved.uri)["url"] == f"{synced.wiki.url}/wiki/v2.0/trips.and.travel"
    synced.wiki.remove("v1.2/leave")
    assert synced.sync() == {"deleted": 1, "unchanged": 2, "embedded": 0}
    assert set(synced.kb.texts()) == {"v1.2/plain", "v2.0/trips.and.travel"}
    assert synced.verified()


def test_a_page_that_cannot_be_read_is_put_aside_with_what_is_said_of_it(synced: Site) -> None:
    wiki = synced.wiki
    wiki.put("v1.2/book", b"%PDF-1.7 broken", "application/pdf", {"owner": "user:anna"})
    wiki.put("v1.2/secret", "Text.", "text/plain")
    wiki.put("v1.2/film.md", b"\0", "video/mp4")
    wiki.forbidden.add("v1.2/secret")
    assert synced.sync() == {"quarantined": 2, "skipped": 1, "unchanged": 3, "embedded": 0}
    found = synced.kb.documents()
    assert found["v1.2/film.md"].state is State.SKIPPED
    assert found["v1.2/film.md"].reason == "Documents of type video/mp4 cannot be parsed."
    assert found["v1.2/book"].state is found["v1.2/secret"].state is State.QUARANTINED
    reads = list(wiki.reads)
    assert sorted(reads) == ["v1.2/book"]
    # It is not read again while neither it nor its parser changes, whatever is said of it.
    wiki.pages["v1.2/book"].properties = {"owner": "user:eve"}
    synced.sync()
    assert wiki.reads == []
    audited = synced.kb.ask(lambda m: KnowledgeBase(m).document("v1.2/book")) or {}
    assert audited["state"] == "quarantined"
    wiki.pages["v1.2/film.md"].format = "text/markdown"
    wiki.put("v1.2/film.md", "# Film\n\nIt is a page now.")
    wiki.pages["v1.2/book"].format = "text/plain"
    wiki.put("v1.2/book", "It is a text now.")
    wiki.forbidden.clear()
    assert synced.sync()["embedded"] == 3
    assert {d.state for d in synced.kb.documents().values()} == {State.INDEXED}
    assert synced.verified()


@pytest.mark.parametrize(
    "token", ["version", *(pytest.param(token, marks=LONG) for token in ("etag", "content"))]
)
def test_a_page_without_a_token_is_told_by_its_hash_whatever_tokens_are_made_of(
    site: Site, monkeypatch: pytest.MonkeyPatch, token: Any
) -> None:
    monkeypatch.setattr(GuardedWiki, "capabilities", Capabilities(token=token))
    assert site.sync() == {"added": 3, "embedded": 4}
    pages = site.wiki.pages

    def versions(version: int | None) -> None:
        for page in pages.values():
            page.version = version

    # It has lost its history: every page is hashed, at every sync, and none is changed.
    versions(None)
    for _ in range(2):
        assert site.sync() == {"unchanged": 3, "embedded": 0}
        assert sorted(site.wiki.reads) == sorted(pages)
    assert site.verified()
    pages["v1.2/leave"].properties = {**(pages["v1.2/leave"].properties or {}), "owner": "user:eve"}
    assert site.sync() == {"touched": 1, "unchanged": 2, "embedded": 0}
    assert site.payload("v1.2/leave")["owner"] == "user:eve"
    pages["v1.2/plain"].body = b"Something is said of it."
    assert site.sync() == {"updated": 1, "unchanged": 2, "embedded": 1}
    # It has one again, and is trusted after one look. The third has kept the token that it had before.
    versions(7)
    assert site.sync() == {"updated": 1, "unchanged": 2, "embedded": 0}
    assert site.sync() == {"unchanged": 3, "embedded": 0}
    assert site.wiki.reads == []
    # A text that changed behind its version: only a look that distrusts tokens finds it.
    pages["v1.2/plain"].body = b"Something else is said of it."
    assert site.sync() == {"unchanged": 3, "embedded": 0}
    pages["v1.2/leave"].properties = {"title": "Parental leave"}
    assert site.sync(checksum=True) == {"touched": 1, "updated": 1, "unchanged": 1, "embedded": 1}
    assert site.verified()


def test_one_thread_at_a_time_uses_a_connector_also_where_the_store_is_damaged(
    synced: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.kb.sizes = Sizes(batch_documents=1)
    with (
        synced.kb.workspace() as workspace,
        workspace.store.session(require_collection(workspace).name) as session,
    ):
        points = list(session.scroll(vectors=True))
        session.upsert([replace(p, payload={**p.payload, "page_content": "Damaged."}) for p in points])
    for page in synced.wiki.pages.values():
        page.properties = {**(page.properties or {}), "owner": "user:eve"}
    monkeypatch.setattr(OneThread, "linger_seconds", 0.3)
    assert synced.sync()["embedded"] == 0
    assert synced.verified()


def test_rules_of_the_configuration_come_between_the_page_and_its_wiki(synced: Site) -> None:
    (source,) = synced.kb.settings["sources"]
    source["owner"] = "group:all"
    source["rules"] = [{"match": "v1.2/*", "owner": "user:ruler"}]
    assert synced.sync() == {"touched": 2, "unchanged": 1, "embedded": 0}
    found = {uri: (d.owner, d.owner_source) for uri, d in synced.kb.documents().items()}
    assert found == {
        "v1.2/leave": ("user:ruler", "rule"),
        "v1.2/plain": ("user:ruler", "rule"),
        "v1.2/travel": ("user:bo", "front matter"),
    }
    del source["rules"]
    synced.sync()
    found = {uri: (d.owner, d.owner_source) for uri, d in synced.kb.documents().items()}
    assert found["v1.2/leave"] == ("user:anna", "source property")
    assert found["v1.2/plain"] == ("group:all", "source")
    assert synced.verified()


def test_another_place_is_another_source_and_not_another_filter(synced: Site) -> None:
    other = Wiki(name="other")
    try:
        other.put("v1.2/leave", LEAVE, "text/html")
        synced.kb.settings["sources"][0]["server"] = other.url
        (report,) = synced.report().sources
        assert "is another place than it was" in (report.error or "")
        assert "2 of 3 documents are not in it" in (report.error or "")
        assert "filters" not in (report.error or "")
        assert len(synced.kb.documents()) == 3
        assert synced.sync(approve=report.plan_hash)["deleted"] == 2
        assert synced.verified()
    finally:
        other.close()


def test_a_row_of_before_has_the_sources_properties_told_apart_and_embeds_nothing(synced: Site) -> None:
    """Such rows have all properties in one, and the source's own token alone."""
    with synced.kb.workspace() as workspace:
        rows = [
            _before(document)
            for document in workspace.ledger.documents.find(source="wiki")
            if document.uri != "v1.2/plain"
        ]
        workspace.ledger.documents.put(rows, [])
    assert synced.sync()["embedded"] == 0
    assert synced.document("v1.2/leave").properties.keys() == {"SOURCE"}
    assert synced.document("v1.2/travel").properties["owner"] == "user:bo"
    assert synced.sync() == {"unchanged": 3, "embedded": 0}
    assert synced.verified()


def _before(document: Document) -> Document:
    assert document.token is not None
    flat = {name: value for name, value in by_name(document.properties).items() if name != "title"}
    return replace(document, token=document.token.partition(" ")[0], properties=flat)
