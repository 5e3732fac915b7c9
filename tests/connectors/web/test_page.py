"""A page: its main text, and what it says of itself."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from connectors.web.page import Page, decoded, read
from connectors.web.site import Site

SITE = Site(["https://www.example.org/"])
URL = "https://www.example.org/docs/leave"

LEAVE = """
<h1>Parental leave</h1>
<p>Parents take sixteen weeks of leave after the birth of a child, and all of it is paid by the firm.</p>
<h2>Duration</h2>
<ul><li>Mothers: sixteen weeks</li><li>Fathers: <b>twelve</b> weeks<ol><li>at once</li></ol></li></ul>
<h2>Pay</h2>
<table><caption>Pay by month</caption><tr><th>Month</th><th>Pay</th></tr>
<tr><td>1</td><td>100 %</td></tr></table>
<aside class="note">Ask the desk <em>before</em> the birth.</aside>
<pre><code>def weeks():
    return 16
</code></pre>
<details><summary>Twins</summary><p>Four weeks more.</p></details>
"""


def page(main: str, *, head: str = "", menu: str = "<a href='/a'>Home</a>", outer: str = "main") -> Page:
    body = (
        f"<html lang='en-GB'><head><title>Leave · Acme</title>{head}</head><body>"
        f"<header>Acme, the best {menu}</header><nav>{menu}</nav>"
        f"<{outer}>{main}</{outer}><div role='contentinfo'>{menu}</div>"
        f"<footer>Imprint {menu}</footer></body></html>"
    )
    return read(body.encode(), "text/html; charset=utf-8", URL, SITE)


def test_the_main_text_keeps_headings_lists_tables_and_code_and_nothing_around_it() -> None:
    found = page(LEAVE)
    html = found.clean.decode()
    for kept in (
        '<html lang="en-GB">',
        "<title>Leave · Acme</title>",
        "<h1>Parental leave</h1>",
        "<h2>Duration</h2>",
        "<li>Mothers: sixteen weeks</li>",
        "<th>Month</th>",
        "<td>100 %</td>",
        "<pre>def weeks():\n    return 16\n</pre>",
        "Four weeks more.",
        "at once",
    ):
        assert kept in html, html
    for lost in ("the best", "Home", "Imprint"):
        assert lost not in html


def test_a_changed_menu_changes_no_byte_of_the_text() -> None:
    other = "<a href='/a'>Home</a> <a href='/news'>News of " + "very " * 50 + "long names</a>"
    assert page(LEAVE).clean == page(LEAVE, menu=other).clean
    assert page(LEAVE, outer="div").clean == page(LEAVE, outer="div", menu=other).clean
    assert page(LEAVE).clean != page(LEAVE.replace("sixteen", "twenty")).clean


def test_a_reference_of_links_and_short_cells_is_kept_whole_when_the_page_calls_it_its_main_part() -> None:
    rows = "".join(f"<tr><td><a href='/f{n}'>f{n}()</a></td><td>{n}</td></tr>" for n in range(40))
    found = page(f"<h1>Functions</h1><table>{rows}</table>")
    assert "f39()" in found.text and "href" not in found.clean.decode().partition("<body>")[2]


def test_a_page_without_text_is_an_empty_document() -> None:
    found = page("<div id='root'></div><script>render()</script>")
    assert found.text == "" and b"<body>" in found.clean
    assert read(b"", "text/html", URL, SITE).text == ""


def test_links_are_those_of_the_site_and_of_no_other_kind() -> None:
    found = page(
        "<a href='a#x'>a</a><a href='/docs/a'>a</a><a rel='nofollow ugc' href='/ad'>b</a>"
        "<a href='//cdn.example/x'>c</a><a href='/photo.JPG?w=1'>d</a><a href='javascript:x()'>e</a>"
        "<area href='/map'><a>f</a><img src='/pic'>",
        menu="<a href='/from-the-menu'>m</a>",
    )
    assert found.links == [f"www.example.org/{p}" for p in ("from-the-menu", "docs/a", "map")]
    assert page("<a href='b'>b</a>", head="<base href='/other/'>").links[-1] == "www.example.org/other/b"


@pytest.mark.parametrize(
    ("head", "noindex", "follows"),
    [
        ("", False, True),
        ("<meta name='ROBOTS' content='NoIndex, follow'>", True, True),
        ("<meta name=robots content=none>", True, False),
        ("<meta name=freshkb content='nofollow'>", False, False),
        ("<meta name=otherbot content='noindex'>", False, True),
    ],
)
def test_its_word_to_robots_is_heard(head: str, noindex: bool, follows: bool) -> None:
    found = page("<a href='/b'>b</a>", head=head)
    assert (found.noindex, bool(found.links)) == (noindex, follows)


def test_the_word_of_its_headers_to_robots_is_heard() -> None:
    assert read(b"<p>x", "text/html", URL, SITE, "googlebot: nofollow, NOINDEX").noindex


def test_its_canonical_address_is_taken_within_the_site() -> None:
    assert (
        page("x", head="<link rel='canonical' href='/Leave?utm_source=a'>").canonical
        == "www.example.org/Leave"
    )
    assert page("x", head="<link rel=canonical href='https://other.example/'>").canonical is None


DATES = """<meta property="article:modified_time" content="2026-05-03T10:00:00+02:00">
<meta property="article:published_time" content="2025-01-02"><meta name="author" content="Anna Bo">
<meta name="last-reviewed" content="2026-04-01"><meta name="owner" content="group:hr">
<meta name="generator" content="x">
<meta name="csrf-token" content="a1"><meta property="og:title" content="Leave">"""
GRAPH = """<script type="application/ld+json">{"@graph": [{"@type": "Article", "datePublished": "2025-01-02",
"dateModified": "2026-05-03T08:00:00Z", "author": [{"@type": "Person", "name": "Anna Bo"}]}, 7]}</script>
<script type="application/ld+json">{broken</script>"""


def test_dates_authors_and_owners_are_its_own_word() -> None:
    found = page("x", head=DATES)
    assert found.properties == {
        "title": "Leave",
        "author": "Anna Bo",
        "published": "2025-01-02",
        "modified": "2026-05-03T08:00:00Z",
        "last-reviewed": "2026-04-01",
        "owner": "group:hr",
    }
    assert found.modified == datetime(2026, 5, 3, 8, tzinfo=UTC)
    graph = page("x", head=GRAPH)
    assert graph.modified == found.modified
    assert graph.properties["published"] == "2025-01-02" and graph.properties["author"] == "Anna Bo"
    assert "owner" not in graph.properties
    assert page("x", head='<meta property="article:published_time" content="2025-01-02">').modified == date(
        2025, 1, 2
    )
    assert page("x <p>Last updated 1 May 2026, © 2026").modified is None
    unset = '<meta property="article:modified_time" content="0001-01-01T00:00:00Z">'
    assert page("x", head=unset).modified is None
    assert page("x", head=unset + GRAPH).modified == found.modified


def test_half_a_character_of_its_word_is_replaced() -> None:
    said = r'<script type="application/ld+json">{"author": "Ann \ud83d"}</script>'
    assert page("x", head=said).properties["author"] == "Ann ?"


def test_a_password_field_in_its_main_part_is_seen_and_one_in_the_menu_is_not() -> None:
    form = "<form><input type='Password' name=p></form>"
    assert page(f"<p>Sign in</p>{form}").password
    assert not page("<p>Words</p>", menu=form).password


@pytest.mark.parametrize(
    ("body", "type"),
    [
        ("größer – “so”".encode(), "text/html; charset=UTF-8"),
        ("größer – “so”".encode("cp1252"), "text/html; charset=iso-8859-1"),
        (b"<meta charset=windows-1252>" + "größer – “so”".encode("cp1252"), "text/html"),
        (b'<?xml version="1.0" encoding="windows-1252"?>' + "größer – “so”".encode("cp1252"), "text/html"),
        ("\ufeffgrößer – “so”".encode("utf-16"), "text/html"),
        ("\ufeffgrößer – “so”".encode(), "text/html; charset=cp1252"),
        ("größer – “so”".encode(), "text/html"),
        ("größer – “so”".encode("cp1252"), "text/html"),
        ("größer – “so”".encode(), "text/html; charset=nonsense"),
        ("größer – “so”".encode(), "text/html; charset=base64"),
        ("größer – “so”".encode(), "text/html; charset=undefined"),
        (b'<meta charset="idna">' + "größer – “so”".encode(), "text/html"),
    ],
)
def test_characters_are_those_that_were_written(body: bytes, type: str) -> None:
    assert decoded(body, type).endswith("größer – “so”")


@pytest.mark.parametrize(
    "body",
    [
        b"<" * 50_000,
        b"<div>" * 5_000 + b"deep",
        b"<table>" * 300 + b"x",
        b"\x00\xff\xfe<html>\x00",
        b"<html><body>" + b"<p>a</p>" * 5_000,
        b"<!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
        b"<script type='application/ld+json'>" + b"[" * 100_000 + b"</script><p>x",
    ],
    ids=["angles", "deep", "tables", "bytes", "long", "entity", "brackets"],
)
def test_hostile_pages_are_read_without_harm(body: bytes) -> None:
    assert b"root:" not in read(body, "text/html", URL, SITE).clean
