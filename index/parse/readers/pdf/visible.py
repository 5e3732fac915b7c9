"""The lines of a page that a reader sees: no invisible text but that of a scan, and no marks for printers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pypdfium2.raw as pdfium

from index.parse.readers.pdf.lines import Line
from index.parse.readers.pdf.turning import Box, Turn

#: Share of a page's letters that may lie outside of its trimmed part; where more do, the part is wrong.
_MARKS_MAX = 0.1
#: Points between the trimmed part and what is outside of it.
_SLACK = 2.0


def visible(found: list[Line], page: Any, turn: Turn) -> list[Line]:
    """The lines but those that are set invisible, unless a picture lies below them or the page has no others;
    and but those outside of the trimmed page: names of inks, dates of printing."""
    return _trimmed(_seen(found, page, turn), page, turn)


def _seen(found: list[Line], page: Any, turn: Turn) -> list[Line]:
    if all(line.invisible for line in found) or not any(line.invisible for line in found):
        return found
    pictures: list[Box] = []
    for picture in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
        if picture.level:
            # Its place is that in another object.
            return found
        pictures.append(turn(picture.get_bounds()))
    return [line for line in found if not line.invisible or any(_lies_in(line, box) for box in pictures)]


def _trimmed(found: list[Line], page: Any, turn: Turn) -> list[Line]:
    trim = page.get_trimbox()
    if trim == page.get_cropbox():
        return found
    left, bottom, right, top = turn(trim)
    whole = left - _SLACK, bottom - _SLACK, right + _SLACK, top + _SLACK
    inside = [line for line in found if not line.height or _touches(line, whole)]
    marks = _letters(found) - _letters(inside)
    return inside if marks <= _MARKS_MAX * _letters(found) else found


def _letters(found: Sequence[Line]) -> int:
    return sum(len(line.text) for line in found)


def _lies_in(line: Line, box: Box) -> bool:
    across, up = (line.left + line.right) / 2, (line.bottom + line.top) / 2
    return box[0] <= across <= box[2] and box[1] <= up <= box[3]


def _touches(line: Line, box: Box) -> bool:
    return box[0] < line.right and line.left < box[2] and box[1] < line.top and line.bottom < box[3]
