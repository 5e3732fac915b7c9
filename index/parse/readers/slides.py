"""PowerPoint, walked by us: unstructured passes over charts and diagrams, puts the notes before the slide
that they belong to, and leaves out shapes that reach over an edge of their slide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree
from pptx.oxml.ns import qn
from pptx.package import Package
from pptx.shapes.group import GroupShape

from index.model import Parsed
from index.parse import archive, soffice
from index.parse.formats import Format
from index.parse.outline import Outline
from index.parse.readers import ooxml
from index.parse.readers.drawing import drawn, lines
from index.parse.readers.grid import Cell, cell, grid

_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
#: What was drawn by hand, which python-pptx lists and has no class for.
_INK = qn("p:contentPart")
_TITLES = ("title", "ctrTitle")
#: Placeholders of what is not of the slide: its number, and the day on which it is shown.
_STAMPS = ("sldNum", "dt")
#: Placeholders in which each paragraph is a point.
_POINTS = ("body", "obj")
_HIDDEN = "(hidden)"
#: Tops of shapes in one row differ by no more than this part of the slide's height.
_ROW = 0.02


class Shape(NamedTuple):
    top: float
    left: float
    node: Any
    role: str
    """The type of its placeholder; "" when it is none."""


def parse(path: Path, format: Format) -> Parsed:
    archive.refuse_protected(path)
    if format.name == "ppt":
        path = soffice.converted(path, "ppt", "pptx")
    presentation = Package.open(str(ooxml.plain(path))).main_document_part.presentation
    outline = Outline()
    footers: set[str] = set()
    for page, slide in enumerate(presentation.slides, start=1):
        outline.end_sections()
        _slide(slide, (presentation.slide_height or 0) * _ROW, outline, page, footers)
    core = presentation.core_properties
    # Shows are made of older ones, and keep their properties: the title of the first slide is nearer.
    opening = (e.text for e in outline.elements if e.kind == "Title" and e.page == 1 and e.text != _HIDDEN)
    return outline.parsed(
        title=next(opening, ""), fallback_title=core.title or "", **ooxml.properties_of(core)
    )


def _slide(slide: Any, row: float, outline: Outline, page: int, footers: set[str]) -> None:
    """Append a slide, its title first. `footers` are those of the slides before."""
    # Of several ways to show a shape, the first is the best.
    etree.strip_elements(slide.element, f"{_ALTERNATIVES}Fallback", _INK, with_tail=False)
    etree.strip_tags(slide.element, f"{_ALTERNATIVES}AlternateContent", f"{_ALTERNATIVES}Choice")
    shapes = _ordered(list(_shapes(slide.shapes, 1, 0, 1, 0)), row)
    title = next((shape for shape in shapes if shape.role in _TITLES and lines(shape.node)), None)
    hidden = _HIDDEN if slide.element.get("show") in ("0", "false") else ""
    if title is not None:
        heading, *more = lines(title.node)
        outline.heading(f"{heading} {hidden}", 1, page)
        for text in more:
            outline.add(text, "NarrativeText", page)
    else:
        outline.heading(hidden, 2, page)
    for shape in shapes:
        text = "\n".join(lines(shape.node)) if shape.role == "ftr" else ""
        # As the running head of a book: the first stays.
        if shape is not title and shape.role not in _STAMPS and text not in footers:
            _add(shape, slide.part, outline, page)
            footers |= {text} if text else set()
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_placeholder) is not None:
        outline.add("\n".join(lines(notes.element)), "NarrativeText", page)


def _add(shape: Shape, part: Any, outline: Outline, page: int) -> None:
    table = shape.node.find(f".//{qn('a:tbl')}")
    graphic = shape.node.find(f".//{qn('a:graphicData')}")
    if table is not None:
        cells = (map(_cell, row.iterfind(qn("a:tc"))) for row in table.iterfind(qn("a:tr")))
        outline.table(grid([cell for cell in row if cell] for row in cells), page)
    elif graphic is not None:
        labels, rows = drawn(graphic, part)
        outline.add("\n".join(labels), "UncategorizedText", page)
        outline.table(rows, page)
    else:
        for text in lines(shape.node):
            outline.add(text, "ListItem" if shape.role in _POINTS else "NarrativeText", page)


def _shapes(shapes: Any, x: float, left: float, y: float, top: float) -> Iterator[Shape]:
    """The shapes with their places on the slide; those of a group are scaled by `x` and `y` and moved."""
    for shape in shapes:
        node = shape.element
        named = node.find(f".//{qn('p:cNvPr')}")
        if named is not None and named.get("hidden") in ("1", "true"):
            continue
        if isinstance(shape, GroupShape):
            inner, outer = _frame(node)
            across = outer[2] / (inner[2] or 1) if inner[2] else 1
            down = outer[3] / inner[3] if inner[3] else 1
            yield from _shapes(
                shape.shapes,
                x * across,
                left + x * (outer[0] - inner[0] * across),
                y * down,
                top + y * (outer[1] - inner[1] * down),
            )
        else:
            holder = node.find(f"*/{qn('p:nvPr')}/{qn('p:ph')}")
            role = "" if holder is None else holder.get("type", "obj")
            yield Shape(top + y * (shape.top or 0), left + x * (shape.left or 0), node, role)


def _frame(group: Any) -> tuple[list[int], list[int]]:
    """Left, top, width and height of a group, in the measure of its shapes and in that of the slide."""
    found = []
    for offset, extent in (("a:chOff", "a:chExt"), ("a:off", "a:ext")):
        path = f"{qn('p:grpSpPr')}/{qn('a:xfrm')}/"
        at, size = group.find(path + qn(offset)), group.find(path + qn(extent))
        if at is None or size is None:
            return [0, 0, 0, 0], [0, 0, 0, 0]
        found.append([int(float(node.get(name, 0))) for node in (at, size) for name in node.keys()[:2]])
    return found[0], found[1]


def _ordered(shapes: list[Shape], row: float) -> list[Shape]:
    """From the top, and from the left those that are as high."""
    shapes.sort(key=lambda shape: (shape.top, shape.left))
    found: list[Shape] = []
    while shapes:
        beside = [shape for shape in shapes if shape.top <= shapes[0].top + row]
        found += sorted(beside, key=lambda shape: shape.left)
        del shapes[: len(beside)]
    return found


def _cell(node: Any) -> Cell | None:
    """None for what another cell in its row reaches over."""
    if node.get("hMerge") in ("1", "true"):
        return None
    text = " ".join(lines(node))
    if node.get("vMerge") in ("1", "true"):
        # The cell above says how far it reaches.
        return None
    return cell(text, node.get("gridSpan"), node.get("rowSpan"))
