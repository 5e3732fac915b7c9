"""Rows of lines that stand beside each other, and tables of such rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from index.parse.readers.pdf.blocks import Block
from index.parse.readers.pdf.lines import Line, leftwards, plain

_TABLE_ROWS_MIN = 3
LEADERS = re.compile(r"(?:\s?[.·…_]){3,}|[.·…_]{2,}$")
_LABEL = re.compile(
    r"[-*•‣◦▪·–+o]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]?|\[\d{1,3}\]|\d{1,2}(?:\.\d{1,2}){0,4}"
)


def rows_of(column: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand beside each other, from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(column, key=lambda one: (-one.bottom - one.top, one.left)):
        last = rows[-1] if rows else None
        if last is not None:
            middle, height = (line.bottom + line.top) / 2, min(line.height, last[0].height)
            other = (last[0].bottom + last[0].top) / 2
            if abs(middle - other) < 0.5 * height and not any(_overlap(line, beside) for beside in last):
                last.append(line)
                continue
        rows.append([line])
    return [sorted(row, key=lambda one: one.left) for row in rows]


def _overlap(line: Line, other: Line) -> bool:
    return line.left < other.right - 1 and other.left < line.right - 1


def labelled(row: list[Line]) -> list[Line]:
    """The row with the label of an item, or the dots before a page's number, as a part of its text."""
    if len(row) > 1 and _LABEL.fullmatch(row[0].text) and row[1].left - row[0].right < 6 * row[0].height:
        row = [joined(row[:2]), *row[2:]]
    if len(row) > 1 and any(line.level for line in row):
        return [joined(row)]
    if len(row) > 1 and any(LEADERS.search(line.text) for line in row):
        return [joined(row)]
    return row


def joined(row: Sequence[Line]) -> Line:
    first, last = row[0], row[-1]
    if len(row) == 1:
        return first
    back = all(leftwards(line.text) for line in row)
    text = " ".join(line.text for line in (reversed(row) if back else row))
    bottom, top = min(line.bottom for line in row), max(line.top for line in row)
    bold, fixed = all(line.bold for line in row), all(line.fixed for line in row)
    level = max(line.level for line in row)
    cut = not _LABEL.fullmatch(first.text) or len(row) > 2
    return Line(text, first.left, bottom, last.right, top, bold, fixed, last.broken, level=level, cut=cut)


def table_end(rows: Sequence[list[Line]], start: int, step: float) -> int | None:
    """Where the table ends that begins with this row; None when none does."""
    if len(rows[start]) < 2:
        return None
    margin = rows[start][0].left + 1
    end, several, alone = start, 0, 0
    for number in range(start, len(rows)):
        row = rows[number]
        above = rows[number - 1][0] if number > start else None
        if above is not None and above.bottom - row[0].top > 2.5 * max(step, row[0].height):
            break
        if all(line.fixed for line in row) or any(line.level for line in row):
            break
        if len(row) > 1:
            several, alone, end = several + 1, 0, number + 1
            continue
        alone += 1
        near = above is not None and above.bottom - row[0].bottom <= 1.5 * max(step, row[0].height)
        if row[0].left > margin and near and end == number:
            # The rest of a cell.
            end = number + 1
        if alone > 3 or (row[0].left <= margin and alone > 1):
            break
    if several < _TABLE_ROWS_MIN or len(places_of(rows[start:end])) < 2:
        return None
    return end


def places_of(rows: Sequence[Sequence[Line]]) -> list[tuple[float, float]]:
    """From where to where each column of a table reaches."""
    several = [row for row in rows if len(row) > 1]
    spans = sorted((line.left, line.right) for row in several for line in row)
    found = _merged(spans)
    if len(found) < max(map(len, several), default=0):
        # A cell over several columns joins none of them.
        widths = sorted(right - left for left, right in spans)
        narrow = _merged([span for span in spans if span[1] - span[0] <= 3 * widths[len(widths) // 2]])
        return narrow if len(narrow) > len(found) else found
    return found


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    places: list[tuple[float, float]] = []
    for left, right in spans:
        if places and left <= places[-1][1] + 1:
            places[-1] = places[-1][0], max(places[-1][1], right)
        else:
            places.append((left, right))
    return places


def table(rows: Sequence[Sequence[Line]], page: int) -> Block:
    places = places_of(rows)
    cells: list[list[str]] = []
    broken: set[int] = set()
    for row in rows:
        made = [""] * len(places)
        for line in row:
            number = column_of(line, places)
            made[number] = f"{made[number]} {plain(line.text)}".strip()
        hyphened = {number for number in broken if made[number]}
        broken = {column_of(line, places) for line in row if line.broken}
        filled = [number for number, cell in enumerate(made) if cell]
        if cells and len(filled) == 1 and filled[0] > 0:
            # The rest of a cell.
            blank = "" if filled[0] in hyphened else " "
            cells[-1][filled[0]] = f"{cells[-1][filled[0]]}{blank}{made[filled[0]]}".strip()
        else:
            cells.append(made)
    every = [line for row in rows for line in row]
    return Block(
        page,
        [" ".join(row) for row in cells],
        min(line.left for line in every),
        max(line.right for line in every),
        max(line.top for line in every),
        min(line.bottom for line in every),
        median(line.height for line in every),
        rows=cells,
    )


def column_of(line: Line, places: Sequence[tuple[float, float]]) -> int:
    """The number of the column that a line stands in, or is nearest to."""
    return min(range(len(places)), key=lambda number: _distance(line, places[number]))


def _distance(line: Line, place: tuple[float, float]) -> float:
    """How far a line is from a column; below 0 when it stands in it."""
    return max(place[0] - line.right, line.left - place[1], -min(line.right - place[0], place[1] - line.left))
