"""The link that a person opens, from the template of a source or from the document itself."""

from __future__ import annotations

from typing import Any

import pytest

from index.freshness import link


@pytest.mark.parametrize(
    ("uri", "path", "stem"),
    [
        ("a.md", "a.md", "a"),
        ("policies/travel.md", "policies/travel.md", "policies/travel"),
        ("release-1.2.tar.gz", "release-1.2.tar.gz", "release-1.2.tar"),
        ("no-suffix", "no-suffix", "no-suffix"),
        ("dir.d/no-suffix", "dir.d/no-suffix", "dir.d/no-suffix"),
        ("dir/.md", "dir/.md", "dir/.md"),
        ("a b & c?#.md", "a%20b%20%26%20c%3F%23.md", "a%20b%20%26%20c%3F%23"),
        ("Größe.md", "Gr%C3%B6%C3%9Fe.md", "Gr%C3%B6%C3%9Fe"),
        # A name in another encoding stands escaped in its uri, and 100% does not.
        ("caf%E9/x.md", "caf%E9/x.md", "caf%E9/x"),
        ("100%.md", "100%25.md", "100%25"),
        ("{stem}.md", "%7Bstem%7D.md", "%7Bstem%7D"),
        ("half \ud800.md", "half%20%3F.md", "half%20%3F"),
    ],
)
def test_a_template_is_filled_with_the_path_percent_encoded(uri: str, path: str, stem: str) -> None:
    assert link.fill("https://wiki.example.org/{path}", uri) == f"https://wiki.example.org/{path}"
    both = link.check("https://x.example:8443/w?page={stem}&raw={path}#top")
    assert link.fill(both, uri) == f"https://x.example:8443/w?page={stem}&raw={path}#top"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("https://wiki.example.org/{name}", "the placeholder {name}; there are {path} and {stem}"),
        ("https://wiki.example.org/{}", "the placeholder {}"),
        ("https://wiki.example.org/{path", "a brace that is no part"),
        ("https://wiki.example.org/}{path}", "a brace that is no part"),
        ("https://wiki.example.org/", "should have {path} or {stem}"),
        ("wiki.example.org/{path}", "should be a web address"),
        ("file:///srv/{path}", "should be a web address"),
        ("javascript:alert(1)//{path}", "should be a web address"),
        ("https://{path}", "should be a web address"),
        ("https://{stem}.example.org/{path}", "should be a web address"),
        ("https://kb:secret@wiki.example.org/{path}", "should be a web address"),
        ("https://wiki.example.org:99999/{path}", "should be a web address"),
        ("https://[wiki/{path}", "should be a web address"),
        ("https://wiki.example.org/a b/{path}", "should be a web address"),
    ],
)
def test_a_template_that_makes_no_links_is_an_error(template: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        link.check(template)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({}, ""),
        ({"url": "https://a.example/x"}, "https://a.example/x"),
        ({"Canonical-URL": " https://a.example/x "}, "https://a.example/x"),
        ({"canonicalURL": "http://a.example"}, "http://a.example"),
        ({"og:url": "https://a.example/x"}, "https://a.example/x"),
        ({"url": "https://a.example/x", "canonical": "https://b.example/x"}, "https://b.example/x"),
        ({"url": "https://a.example/x", "canonical": "/x/"}, "https://a.example/x"),
        *(
            ({"url": value}, "")
            for value in ("/about/", "javascript:alert(1)", "ftp://a/x", "https://a b", "https://", 7, None,
                          "https://user:word@a.example/", "https://a.example/\u202ex",
                          "https://a/" + "x" * 2000, 'https://a/"><script>', "https://[x", "https://a:port/")
        ),
    ],
)  # fmt: skip
def test_a_document_names_its_own_address(properties: dict[str, Any], found: str) -> None:
    assert link.own(properties) == found
