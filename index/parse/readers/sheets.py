"""What Excel keeps beside the cells of a sheet: hidden rows and columns, and the words of its drawings.

openpyxl reads these only together with all cells, at fifty times the memory.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from index.parse.readers.drawing import chart, diagram, lines

_RELATION_ID = re.compile(r"\{http://schemas\.openxmlformats\.org/officeDocument/2006/relationships\}")
_HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]*?\bhidden=\"(?:1|true)\"[^>]*>")
_HIDDEN_COLUMN = re.compile(rb"<(?:\w+:)?col\s[^>]*?\bhidden=\"(?:1|true)\"[^>]*>")
_ROW = re.compile(rb"\sr=\"(\d+)\"")
_FIRST, _LAST = re.compile(rb"\smin=\"(\d+)\""), re.compile(rb"\smax=\"(\d+)\"")


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    rows: frozenset[int]
    """Numbers of hidden rows, from 1."""
    columns: tuple[range, ...]
    """Numbers of hidden columns, from 1."""
    drawn: tuple[str, ...]
    """Titles of charts, texts of boxes and diagrams."""
    hidden: bool = False


def sheets(path: Path) -> Iterator[Sheet]:
    """Those of a workbook in their order, sheets that are a chart among them."""
    with zipfile.ZipFile(path) as book:
        main = next((part for kind, part in _targets(book, "").values() if kind == "officeDocument"), "")
        if main not in book.namelist():
            return
        targets = _targets(book, main)
        for node in _root(book, main).iter("{*}sheet"):
            number = next((value for key, value in node.items() if _RELATION_ID.match(key)), "")
            kind, part = targets.get(number, ("", ""))
            if kind in ("worksheet", "chartsheet") and part in book.namelist():
                data = book.read(part) if kind == "worksheet" else b""
                numbers = (_ROW.search(row) for row in _HIDDEN_ROW.findall(data))
                yield Sheet(
                    node.get("name", ""),
                    frozenset(int(number[1]) for number in numbers if number),
                    tuple(_columns(column) for column in _HIDDEN_COLUMN.findall(data)),
                    tuple(_drawn(book, part)),
                    node.get("state", "visible") != "visible",
                )


def _columns(node: bytes) -> range:
    first, last = _FIRST.search(node), _LAST.search(node)
    return range(int(first[1]), int(last[1]) + 1) if first and last else range(0)


def _drawn(book: zipfile.ZipFile, sheet: str) -> Iterator[str]:
    for kind, part in _targets(book, sheet).values():
        if kind != "drawing" or part not in book.namelist():
            continue
        shown = _targets(book, part)
        for node in _root(book, part).iter("{*}txBody", "{*}chart", "{*}relIds"):
            if etree.QName(node).localname == "txBody":
                yield "\n".join(lines(node))
                continue
            numbers = (shown.get(value, ("", ""))[1] for value in node.values())
            target = next((name for name in numbers if name in book.namelist()), None)
            if target is not None:
                root = _root(book, target)
                found = chart(root, own=False) if node.tag.endswith("}chart") else diagram(root)
                yield "\n".join(found.labels)


def _root(book: zipfile.ZipFile, part: str) -> Any:
    return etree.fromstring(book.read(part), etree.XMLParser(resolve_entities=False, huge_tree=True))


def _targets(book: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """By its id: the kind of a relation, and the part that it leads to."""
    folder, name = posixpath.split(part)
    listed = posixpath.join(folder, "_rels", f"{name}.rels")
    if listed not in book.namelist():
        return {}
    return {
        node.get("Id"): (
            posixpath.basename(node.get("Type", "")),
            posixpath.normpath(posixpath.join("/", folder, node.get("Target", "")))[1:],
        )
        for node in _root(book, listed).iter("{*}Relationship")
        if node.get("TargetMode") != "External"
    }
