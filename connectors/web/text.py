"""The main text of a page, without navigation, as HTML that says nothing else.

What a page declares not to be its text goes first (nav, aside, the header and footer of the site, hidden
parts); trafilatura then leaves out what only looks like text. Where it would keep less than half of what the
page itself calls its main part, as in lists of links and reference tables, that part is taken as it is.
"""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from html import escape
from typing import Any, NamedTuple

from lxml import etree, html

#: Raised when the same page gives another text.
REVISION = 1

_NEVER = frozenset(
    {"script", "style", "noscript", "template", "svg", "canvas", "iframe", "object", "embed", "nav", "dialog"}
    | {"video", "audio"}
)
_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "search", "alertdialog", "dialog", "menu", "menubar"}
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
#: Outside of the main part these belong to the site.
_SITE = ("header", "footer", "aside")
_KEPT = frozenset({"colspan", "rowspan", "alt", "lang", "dir", "start"})
_SHARE = 0.5

for _name in ("trafilatura", "htmldate", "courlan", "justext"):
    # They complain about single pages to a terminal that is ours.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class Main(NamedTuple):
    body: str
    """The main text as HTML, without <body>."""
    text: str
    """The same as plain text, spaces and breaks made single spaces."""
    password: bool
    """Whether a password is asked for in it."""


def main_of(root: Any) -> Main:
    """The main text of a parsed page, which is not changed."""
    part, declared = _declared(deepcopy(root))
    password = bool(part.xpath(".//input[translate(@type,'PASWORD','pasword')='password']"))
    all_of_it = _squeezed(part)
    if not all_of_it:
        return Main("", "", password)
    found = _extracted(part)
    text = _squeezed(found) if found is not None else ""
    if found is None or (declared and len(text) < _SHARE * len(all_of_it)) or not text:
        found = _bare(part)
        text = _squeezed(found)
    for node in found.iter("pre"):
        inner = node[0] if len(node) == 1 and not (node.text or "").strip() else None
        if inner is not None and inner.tag in ("pre", "code"):
            # Spaces between the two would be a part of the code.
            node.text, inner.tail = None, None
            if inner.tag == "pre":
                inner.drop_tag()
    body = (found.text or "") + "".join(html.tostring(child, encoding="unicode") for child in found)
    return Main(body.strip(), text, password)


def document(main: Main, title: str, language: str) -> bytes:
    """A page that holds the main text alone."""
    lang = f' lang="{escape(language)}"' if language else ""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    return f"<!DOCTYPE html>\n<html{lang}><head>{head}</head>\n<body>\n{main.body}\n</body></html>\n".encode(
        "utf-8", "replace"
    )


def _declared(root: Any) -> tuple[Any, bool]:
    """The part of a page that may be its text, and whether the page itself says which one that is."""
    for node in list(root.iter()):
        if isinstance(node.tag, str) and node is not root and _is_apart(node):
            node.drop_tree()
    for path in ("//main | //*[@role='main']", "//article"):
        parts = [node for node in root.xpath(path) if not any(True for _ in node.iterancestors("main"))]
        if len(parts) == 1 and _squeezed(parts[0]):
            return parts[0], True
    body = root.find("body")
    part = root if body is None else body
    for node in list(part.iter(*_SITE)):
        if not any(True for _ in node.iterancestors("article", "main")):
            node.drop_tree()
    return part, False


def _is_apart(node: Any) -> bool:
    return (
        node.tag in _NEVER
        or node.get("role", "").lower() in _ROLES
        or node.get("hidden") is not None
        or node.get("aria-hidden") == "true"
        or _HIDDEN.search(node.get("style", "")) is not None
    ) and node.tag not in ("body", "head")


def _extracted(part: Any) -> Any | None:
    """The body that trafilatura makes; None when it finds none, or fails."""
    import trafilatura

    page = html.Element("html")
    body = etree.SubElement(page, "body")
    body.append(deepcopy(part) if part.tag != "body" else _renamed(part))
    try:
        found = trafilatura.extract(
            page, output_format="html", include_comments=False, include_tables=True, favor_recall=True
        )
        return html.document_fromstring(found).find("body") if found else None
    except (ValueError, TypeError, AttributeError, RecursionError, etree.LxmlError):
        # A page that it cannot read is taken as it is.
        return None


def _renamed(part: Any) -> Any:
    copied = deepcopy(part)
    copied.tag = "div"
    return copied


def _bare(part: Any) -> Any:
    """The part itself, without links and attributes."""
    part = deepcopy(part)
    part.tail = None
    etree.strip_tags(part, "a", "span", "font", etree.Comment)
    for node in part.iter():
        if isinstance(node.tag, str):
            for name in set(node.attrib) - _KEPT:
                del node.attrib[name]
    return part


def _squeezed(node: Any) -> str:
    return " ".join(" ".join(node.itertext()).split())
