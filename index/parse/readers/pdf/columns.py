"""Columns of prose: lines that are read together.

A file draws its lines in any order. Only prose makes columns: the cells of a table stand in columns, too, and
are read by rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

from index.parse.readers.pdf.lines import Line

#: Points: gutters are looked for on a grid of this width.
_GRID = 1.0
_GUTTER_MIN = 8.0
#: Points: lines of one row differ less in their places.
_SAME_ROW = 3.0
#: Lines on each side of a gutter, and their mean length in characters: fewer or shorter ones are a table's.
_COLUMN_LINES_MIN = 4
_COLUMN_CHARACTERS_MIN = 18
#: Share of the lines that may cross a gutter: a title, an abstract, a wide figure.
_CROSSING_MAX = 0.6
#: Share of a line that may reach over the gutter, as a long link does, and of the lines that do.
_OVER = 0.15
_FEW = 0.04
#: Heights of a line between a column and what stands below both.
_APART = 0.8


def columns(found: Sequence[Line]) -> list[list[Line]]:
    """Lines that are read together, from top to bottom each: of two columns of prose first the left one, down
    to where a line crosses the gutter between them."""
    gutter = _gutter(found)
    if gutter is None:
        return [list(found)] if found else []
    bands: list[list[Line]] = []
    left: list[Line] = []
    right: list[Line] = []

    def end_band() -> None:
        tails = [_tail(side, other) for side, other in ((left, right), (right, left))]
        for lines in (left, right, *tails):
            bands.extend(columns(lines))
        left.clear()
        right.clear()

    crossing: list[Line] = []
    for line in sorted(found, key=lambda one: (-one.top, one.left)):
        over = _OVER * (line.right - line.left)
        if line.right <= gutter + over:
            side = left
        elif line.left >= gutter - over:
            side = right
        else:
            end_band()
            crossing.append(line)
            continue
        if crossing:
            bands.append(crossing)
            crossing = []
        side.append(line)
    end_band()
    return [band for band in [*bands, crossing] if band]


def _tail(side: list[Line], other: Sequence[Line]) -> list[Line]:
    """Take the lines out of a column that stand apart from it, below the end of the other one."""
    end = min((line.bottom for line in other), default=None)
    if end is None:
        return []
    for number, (above, line) in enumerate(pairwise(side), start=1):
        if line.top < end and above.bottom - line.top > _APART * line.height:
            tail = side[number:]
            del side[number:]
            return tail
    return []


def _gutter(found: Sequence[Line]) -> float | None:
    """The middle of the gap between two columns of prose; None where there is none."""
    if len(found) < 2 * _COLUMN_LINES_MIN:
        return None
    low, high = min(line.left for line in found), max(line.right for line in found)
    steps = [0] * (int((high - low) / _GRID) + 3)
    for line in found:
        steps[int((line.left - low) / _GRID)] += 1
        steps[int((line.right - low) / _GRID) + 1] -= 1
    # Lines over each place of the grid.
    crossed = list(accumulate(steps))[:-1]
    best: tuple[int, float, float] | None = None
    margin = len(crossed) // 7
    inner = crossed[margin : len(crossed) - margin]
    if not inner or (least := min(inner)) > _CROSSING_MAX * len(found):
        return None
    few = least + max(2, int(_FEW * len(found)))
    start: int | None = None
    for place in range(margin, len(crossed) - margin + 1):
        clear = place < len(crossed) - margin and crossed[place] <= few
        if clear and start is None:
            start = place
        elif not clear and start is not None:
            width = (place - start) * _GRID
            if best is None or width > best[1]:
                best = start, width, low + (start + place) / 2 * _GRID
            start = None
    if best is None or best[1] < _GUTTER_MIN:
        return None
    middle = best[2]
    sides = [line for line in found if line.right <= middle], [line for line in found if line.left >= middle]
    # A side may be several columns.
    prose = all(_is_prose(side) or _gutter(side) is not None for side in sides)
    return middle if prose and _side_by_side(*sides) else None


def _is_prose(side: Sequence[Line]) -> bool:
    # The cells of a row are one line: a table may stand in a column of prose.
    rows: dict[int, Line] = {}
    for line in side:
        base = round(line.bottom / _SAME_ROW)
        if base not in rows or len(line.text) > len(rows[base].text):
            rows[base] = line
    if len(rows) < _COLUMN_LINES_MIN:
        return False
    width = max(line.right for line in side) - min(line.left for line in side)
    wide = sum(line.right - line.left > 0.7 * width for line in rows.values())
    return (
        wide * 2 >= len(rows) and median(len(line.text) for line in rows.values()) >= _COLUMN_CHARACTERS_MIN
    )


def _side_by_side(left: Sequence[Line], right: Sequence[Line]) -> bool:
    top = min(max(line.top for line in left), max(line.top for line in right))
    bottom = max(min(line.bottom for line in left), min(line.bottom for line in right))
    lesser = min(_extent(left), _extent(right))
    return top - bottom >= 0.4 * lesser


def _extent(side: Sequence[Line]) -> float:
    return max(line.top for line in side) - min(line.bottom for line in side)
