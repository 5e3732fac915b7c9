"""References of a document: the links and images in it, and the anchors that links to it may end in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lxml import etree

from index.model import ANY_ANCHOR, Link
from index.parse.outline import squeeze

#: The attribute in which readers that make HTML say on which line of the document a link stands.
LINE = "data-freshkb-line"

#: Longest target that is kept.
_TARGET_MAX = 2000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ATTRIBUTES = {"a": "href", "area": "href", "img": "src"}
#: Elements whose links are code, or not for readers.
_SKIPPED = frozenset({"pre", "script", "style", "template", "noscript", "head", "svg", "object"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_NO_SLUG = re.compile(r"[^\w\- ]")
_OWN_ID = re.compile(r"\s*\{[^{}]*\}\Z")
_NUMBERED = re.compile(r"\A[\W\d_]+")

#: Ids that Markdown dialects let authors write: ``## Title {#id}``, ``{: #id}``, ``(id)=``.
_WRITTEN_IDS = (
    re.compile(r"\{:?\s*(?:/\*\s*)?(?:[^{}\n]*\s)?#([\w:.-]+)[^{}\n]*\}"),
    re.compile(r"^\(([\w:.-]+)\)=[ \t]*$", re.MULTILINE),
    re.compile(r"""<\w[^<>\n]*\s(?:id|name)\s*=\s*["']?([^"'<>\s]+)"""),
)
#: What puts text into a Markdown page that its file does not show: templates, includes, components.
_MADE = re.compile(
    r"\{\{|\{%|^:::|^--8<--|^!!!include|^\s*\[?\[?_?TOC_?|^```\{|^\{\w+\}|^<[A-Z]\w*|^import\s|<!--\s*include",
    re.MULTILINE,
)


class References(NamedTuple):
    links: tuple[Link, ...] = ()
    anchors: tuple[str, ...] = ()


def references(root: Any, *, named: bool = False) -> References:
    """The references of a tree of HTML; with `named`, headings are anchors by their texts."""
    anchors = [*_ids(root), *(_slugs(root) if named else ())]
    return References(tuple(_links(root)), tuple(dict.fromkeys(anchors)))


def written_in(markdown: str) -> Iterator[str]:
    """The anchors that dialects of Markdown let authors write into a text, and `ANY_ANCHOR` where a generator
    may make more."""
    for ids in _WRITTEN_IDS:
        yield from ids.findall(markdown)
    if _MADE.search(markdown):
        yield ANY_ANCHOR


def unique(links: Iterable[Link]) -> Iterator[Link]:
    """Each target once, where it stands first; only those that a reader follows by path or by http(s)."""
    seen: set[str] = set()
    for link in links:
        target = link.target.strip()
        if target not in seen and _is_kept(target):
            seen.add(target)
            yield Link(target, link.line)


def _links(root: Any) -> Iterator[Link]:
    # Relative targets start elsewhere than at the document.
    based = root.find(".//base[@href]") is not None

    def found() -> Iterator[Link]:
        context = etree.iterwalk(root, events=("start",))
        for _, node in context:
            tag = node.tag if isinstance(node.tag, str) else ""
            if tag in _SKIPPED:
                context.skip_subtree()
                continue
            target = node.get(_ATTRIBUTES[tag]) if tag in _ATTRIBUTES else None
            if target and not (based and not _SCHEME.match(target)):
                yield Link(target, _line(node))

    return unique(found())


def _line(node: Any) -> int | None:
    said = node.get(LINE, "")
    return int(said) if said.isascii() and said.isdigit() else None


def _is_kept(target: str) -> bool:
    if not target or len(target) > _TARGET_MAX or not target.isprintable() or target.startswith("//"):
        return False
    if not _SCHEME.match(target):
        return True
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    # Addresses with a password are nobody's business.
    return parts.scheme in ("http", "https") and "@" not in parts.netloc


def _ids(root: Any) -> Iterator[str]:
    for node in root.iter(etree.Element):
        if name := node.get("id"):
            yield name.strip()
        if node.tag == "a" and (name := node.get("name")):
            yield name.strip()


def _slugs(root: Any) -> Iterator[str]:
    """Anchors of headings as GitHub makes them, the second of a kind with ``-1``; and without the numbers
    in front, as kramdown does."""
    seen: Counter[str] = Counter()
    for node in root.iter(*_HEADINGS):
        text = _OWN_ID.sub("", squeeze("".join(node.itertext())))
        slug = _NO_SLUG.sub("", text.lower()).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1
        if (bare := _NUMBERED.sub("", slug)) and bare != slug:
            yield bare
