"""Addresses: one uri for each page, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.web.site import Site, host_of, is_host, parse

SITE = Site(["https://www.example.org/", "http://wiki.intern:8080/start", "http://[2001:db8::1]/"])


@pytest.mark.parametrize(
    ("link", "uri"),
    [
        ("HTTPS://WWW.Example.ORG:443/docs/a#part", "www.example.org/docs/a"),
        ("http://www.example.org/docs/a", "www.example.org/docs/a"),
        ("//www.example.org./b", "www.example.org/b"),
        ("../c/./d", "www.example.org/c/d"),
        ("/a/../../..//b//c", "www.example.org/b/c"),
        ("/%2e%2e/x/%2E/y", "www.example.org/x/y"),
        ("sub/", "www.example.org/docs/sub/"),
        ("", "www.example.org/docs/page"),
        ("?page=2", "www.example.org/docs/page?page=2"),
        ("?utm_source=x&page=2&fbclid=1&UTM_Medium=y", "www.example.org/docs/page?page=2"),
        ("/a;jsessionid=AB12", "www.example.org/a"),
        ("/Gr%C3%B6%C3%9Fe/a%20b", "www.example.org/Größe/a b"),
        ("/Größe/a b", "www.example.org/Größe/a b"),
        ("/a%2Fb%3Fc%23d%25", "www.example.org/a%2Fb%3Fc%23d%25"),
        ("/%ff", "www.example.org/%FF"),
        ("?q=%C3%B6%26x&r=a+b%2bc", "www.example.org/docs/page?q=ö%26x&r=a+b%2Bc"),
        ("http://wiki.intern:8080", "wiki.intern:8080/"),
        ("http://[2001:DB8:0::1]/a", "[2001:db8::1]/a"),
        (" \n/a\t", "www.example.org/a"),
    ],
)
def test_spellings_of_one_address_have_one_uri(link: str, uri: str) -> None:
    assert SITE.uri(link, "https://www.example.org/docs/page") == uri
    address = SITE.address(uri)
    assert address is not None and address.uri == uri


@pytest.mark.parametrize(
    "link",
    [
        "https://example.org/",
        "http://wiki.intern/",
        "http://www.example.org:8081/",
        "ftp://www.example.org/a",
        "javascript:alert(1)",
        "mailto:a@www.example.org",
        "data:text/html,x",
        "https://www.example.org@evil.example/",
        "https://user:secret@www.example.org/",
        "https://www.example.org\\@evil.example/",
        "https://www.example.org%2F@evil.example/",
        "https://www.example.org:0/",
        "https://www.example.org:99999/",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "/a\0b",
        "/" + "a" * 3_000,
    ],
)
def test_what_leads_out_of_the_site_or_only_looks_like_an_address_is_left(link: str) -> None:
    assert SITE.uri(link, "https://www.example.org/docs/page") is None


@given(st.text(max_size=30), st.text(max_size=20))
def test_the_address_of_a_uri_leads_back_to_it(path: str, query: str) -> None:
    found = parse(f"https://www.example.org/{path}?{query}")
    if found is not None and found.host == "www.example.org":
        assert SITE.url(found.uri) == found.url
        assert SITE.address(found.uri) == found
        assert found.url.isascii()


@pytest.mark.parametrize(
    "uri",
    ["", "www.example.org", "/a", "www.example.org/a/../b", "www.example.org/a#b", "other.org/a", "a\0/b"],
)
def test_what_is_no_uri_has_no_address(uri: str) -> None:
    assert SITE.address(uri) is None


def test_a_host_has_one_spelling() -> None:
    assert host_of("Bücher.Example.") == "xn--bcher-kva.example"
    assert host_of("127。0。0。1") == "127.0.0.1"
    assert host_of("[0:0::1]") == "::1"
    assert not is_host("a b") and not is_host("a/b") and not is_host("") and not is_host("[::g]")


def test_a_page_is_asked_on_https_when_one_address_names_it_or_the_host_says_so() -> None:
    site = Site(["http://a.example/", "https://a.example/x", "http://b.example/"])
    assert site.tops == "https://a.example, http://b.example"
    site.upgrade("b.example")
    address = site.address("b.example/x")
    assert address is not None and address.url == "https://b.example/x"
    assert site.url("b.example/x") == "http://b.example/x"
