"""The ruling lines of a page: thin paths, and the edges of what is filled, across and down."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_float, c_int
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from index.parse.readers.pdf.turning import Box, Turn

#: Points: what is thicker is an area, and has edges.
_THICK = 3.0
#: Points: rules nearer than this are one, as the two edges of a border are.
NEAR = 3.0
#: Points: rules in one line with a narrower gap between them are one; shorter ones are parts of a drawing.
_TOUCH, _LONG = 2.0, 8.0
#: Of a page; a map has more, and no table.
_OBJECTS_MAX, _SEGMENTS_MAX, _STROKES_MAX, _FORMS_MAX = 20_000, 2_000, 20_000, 3


class Rule(NamedTuple):
    """A line across the page, or down."""

    place: float
    """Its height on the page; of a rule down, its distance from the left edge."""
    start: float
    end: float

    def covers(self, start: float, end: float) -> bool:
        """Whether it stands beside most of an extent."""
        return min(self.end, end) - max(self.start, start) > 0.6 * (end - start)


class Rules(NamedTuple):
    across: list[Rule]
    down: list[Rule]


def rules(page: Any, turn: Turn) -> Rules:
    """The ruling lines of a page; `turn` gives places on the page as it is shown."""
    strokes: list[Box] = []
    count = pdfium.FPDFPage_CountObjects(page.raw)
    for number in range(min(count, _OBJECTS_MAX)):
        _draw(pdfium.FPDFPage_GetObject(page.raw, number), (), strokes)
    across: list[Rule] = []
    down: list[Rule] = []
    if len(strokes) > _STROKES_MAX:
        return Rules(across, down)
    for left, bottom, right, top in map(turn, strokes):
        if top - bottom <= _THICK < right - left:
            across.append(Rule((bottom + top) / 2, left, right))
        elif right - left <= _THICK < top - bottom:
            down.append(Rule((left + right) / 2, bottom, top))
    return Rules(_merged(across), _merged(down))


def _merged(found: Sequence[Rule]) -> list[Rule]:
    """The rules, those that lie in one line and touch as one."""
    merged: list[Rule] = []
    ordered = sorted(found)
    begin = 0
    for number in range(1, len(ordered) + 1):
        if number < len(ordered) and ordered[number].place - ordered[begin].place <= NEAR:
            continue
        group = sorted(ordered[begin:number], key=lambda rule: rule.start)
        place = sum(rule.place for rule in group) / len(group)
        start, end = group[0].start, group[0].end
        for rule in group[1:]:
            if rule.start > end + _TOUCH:
                merged.append(Rule(place, start, end))
                start = rule.start
            end = max(end, rule.end)
        merged.append(Rule(place, start, end))
        begin = number
    return [rule for rule in merged if rule.end - rule.start >= _LONG]


_Matrix = tuple[float, float, float, float, float, float]


def _draw(drawn: Any, outer: tuple[_Matrix, ...], strokes: list[Box]) -> None:
    """Add the thin boxes of an object, and the straight edges of a wider one."""
    kind = pdfium.FPDFPageObj_GetType(drawn)
    if kind == pdfium.FPDF_PAGEOBJ_PATH:
        _draw_path(drawn, outer, strokes)
    elif kind == pdfium.FPDF_PAGEOBJ_FORM and len(outer) < _FORMS_MAX:
        inner = (_matrix(drawn), *outer)
        for number in range(min(pdfium.FPDFFormObj_CountObjects(drawn), _OBJECTS_MAX)):
            _draw(pdfium.FPDFFormObj_GetObject(drawn, number), inner, strokes)


def _draw_path(path: Any, outer: tuple[_Matrix, ...], strokes: list[Box]) -> None:
    left, bottom, right, top = c_float(), c_float(), c_float(), c_float()
    pdfium.FPDFPageObj_GetBounds(path, byref(left), byref(bottom), byref(right), byref(top))
    width, height = right.value - left.value, top.value - bottom.value
    if width < _LONG and height < _LONG and not outer:
        return
    fill, stroke = c_int(), c_int()
    pdfium.FPDFPath_GetDrawMode(path, byref(fill), byref(stroke))
    if not (fill.value or stroke.value):
        return
    if width <= _THICK or height <= _THICK:
        corners = (left.value, bottom.value), (right.value, top.value)
        strokes.append(_around(*(_moved(x, y, outer) for x, y in corners)))
        return
    count = pdfium.FPDFPath_CountSegments(path)
    if not 0 < count <= _SEGMENTS_MAX:
        return
    matrices = (_matrix(path), *outer)
    x, y = c_float(), c_float()
    first = before = (0.0, 0.0)
    for number in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, number)
        pdfium.FPDFPathSegment_GetPoint(segment, byref(x), byref(y))
        point = _moved(x.value, y.value, matrices)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            strokes.append(_around(before, point))
        before = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            strokes.append(_around(point, first))
            before = first


def _matrix(drawn: Any) -> _Matrix:
    found = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(drawn, byref(found))
    return found.a, found.b, found.c, found.d, found.e, found.f


def _moved(x: float, y: float, matrices: Sequence[_Matrix]) -> tuple[float, float]:
    """A point, moved by one matrix after the other."""
    for a, b, c, d, e, f in matrices:
        x, y = a * x + c * y + e, b * x + d * y + f
    return x, y


def _around(one: tuple[float, float], other: tuple[float, float]) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])
