"""HTML to elements: a walk of the tree that keeps every visible word, once, in reading order.

Markdown, mail bodies and everything that pandoc converts come through here too. unstructured's own walk
loses figure captions, `<details>`, forms and the rows of tables, and takes the fences out of code inside
lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from index.model import ANY_ANCHOR, Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers.grid import cell, grid
from index.parse.readers.text import decode
from index.parse.references import LINE, references

_BLOCK_TAGS = """
    address article aside blockquote body button caption center dd details dialog div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup
    option p pre search section select summary table tbody td textarea tfoot th thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_INVISIBLE_TAGS = "audio canvas datalist head iframe noscript object script style template video"
INVISIBLE = frozenset(_INVISIBLE_TAGS.split())
#: How the words of a `ruby` are read aloud, between their characters, as Word's reader leaves it out, too.
_READINGS = frozenset({"rt", "rp", "rtc"})
#: Elements that quote others, or are code, or are struck out; and the mark that stands for their text.
_UNSAID = frozenset({"blockquote", "q", "cite", "code", "kbd", "samp", "tt", "del", "s", "strike"})
_LEFT_OUT = " … "
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_WHOLE = re.compile(r"<(?:html|body)[\s>]", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{\{|\{%|<%")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
#: Elements inside a table that show it as page layout rather than data.
_LAYOUT = ".//table | .//pre | .//h1 | .//h2 | .//h3 | .//h4 | .//h5 | .//h6"
_ASIDE = "ancestor::nav or ancestor::footer or ancestor::aside"
#: Characters, and share of a page's text, that its main part has at least.
_MAIN_MIN, _MAIN_SHARE = 200, 0.2
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
_SPACE_RUNS = re.compile(r"  +")
_AROUND_BREAK = re.compile(r" *\n *")


def parse(path: Path, format: Format) -> Parsed:
    text = decode(path.read_bytes(), markup=True)
    root = tree(text)
    if root is None:
        return Outline().parsed()
    outline = Outline()
    walk(_main(root), outline)
    _number(root)
    links, anchors = references(root)
    if not _WHOLE.search(text) or _TEMPLATE.search(text):
        # Another file has the rest of the page.
        anchors = (*anchors, ANY_ANCHOR)
    return outline.parsed(
        fallback_title=title_of(root),
        language=language_of(root),
        properties=properties_of(root),
        links=links,
        anchors=anchors,
    )


def _main(root: Any) -> Any:
    """The part of a page that is its own, without the navigation and footers around it. The whole page where
    no part says so, several do, or the one that does holds little of its text."""
    found = root.xpath("//main[not(@hidden)] | //*[@role='main'][not(self::main)]") or root.xpath("//article")
    if len(found) != 1:
        return root
    (main,) = found
    text, whole = (len(squeeze("".join(node.itertext()))) for node in (main, root))
    if text < max(_MAIN_MIN, _MAIN_SHARE * whole):
        return root
    headings = main.xpath(".//h1") or root.xpath(
        "//h1[not(ancestor::nav or ancestor::footer or ancestor::aside)]"
    )
    if len(headings) == 1 and main not in headings[0].iterancestors():
        # Some pages have their heading above their main part.
        main.insert(0, headings[0])
        headings[0].tail, main.text = main.text, None
    return main


def _number(root: Any) -> None:
    """Say of each link on which line of the file it stands."""
    for node in root.iter("a", "area", "img"):
        if node.sourceline:
            node.set(LINE, str(node.sourceline))


def tree(text: str) -> Any | None:
    """The document element; None when there is nothing in it. Raises Unreadable beyond libxml2's depth."""
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    if not text.strip():
        return None
    root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    # libxml2 leaves out deeper elements, and reports it in its log alone.
    if any("depth" in entry.message for entry in parser.error_log.filter_from_errors()):
        raise Unreadable("The document nests its parts too deeply.")
    return root


def title_of(root: Any) -> str:
    return squeeze(root.findtext(".//title") or "")


def language_of(root: Any) -> str | None:
    """The primary tag of the `lang` attribute: ``de`` of ``de-AT``."""
    for attribute in ("lang", "{http://www.w3.org/XML/1998/namespace}lang", "xml:lang"):
        if value := root.get(attribute):
            return str(value).strip().replace("_", "-").partition("-")[0].lower() or None
    return None


def properties_of(root: Any) -> dict[str, str]:
    """The `<meta>` elements that have a name: author, description, date …; and the page's own address."""
    found: dict[str, str] = {}
    for link in root.iterfind(".//link[@rel='canonical']"):
        found.setdefault("canonical", squeeze(link.get("href") or ""))
    for meta in root.iterfind(".//meta"):
        name = meta.get("name") or meta.get("property")
        value = squeeze(meta.get("content") or "")
        if name and value and name.lower() not in ("viewport", "generator"):
            found.setdefault(name, value)
    return found


def walk(root: Any, outline: Outline, page: int | None = None) -> None:
    """Append the visible text below `root` to the outline."""
    _Walk(outline, page).run(root)


class _Walk:
    """One pass over start and end events; `inline` holds the text of the block that is open."""

    def __init__(self, outline: Outline, page: int | None) -> None:
        self.outline = outline
        self.page = page
        self.inline: list[str] = []
        self.said: list[str] = []
        """The same without quotes and code."""
        self.unsaid = 0
        """Elements that are open and hold the words of others."""
        self.level = 0
        self.items = 0

    def run(self, root: Any) -> None:
        context = etree.iterwalk(root, events=("start", "end"))
        skipped: Any = None
        for event, node in context:
            if event == "start":
                if not self._start(node):
                    context.skip_subtree()
                    skipped = node
            else:
                if node is not skipped:
                    self._end(node)
                if node is not root and node.tail:
                    self._text(node.tail)
        self._flush()

    def _start(self, node: Any) -> bool:
        """Whether to go into the node."""
        tag = _tag(node)
        if _is_hidden(node):
            return False
        if tag in _BLOCKS:
            self._flush()
        if tag == "pre":
            self.outline.add(_preformatted(node), "CodeSnippet", self.page)
            return False
        if tag == "table" and _holds_data(node):
            self._table(node)
            return False
        if tag == "br":
            self.inline.append("\n")
        elif tag == "img":
            self._text(f" {node.get('alt', '')} ")
        elif tag in _HEADINGS:
            self.level = _HEADINGS[tag]
        elif tag == "li":
            self.items += 1
        if tag in _UNSAID:
            self.unsaid += 1
        if node.text:
            self._text(node.text)
        return True

    def _end(self, node: Any) -> None:
        tag = _tag(node)
        if tag in _BLOCKS:
            self._flush()
        if tag in _HEADINGS:
            self.level = 0
        elif tag == "li":
            self.items -= 1
        if tag in _UNSAID:
            self.unsaid -= 1

    def _text(self, text: str) -> None:
        text = _SPACES.sub(" ", text)
        self.inline.append(text)
        self.said.append(_LEFT_OUT if self.unsaid else text)

    def _flush(self) -> None:
        text = _AROUND_BREAK.sub("\n", _SPACE_RUNS.sub(" ", "".join(self.inline))).strip()
        said = "".join(self.said)
        self.inline.clear()
        self.said.clear()
        if self.level:
            # Documentation generators close a heading with a link to itself.
            self.outline.heading(text.removesuffix("¶"), self.level, self.page)
        else:
            self.outline.add(text, "ListItem" if self.items else "NarrativeText", self.page, said)

    def _table(self, table: Any) -> None:
        for caption in table.iterfind("caption"):
            self.outline.add(squeeze(_joined(caption)), "NarrativeText", self.page)
        self.outline.table(rows_of(table), self.page)


def rows_of(table: Any) -> list[list[str]]:
    """The texts of a table's cells, by row and column."""
    rows = (
        [cell(_joined(one), one.get("colspan"), one.get("rowspan")) for one in _cells(row)]
        for row in table.iter("tr")
        if not (_is_hidden(row) or _is_hidden(row.getparent()))
    )
    return grid(rows)


def _tag(node: Any) -> str:
    """The tag in lower case without a namespace; "" for entities and the like."""
    return node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""


def _is_hidden(node: Any) -> bool:
    """Whether nobody sees the node, nor what is in it; or it tells how the word around it is read aloud."""
    tag = _tag(node)
    hidden = node.get("hidden") is not None or _HIDDEN.search(node.get("style") or "")
    read = tag in _READINGS and node.xpath("boolean(ancestor::ruby)")
    return bool(hidden or read) or tag in INVISIBLE


def _cells(row: Any) -> Iterator[Any]:
    return (child for child in row if _tag(child) in ("td", "th") and not _is_hidden(child))


def _holds_data(table: Any) -> bool:
    """Whether a table holds data, and is not page layout, as in many mails."""
    if table.get("role") == "presentation" or table.xpath(f"boolean({_LAYOUT})"):
        return False
    return any(len(list(_cells(row))) > 1 for row in table.iter("tr"))


def _joined(node: Any) -> str:
    """The visible text of a cell or caption, blocks and breaks inside it separated by a space."""
    parts: list[str] = []
    context = etree.iterwalk(node, events=("start", "end"))
    for event, inner in context:
        tag = _tag(inner)
        if event == "start":
            if _is_hidden(inner):
                context.skip_subtree()
                continue
            parts += [" " if tag in _BLOCKS or tag == "br" else "", inner.text or ""]
            if tag == "img":
                parts.append(f" {inner.get('alt', '')} ")
        else:
            parts.append(" " if tag in _BLOCKS else "")
            if inner is not node:
                parts.append(inner.tail or "")
    return "".join(parts)


def _preformatted(node: Any) -> str:
    """The exact visible text, breaks as newlines."""
    parts: list[str] = []
    context = etree.iterwalk(node, events=("start", "end"))
    for event, inner in context:
        if event == "start" and _is_hidden(inner):
            context.skip_subtree()
        elif event == "start":
            parts.append("\n" if _tag(inner) == "br" else inner.text or "")
        elif inner is not node:
            parts.append(inner.tail or "")
    return "".join(parts)
