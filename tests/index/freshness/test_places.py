from __future__ import annotations

import pytest

from index.freshness.places import Places

URIS = [
    "README.md", "guide/a.md", "guide/b c.md", "guide/deep/index.md", "guide/Größe.md", "old.html",
    "new.html", "api/page.html.md",
    "assets/site/pic.png", "docs/intro.mdx", "docs/guides/start.md", "data/table.csv",
]  # fmt: skip

#: Path that a document names: what it leads to; "dead …", "?" when nobody can tell.
FOLLOWED = {
    ("guide/a.md", "b%20c.md"): "guide/b c.md",
    ("guide/a.md", "./../README.md"): "README.md",
    ("guide/a.md", "gr%C3%B6%C3%9Fe.md"): "guide/Größe.md",
    ("guide/a.md", "gone.md"): "dead guide/gone.md",
    ("guide/a.md", "../../outside.md"): "?",
    ("guide/a.md", "deep"): "guide/deep/index.md",
    ("guide/a.md", "deep/"): "guide/deep/index.md",
    ("guide/a.md", "deep/none.md"): "dead guide/deep/none.md",
    # As generators serve them: without suffix, as .html, below the page itself.
    ("guide/a.md", "b c"): "guide/b c.md",
    ("guide/a.md", "b c.html"): "guide/b c.md",
    ("guide/a.md", "../b c/"): "guide/b c.md",
    ("guide/a.md", "../api/page.html"): "api/page.html.md",
    ("old.html", "new.html"): "new.html",
    ("old.html", "none.html"): "dead none.html",
    ("guide/a.md", "made-by-a-generator.html"): "?",
    ("guide/a.md", "route"): "?",
    ("guide/a.md", "deep/route/"): "?",
    ("guide/a.md", "../nowhere/route/"): "?",
    # From the root of the source, or of a site in one of its folders.
    ("guide/deep/index.md", "/guide/a.md"): "guide/a.md",
    ("guide/deep/index.md", "/guide/none.md"): "dead guide/none.md",
    ("docs/intro.mdx", "/guides/start.md"): "?",
    ("docs/intro.mdx", "/some/route"): "?",
    ("guide/a.md", "/"): "?",
    # Files of other types.
    ("guide/a.md", "../data/table.csv"): "data/table.csv",
    ("guide/a.md", "../data/none.csv"): "dead data/none.csv",
    ("guide/a.md", "site/pic.png"): "?",
    ("guide/a.md", "none.png"): "dead guide/none.png",
    # Templates and placeholders.
    ("guide/a.md", "{{ page }}.md"): "?",
    ("guide/a.md", "%7B%7Bpage%7D%7D.md"): "?",
    ("guide/a.md", "<name>.md"): "?",
    ("guide/a.md", "$BASE/x.md"): "?",
    ("guide/a.md", "path/to/file.md"): "?",
    ("guide/a.md", "genindex.html"): "?",
    ("guide/a.md", "hidden/x.md"): "?",
}  # fmt: skip


@pytest.mark.parametrize(("link", "expected"), FOLLOWED.items(), ids=str)
def test_where_a_path_leads(link: tuple[str, str], expected: str) -> None:
    places = Places(URIS, lambda uri: "hidden/" in uri)
    place = places.seen_from(*link)
    assert (f"dead {place.uri}" if place.dead else place.uri or "?") == expected


def test_paths_of_templates() -> None:
    places = Places(URIS)
    assert places.at("guide/a", stem=True).uri == "guide/a.md"
    assert places.at("guide/b%20c.md", stem=False).uri == "guide/b c.md"
    assert places.at("guide/none.md", stem=False).dead
    assert places.at("guide/none", stem=True).dead
    assert not places.at("login", stem=True).dead


def test_documents_of_the_same_name() -> None:
    assert Places(URIS).namesakes("elsewhere/start.md") == ["docs/guides/start.md"]
    assert Places(URIS).namesakes("elsewhere/none.md") == []
