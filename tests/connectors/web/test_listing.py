"""Listings of a site: what is found, what is left out, and what it takes for a page to be gone."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from connectors.base import DocumentError, DocumentForbidden, DocumentVanished, SourceUnavailable
from connectors.web.connector import WebConnector
from tests.connectors.web.conftest import Make
from tests.connectors.web.website import WORDS, Answer, Website, uris

LOGIN = Answer(
    b"<html><body><main><h1>Sign in</h1><form><input type=password></form></main></body></html>",
    200,
    {"Content-Type": "text/html"},
)


def _soft(_: object) -> Answer:
    return Answer(b"<h1>Oh no</h1><p>There is no such page.</p>", 200, {"Content-Type": "text/html"})


@pytest.fixture
def chain(site: Website) -> Website:
    """/ → a → b → c, and a PDF."""
    site.page("/", links=("/a",))
    site.page("/a", links=("/b", "/file.pdf"))
    site.page("/b", links=("/c", "/"))
    site.page("/c", WORDS + " See.")
    site.file("/file.pdf", b"%PDF-1.7 words")
    return site


def test_pages_and_files_are_found_by_links(chain: Website, make: Make) -> None:
    connector = make()
    entries = {entry.uri.partition("/")[2]: entry for entry in connector.list()}
    assert sorted(entries) == ["", "a", "b", "c", "file.pdf"]
    assert entries["a"].format == "text/html; charset=utf-8"
    assert entries["a"].properties == {"title": "Page /a"}
    assert entries["file.pdf"].format == "application/pdf" and entries["file.pdf"].size == 14
    assert entries["file.pdf"].properties is None
    assert connector.url(entries["a"].uri) == f"{chain.url}/a"


def test_an_unchanged_site_costs_a_question_a_page_and_no_download(chain: Website, make: Make) -> None:
    first = list(make().list())
    chain.asked.clear()
    assert list(make().list()) == first
    assert chain.bodies() == []
    assert sorted(path for path, _ in chain.asked).count("/b") == 1
    assert len(chain.asked) == 1 + 5


def test_a_lost_memory_costs_downloads_and_no_token(chain: Website, make: Make, tmp_path: Path) -> None:
    first = list(make().list())
    shutil.rmtree(tmp_path / "cache")
    assert list(make().list()) == first
    (tmp_path / "cache" / "site" / "pages.db").write_bytes(b"no database" * 1_000)
    assert list(make().list()) == first


def test_a_page_that_was_downloaded_for_its_links_is_not_asked_for_again(
    chain: Website, make: Make, tmp_path: Path
) -> None:
    connector = make()
    entries = {entry.uri.partition("/")[2]: entry for entry in connector.list()}
    chain.asked.clear()
    fetched = connector.fetch(f"{chain.host}/a", tmp_path / "a.html")
    assert chain.asked == []
    assert fetched.entry == entries["a"] and WORDS in (tmp_path / "a.html").read_text()
    # Once: the bytes are gone, and so they are from the cache.
    again = connector.fetch(f"{chain.host}/a", None)
    assert (again.entry, again.content_hash) == (fetched.entry, fetched.content_hash)
    assert [path for path, _ in chain.asked] == ["/a"]
    other = make()
    assert other.fetch(f"{chain.host}/b", None).entry == entries["b"]


def test_a_changed_menu_is_no_new_version(chain: Website, make: Make) -> None:
    first = list(make().list())
    chain.menu = "<a href='/new'>New</a>"
    chain.asked.clear()
    assert list(make().list()) == first
    assert len(chain.bodies()) >= 4


def test_depth_counts_links_from_a_start_page(chain: Website, make: Make) -> None:
    assert uris(make(depth=0)) == [""]
    assert uris(make(depth=2, cache=False)) == ["", "a", "b", "file.pdf"]


def test_a_page_that_no_link_leads_to_any_more_stays_while_it_answers(chain: Website, make: Make) -> None:
    before = uris(make())
    chain.page("/b", WORDS)
    assert uris(make()) == before


def test_a_page_beyond_the_depth_by_now_stays(chain: Website, make: Make) -> None:
    before = uris(make(depth=3))
    assert uris(make(depth=1)) == before


def test_the_limit_of_pages_is_said_and_removes_nothing(chain: Website, make: Make) -> None:
    listing = make(pages=3).list()
    assert len(list(listing)) == 3 and listing.complete
    (left,) = listing.unlisted
    assert left.code == "too-many-pages" and "the limit of `pages`" in left.reason
    everything = uris(make())
    listing = make(pages=1).list()
    assert [entry.uri.partition("/")[2] for entry in listing] == everything and not listing.unlisted


def test_a_calendar_without_end_ends_at_the_limits(site: Website, make: Make) -> None:
    def month(headers: object) -> Answer:
        number = len(site.asked)
        body = f"<main><p>{WORDS} {number}</p></main><a href='/?month={number}'>next</a>"
        return Answer(body.encode(), 200, {"Content-Type": "text/html"})

    site.otherwise = month
    site.status("/robots.txt", 404)
    assert len(uris(make(pages=30, depth=100))) == 30
    assert len(uris(make(depth=5, cache=False))) == 6


def test_patterns_go_by_uri_and_pages_outside_of_include_lead_further(chain: Website, make: Make) -> None:
    assert uris(make(include=["**/*.pdf"])) == ["file.pdf"]
    assert uris(make(exclude=["**/b"], cache=False)) == ["", "a", "file.pdf"]
    assert uris(make(include=[f"{chain.host}/a"], cache=False)) == ["a"]


# ── Sitemaps ──────────────────────────────────────────────────────────────────────────────────────────


def test_sitemaps_indexes_texts_and_compressed_ones_are_read(chain: Website, make: Make) -> None:
    chain.sitemap("/sitemap.xml", "/one.xml", "/two.xml.gz", "/three.txt", "/sitemap.xml", kind="sitemap")
    chain.sitemap("/one.xml", "/a")
    chain.sitemap("/two", "/b", "/gone")
    two = chain.answers["/two"]
    assert isinstance(two, Answer)
    chain.answers["/two.xml.gz"] = Answer(gzip.compress(two.body), 200, {"Content-Type": "application/gzip"})
    text = f"{chain.url}/c\nhttps://other.example/x\n"
    chain.answers["/three.txt"] = Answer(text.encode(), 200, {"Content-Type": "text/plain"})
    maps = {"start": [], "sitemaps": [f"{chain.url}/sitemap.xml"]}
    # Pages of a sitemap do not lead further.
    assert uris(make(**maps)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 404),
        Answer(b"", 500),
        Answer(b"<urlset><url><loc>http://x/", 200),
        Answer(b"<html><body>Sign in</body></html>", 200),
        Answer(b"Please sign in", 200),
        Answer(b"<urlset></urlset>", 200, cut=9),
        Answer(b"\x1f\x8bbroken", 200),
        Answer(b"", 301, {"Location": "https://other.example/sitemap.xml"}),
    ],
    ids=["404", "500", "cut", "html", "text", "short", "gzip", "away"],
)
def test_a_sitemap_that_cannot_be_read_makes_the_listing_incomplete(
    chain: Website, make: Make, answer: Answer
) -> None:
    chain.sitemap("/index.xml", "/one.xml", "/two.xml", kind="sitemap")
    chain.sitemap("/one.xml", "/a")
    chain.answers["/two.xml"] = answer
    listing = make(start=[], sitemaps=[f"{chain.url}/index.xml"]).list()
    assert f"{chain.host}/a" in [entry.uri for entry in listing]
    assert not listing.complete
    (error,) = listing.errors
    assert error.startswith(f"The sitemap {chain.url}/two.xml cannot be read: ") and error.endswith(".")


def test_entities_of_a_sitemap_are_not_followed(chain: Website, make: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("/a")
    body = (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
        f"<urlset><url><loc>{chain.url}&e;</loc></url></urlset>"
    )
    chain.answers["/s.xml"] = Answer(body.encode())
    listing = make(start=[], sitemaps=[f"{chain.url}/s.xml"]).list()
    assert f"{chain.host}/a" not in [entry.uri for entry in listing]


# ── robots.txt ────────────────────────────────────────────────────────────────────────────────────────


def _robots(site: Website, text: str) -> None:
    site.answers["/robots.txt"] = Answer(text.encode(), 200, {"Content-Type": "text/plain"})


def test_robots_rules_are_kept_with_a_mark_at_their_head(chain: Website, make: Make) -> None:
    _robots(chain, "\ufeffUser-agent: *\nDisallow: /b\nCrawl-delay: 7\n")
    connector = make()
    assert uris(connector) == ["", "a", "file.pdf"]
    assert "/b" not in [path for path, _ in chain.asked]
    assert connector.client.delays == {chain.host: 7}
    with pytest.raises(DocumentForbidden, match=r"robots\.txt .* does not let"):
        connector.stat(f"{chain.host}/b")


def test_rules_for_this_crawler_come_before_those_for_all(chain: Website, make: Make) -> None:
    _robots(chain, "User-agent: *\nDisallow: /\n\nUser-agent: freshkb\nDisallow: /c\n")
    assert uris(make()) == ["", "a", "b", "file.pdf"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_without_robots_rules_nothing_may_be_asked_for_now(chain: Website, make: Make, status: int) -> None:
    before = uris(make())
    chain.status("/robots.txt", status)
    chain.asked.clear()
    listing = make().list()
    assert [entry.uri.partition("/")[2] for entry in listing] == before
    assert not listing.complete and "robots.txt" in listing.errors[0]
    assert {path for path, _ in chain.asked} == {"/robots.txt"}


def test_a_page_that_robots_rules_close_later_stays(chain: Website, make: Make) -> None:
    before = uris(make())
    _robots(chain, "User-agent: *\nDisallow: /b\n")
    assert uris(make()) == before


# ── Gone, and not gone ────────────────────────────────────────────────────────────────────────────────


def test_a_page_that_answers_410_is_gone_at_once(chain: Website, make: Make) -> None:
    uris(make())
    chain.status("/c", 410)
    connector = make()
    assert uris(connector) == ["", "a", "b", "file.pdf"]
    assert connector.stat(f"{chain.host}/c") is None
    with pytest.raises(DocumentVanished):
        connector.fetch(f"{chain.host}/c", None)


def test_a_page_that_answers_404_is_gone_when_two_listings_find_it_so(chain: Website, make: Make) -> None:
    before = uris(make())
    chain.status("/c", 404)
    assert uris(make()) == before
    with pytest.raises(DocumentVanished, match=r"stays until another listing finds it so, too\.$"):
        make().stat(f"{chain.host}/c")
    # Asking is no listing.
    with pytest.raises(DocumentVanished):
        make().stat(f"{chain.host}/c")
    second = make()
    assert uris(second) == ["", "a", "b", "file.pdf"]
    assert second.stat(f"{chain.host}/c") is None


def test_a_page_that_answers_again_between_two_is_not_gone(chain: Website, make: Make) -> None:
    page = chain.answers["/c"]
    before = uris(make())
    for _ in range(3):
        chain.status("/c", 404)
        assert uris(make()) == before
        chain.answers["/c"] = page
        assert uris(make()) == before


def test_without_a_memory_the_first_404_confirms_no_removal(
    chain: Website, make: Make, tmp_path: Path
) -> None:
    uris(make())
    chain.status("/c", 404)
    shutil.rmtree(tmp_path / "cache")
    connector = make()
    assert uris(connector) == ["", "a", "b", "file.pdf"]
    with pytest.raises(DocumentError, match="stays until another listing"):
        connector.stat(f"{chain.host}/c")
    again = make()
    assert uris(again) == ["", "a", "b", "file.pdf"]
    assert again.stat(f"{chain.host}/c") is None


def test_without_a_memory_an_unlinked_page_is_confirmed_and_then_listed_again(
    chain: Website, make: Make, tmp_path: Path
) -> None:
    before = uris(make())
    chain.page("/b", WORDS)
    shutil.rmtree(tmp_path / "cache")
    connector = make()
    assert "c" not in uris(connector)
    assert connector.stat(f"{chain.host}/c") is not None
    assert uris(connector) == before


@pytest.mark.parametrize("status", [500, 503, 403, 401, 400, 451, 418])
def test_errors_of_a_page_remove_nothing_in_any_number_of_listings(
    chain: Website, make: Make, status: int
) -> None:
    uris(make())
    chain.status("/c", status)
    for _ in range(3):
        listing = make().list()
        assert f"{chain.host}/c" in [entry.uri for entry in listing]
        assert listing.complete == (status in (403, 400, 451, 418))
        with pytest.raises(DocumentError):
            make().stat(f"{chain.host}/c")


def test_a_friendly_answer_to_everything_is_no_page_and_no_evidence(chain: Website, make: Make) -> None:
    before = list(make().list())
    chain.otherwise = chain.answers["/c"] = _soft
    chain.page("/b", links=("/c", "/never"))
    for _ in range(3):
        connector = make()
        assert [e.uri for e in connector.list()] == [e.uri for e in before]
        assert connector.list().errors == []
        with pytest.raises(DocumentError, match="as the host answers for pages that do not exist"):
            connector.stat(f"{chain.host}/c")
        with pytest.raises(DocumentError, match="do not exist"):
            connector.fetch(f"{chain.host}/c", None)


def test_a_log_in_page_is_no_page_and_makes_the_listing_incomplete(chain: Website, make: Make) -> None:
    before = list(make().list())
    for path in ("/b", "/c"):
        chain.answers[path] = LOGIN
    for _ in range(3):
        listing = make().list()
        assert list(listing) == before
        assert any("log-in page; give `headers`" in error for error in listing.errors)
    with pytest.raises(DocumentError, match="log-in page"):
        make().stat(f"{chain.host}/c")


def test_a_redirect_of_everything_to_one_page_removes_nothing(site: Website, make: Make) -> None:
    paths = [f"/p{number}" for number in range(8)]
    site.page("/", links=tuple(paths))
    for path in paths:
        site.page(path, f"{WORDS} {path}")
    before = uris(make())
    for path in paths:
        site.status(path, 301, Location="/login")
    site.answers["/login"] = LOGIN
    for _ in range(3):
        assert uris(make()) == before
    site.page("/login", "Welcome to our new site, where nothing is as it was before.")
    for _ in range(3):
        assert uris(make()) == sorted([*before, "login"])


# ── Redirects and canonical addresses ─────────────────────────────────────────────────────────────────


def test_a_page_is_where_its_redirect_ends(site: Website, make: Make) -> None:
    site.page("/", links=("/old", "/docs", "/loop", "/self", "/away"))
    site.status("/old", 301, Location="/older")
    site.status("/older", 302, Location="/new?utm_source=x")
    site.page("/new")
    site.status("/docs", 301, Location="/docs/")
    site.page("/docs/", WORDS + " Docs.")
    site.status("/loop", 302, Location="/pool")
    site.status("/pool", 302, Location="/loop")
    site.status("/away", 302, Location="http://169.254.169.254/latest/meta-data/")
    site.status("/self", 302, Location="/self")
    listing = make().list()
    assert [entry.uri.partition("/")[2] for entry in listing] == ["", "docs/", "new"]
    assert [error for error in listing.errors if "redirects to itself" not in error] == []


def test_a_page_that_moved_with_its_text_is_renamed_at_once(chain: Website, make: Make) -> None:
    uris(make())
    chain.answers["/d"] = chain.answers["/c"]
    chain.status("/c", 308, Location="/d")
    connector = make()
    assert uris(connector) == ["", "a", "b", "d", "file.pdf"]
    assert connector.stat(f"{chain.host}/c") is None


def test_a_page_that_moved_and_changed_is_gone_after_two_listings(chain: Website, make: Make) -> None:
    uris(make())
    chain.page("/d", "Other words than there were, and more of them.")
    chain.status("/c", 301, Location="/d")
    assert uris(make()) == ["", "a", "b", "c", "d", "file.pdf"]
    connector = make()
    assert uris(connector) == ["", "a", "b", "d", "file.pdf"]
    assert connector.stat(f"{chain.host}/c") is None


def test_a_temporary_redirect_removes_nothing(chain: Website, make: Make) -> None:
    before = uris(make())
    chain.page("/d", "Other words than there were, and more of them.")
    chain.status("/c", 302, Location="/d")
    for _ in range(3):
        assert uris(make()) == sorted([*before, "d"])


def test_a_copy_is_the_page_that_it_says_it_is(site: Website, make: Make) -> None:
    canonical = "<link rel=canonical href=/a>"
    site.page("/", links=("/a", "/a?print=1", "/x"))
    site.page("/a", head=canonical)
    site.page("/a?print=1", head=canonical)
    # Each says that it is the other, and neither is.
    site.page("/x", links=("/y",), head="<link rel=canonical href=/y>")
    site.page("/y", head="<link rel=canonical href=/x>")
    # Its original is not there.
    site.page("/z", head="<link rel=canonical href=/missing>")
    site.page("/y", links=("/z",), head="<link rel=canonical href=/x>")
    for _ in range(2):
        assert uris(make()) == ["", "a", "x", "y", "z"]


def test_pages_that_all_say_they_are_the_first_one_are_not_believed(site: Website, make: Make) -> None:
    paths = [f"/p{number}" for number in range(8)]
    site.page("/", links=tuple(paths))
    for path in paths:
        site.page(path, f"{WORDS} {path}", head="<link rel=canonical href=/>")
    assert uris(make()) == ["", *(path[1:] for path in paths)]


def test_a_page_that_wants_to_be_in_no_index_is_none_and_leads_further(site: Website, make: Make) -> None:
    site.page("/", links=("/tag", "/b"))
    site.page("/tag", links=("/c",), head="<meta name=robots content=noindex>")
    site.page("/b", links=("/d",), head="<meta name=robots content=nofollow>")
    for path in ("/c", "/d"):
        site.page(path)
    assert uris(make()) == ["", "b", "c"]
    site.asked.clear()
    assert uris(make()) == ["", "b", "c"]
    assert site.bodies() == []
    site.page("/c", head="<meta name=robots content=noindex>")
    assert uris(make()) == ["", "b", "c"]
    connector = make()
    assert uris(connector) == ["", "b"]
    assert connector.stat(f"{site.host}/c") is None


# ── The source as a whole ─────────────────────────────────────────────────────────────────────────────


def test_the_place_is_its_hosts_and_not_its_pages(site: Website, make: Make) -> None:
    site.page("/")
    assert make().probe() == make(start=[f"{site.url}/other"], depth=1, rate=2.0).probe() == site.url
    other = make(start=[f"{site.url}/", "http://localhost:1/"], allow=["127.0.0.1", "localhost"])
    assert other.probe() != site.url


@pytest.mark.parametrize("status", [404, 410, 403, 401, 500])
def test_a_start_page_that_is_not_there_makes_the_listing_incomplete(
    site: Website, make: Make, status: int
) -> None:
    site.status("/", status)
    listing = make().list()
    assert list(listing) in ([], [next(iter(make().list()), None)])
    assert not listing.complete and all(error.endswith(".") for error in listing.errors)


def test_a_start_page_on_another_host_is_named(site: Website, make: Make) -> None:
    site.status("/", 301, Location="https://www.example.org/")
    listing = make().list()
    assert list(listing) == [] and "none of this source's" in listing.errors[0]


def test_one_host_that_is_away_does_not_hide_the_other(site: Website, make: Make) -> None:
    site.page("/")
    connector = make(start=[f"{site.url}/", "http://localhost:1/x"], allow=["127.0.0.1", "localhost"])
    listing = connector.list()
    assert [entry.uri for entry in listing] == [f"{site.host}/"]
    assert not listing.complete and "'localhost:1' was left alone" in listing.errors[0]


def test_a_host_that_fails_again_and_again_is_left_alone(site: Website, make: Make) -> None:
    site.page("/", links=tuple(f"/p{number}" for number in range(20)))
    site.otherwise = Answer(b"", 500)
    site.status("/robots.txt", 404)
    listing = make().list()
    assert len(list(listing)) == 1 and not listing.complete
    assert "was left alone: 5 of its pages" in listing.errors[-1]
    assert len({path for path, _ in site.asked}) == 7


def test_credentials_that_end_half_way_make_the_listing_incomplete(chain: Website, make: Make) -> None:
    before = list(make().list())
    for path in ("/b", "/c", "/file.pdf"):
        chain.status(path, 401)
    listing = make(headers={"Authorization": "Bearer s3cret-word-1"}).list()
    assert list(listing) == before
    assert not listing.complete and "give `headers`" in listing.errors[0]
    assert "s3cret" not in "".join(listing.errors)


def test_a_host_without_permission_is_an_error_that_names_the_key(site: Website, make: Make) -> None:
    with pytest.raises(SourceUnavailable, match=r"loopback.*allow: \[127\.0\.0\.1\]\.$"):
        make(allow=[]).list()


def test_a_file_that_is_a_web_page_is_not_taken_for_one(site: Website, make: Make) -> None:
    site.page("/", links=("/a.pdf", "/b"))
    site.file("/a.pdf", b"<!DOCTYPE html><html>Please sign in</html>")
    site.answers["/b"] = Answer(b"%PDF-1.7 words", 200, {"Content-Type": "text/html"})
    connector = make()
    formats = {entry.uri.partition("/")[2]: entry.format for entry in connector.list()}
    assert formats["b"] == "application/pdf"
    assert connector.fetch(f"{site.host}/b", None).entry.size == 14
    with pytest.raises(DocumentError, match="answers with a web page where it says application/pdf"):
        connector.fetch(f"{site.host}/a.pdf", None)


def test_a_file_without_validators_has_no_token_and_one_of_a_moment_ago_neither(
    site: Website, make: Make
) -> None:
    plain = {"Content-Type": "text/plain"}
    old = {"Date": "Fri, 01 May 2026 10:00:00 GMT", "Last-Modified": "Fri, 01 May 2026 09:00:00 GMT"}
    new = old | {"Last-Modified": "Fri, 01 May 2026 09:59:58 GMT"}
    site.page("/", links=("/none.txt", "/old.txt", "/new.txt"))
    for name, headers in (("none", {}), ("old", old), ("new", new)):
        site.answers[f"/{name}.txt"] = Answer(b"x", 200, plain | headers)
    tokens = {entry.uri.partition("/")[2]: entry.token for entry in make().list()}
    assert tokens["none.txt"] is None and tokens["new.txt"] is None
    assert tokens["old.txt"] == "modified 2026-05-01T09:00:00+00:00 1"


def test_dates_of_a_page_are_its_own_word_before_its_servers(site: Website, make: Make) -> None:
    server = "Fri, 01 May 2026 09:00:00 GMT"
    site.page("/", links=("/own", "/future"), modified=server)
    site.page("/own", head='<meta property="article:modified_time" content="2026-03-01">', modified=server)
    site.page("/future", head='<meta property="article:modified_time" content="2999-03-01">', modified=server)
    found = {e.uri.partition("/")[2]: e for e in make().list()}
    assert found[""].modified_at == found["future"].modified_at == 1_777_626_000_000_000_000
    assert found["own"].modified_at == 1_772_323_200_000_000_000
    assert found["own"].properties == {"title": "Page /own", "modified": "2026-03-01"}


def test_a_date_that_nobody_can_keep_is_none(site: Website, make: Make) -> None:
    site.page("/", links=("/file.pdf",))
    site.file("/file.pdf", b"%PDF-1.7 words", **{"Last-Modified": "Fri, 31 Dec 9999 23:59:59 GMT"})
    listing = make().list()
    assert [entry.modified_at for entry in listing][-1] is None
    assert listing.errors == []


def test_a_text_that_lost_half_of_itself_is_told_with_the_version(site: Website, make: Make) -> None:
    site.page("/", " ".join([WORDS] * 20))
    first: WebConnector = make()
    uris(first)
    assert first.fetch(f"{site.host}/", None).notices == ()
    site.page("/", " ".join([WORDS] * 5))
    connector = make()
    uris(connector)
    for _ in range(2):
        (notice,) = connector.fetch(f"{site.host}/", None).notices
        assert notice.code == "shrunk" and "has shrunk from 1,7" in notice.reason
    site.page("/", " ".join([WORDS] * 6))
    assert make().fetch(f"{site.host}/", None).notices == ()
