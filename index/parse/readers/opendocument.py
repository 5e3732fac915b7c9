"""OpenDocument text, walked by us: pandoc, which unstructured uses, passes over some tables and boxes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from index.model import Parsed
from index.parse import archive
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze

_INVISIBLE_TAGS = """
    alphabetical-index-source annotation annotation-end bibliography-source desc event-listeners forms
    hidden-paragraph hidden-text illustration-index-source note-citation object-index-source ruby-text
    sequence-decls table-index-source table-of-content-source title tracked-changes user-field-decls
    user-index-source variable-decls
"""
_INVISIBLE = frozenset(_INVISIBLE_TAGS.split())
_SPACES = re.compile(r"[ \t\r\n]+")
_CHART = "{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}"
#: Of a chart; its axes have titles, too.
_LABELS = (f"{_CHART}title", f"{_CHART}subtitle")
_MATH = "{http://www.w3.org/1998/Math/MathML}"
#: Signs of a formula that have no shape: a product's, a function's.
_UNSEEN = re.compile("[\u2061-\u2064]")
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_REFERENCE = "{http://www.w3.org/1999/xlink}href"
#: Cells, rows and blanks that are there more than once: sheets are filled up with empty ones.
_COUNTED_MAX = 1000
_PROPERTIES = {
    "author": "initial-creator",
    "last_modified_by": "creator",
    "created": "creation-date",
    "modified": "date",
    "subject": "subject",
}


def parse(path: Path, format: Format) -> Parsed:
    archive.check(path)
    with zipfile.ZipFile(path) as book:
        manifest = _part(book, "META-INF/manifest.xml")
        if manifest is not None and manifest.find(".//{*}encryption-data") is not None:
            raise Unreadable(archive.PROTECTED)
        content, meta = (_part(book, name) for name in ("content.xml", "meta.xml"))
        objects = _objects(book, content)
    body = None if content is None else content.find("{*}body/{*}text")
    if body is None:
        raise Unreadable("The document is damaged: it is no ODT file.")
    outline = Outline()
    _Walk(outline, _levels(content), objects).run(body)
    known = (
        {} if meta is None else {name: meta.findtext(f".//{{*}}{tag}") for name, tag in _PROPERTIES.items()}
    )
    title = "" if meta is None else meta.findtext(".//{http://purl.org/dc/elements/1.1/}title")
    return outline.parsed(
        fallback_title=title or "",
        properties={name: squeeze(value) for name, value in known.items() if value},
    )


def _part(book: zipfile.ZipFile, name: str) -> Any | None:
    if name not in book.namelist():
        return None
    try:
        return etree.fromstring(book.read(name), etree.XMLParser(resolve_entities=False, huge_tree=True))
    except etree.XMLSyntaxError as error:
        if name == "content.xml":
            raise Unreadable(f"The document is damaged: its text is not valid XML ({error.msg}).") from None
        return None


def _objects(book: zipfile.ZipFile, content: Any) -> dict[str, Any]:
    """Charts and formulas by the reference with which their document holds them."""
    if content is None:
        return {}
    places = {node.get(_REFERENCE, "") for node in content.iter("{*}object")}
    parts = {place: _part(book, f"{place.removeprefix('./')}/content.xml") for place in places if place}
    found = {
        place: part if part.tag == f"{_MATH}math" else part.find(".//{*}chart/{*}chart")
        for place, part in parts.items()
        if part is not None
    }
    return {place: node for place, node in found.items() if node is not None}


def _levels(content: Any) -> dict[str, int]:
    """Heading level by paragraph style, for paragraphs that are headings by their style alone."""
    levels = {"Title": 1, **{f"Heading_20_{level}": level for level in range(1, 10)}}
    for style in content.iter(f"{_STYLE}style"):
        parent = style.get(f"{_STYLE}parent-style-name")
        if parent in levels:
            levels[style.get(f"{_STYLE}name")] = levels[parent]
    return levels


class _Walk:
    """One pass over start and end events; `inline` holds the text of the paragraph that is open."""

    def __init__(self, outline: Outline, levels: dict[str, int], objects: dict[str, Any]) -> None:
        self.outline = outline
        self.levels = levels
        self.objects = objects
        self.page = 1
        self.paged = False
        self.inline: list[str] = []
        self.items = 0
        self.level = 0
        self.notes: list[Any] = []
        self.drawn: list[Any] = []
        """Charts in the paragraph that is open."""

    def run(self, root: Any) -> None:
        self.paged = root.find(f".//{_TEXT}soft-page-break") is not None
        self._pass(root)
        self.outline.end_sections()
        while self.notes:
            self._pass(self.notes.pop(0))

    def _pass(self, root: Any) -> None:
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
                    self.inline.append(_SPACES.sub(" ", node.tail))
        self._flush()

    def _start(self, node: Any) -> bool:
        """Whether to go into the node."""
        tag = _tag(node)
        if tag in _INVISIBLE:
            return False
        if tag == "note":
            self.notes += node.iterfind("{*}note-body")
            return False
        if tag == "object":
            found = self.objects.get(node.get(_REFERENCE))
            if found is not None and found.tag == f"{_MATH}math":
                self.inline.append(_formula(found))
            elif found is not None:
                self.drawn.append(found)
            return False
        if tag in ("p", "h"):
            self._flush()
            styled = self.levels.get(node.get(f"{_TEXT}style-name"), 0)
            self.level = _counted(node, f"{_TEXT}outline-level") if tag == "h" else styled
        elif tag == "table" and node.find(".//{*}table/{*}table-row//{*}table") is None:
            self._flush()
            self._table(node)
            return False
        elif tag == "list-item":
            self.items += 1
        elif tag == "soft-page-break":
            self.page += 1
        else:
            self.inline.append(_inline(node, tag))
        self.inline.append(_SPACES.sub(" ", node.text or ""))
        return True

    def _end(self, node: Any) -> None:
        tag = _tag(node)
        if tag in ("p", "h"):
            self._flush()
            self.level = 0
        elif tag == "list-item":
            self.items -= 1

    def _flush(self) -> None:
        text = "\n".join(squeeze(line) for line in "".join(self.inline).split("\n"))
        self.inline.clear()
        page = self.page if self.paged else None
        if self.level:
            self.outline.heading(text, self.level, page)
        else:
            self.outline.add(text, "ListItem" if self.items else "NarrativeText", page)

        charts, self.drawn = self.drawn, []
        for chart in charts:
            labels = (squeeze(" ".join(map(self._cell, node))) for node in chart.iter(*_LABELS))
            self.outline.add("\n".join(filter(None, labels)), "UncategorizedText", page)
            for table in chart.iter(f"{_TABLE}table"):
                self._table(table)

    def _table(self, table: Any) -> None:
        page = self.page if self.paged else None
        rows: list[list[str]] = []
        for row in table.iter(f"{_TABLE}table-row"):
            if next(row.iterancestors(f"{_TABLE}table")) is not table:
                # The words of a table inside a cell are the cell's.
                continue
            cells: list[str] = []
            for cell in row.iterchildren(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                # A cell that another one reaches over keeps its column, and has no text.
                text = self._cell(cell) if cell.tag == f"{_TABLE}table-cell" else ""
                cells += [text] * _counted(cell, f"{_TABLE}number-columns-repeated")
            rows += [cells] * (_counted(row, f"{_TABLE}number-rows-repeated") if any(cells) else 1)
        self.outline.table(rows, page)

    def _cell(self, cell: Any) -> str:
        """The text of a cell on one line; the notes in it are kept for the end."""
        inner = _Walk(Outline(), {}, self.objects)
        inner._pass(cell)
        self.notes += inner.notes
        return " ".join(element.text for element in inner.outline.elements)


def _counted(node: Any, name: str) -> int:
    """A number from 1 that an attribute holds; 1 where it holds none."""
    try:
        return min(max(int(node.get(name, "1")), 1), _COUNTED_MAX)
    except ValueError:
        return 1


def _tag(node: Any) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _formula(math: Any) -> str:
    """Its signs, without what its program wrote about it."""
    etree.strip_elements(math, f"{_MATH}annotation", f"{_MATH}annotation-xml", with_tail=False)
    said = "".join(text for text in math.itertext() if text.strip())
    return _SPACES.sub(" ", _UNSEEN.sub("", said))


def _inline(node: Any, tag: str) -> str:
    if tag == "s":
        return " " * _counted(node, f"{_TEXT}c")
    return {"tab": " ", "line-break": "\n"}.get(tag, "")
