"""Tables that are drawn with ruling lines: their cells are where the rules part them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from index.parse.readers.pdf.blocks import Block
from index.parse.readers.pdf.lines import Line, plain
from index.parse.readers.pdf.rules import NEAR, Rule, Rules
from index.parse.readers.pdf.tables import LEADERS, column_of, labelled, places_of, rows_of

#: Rules of one table; a chart, a map or a form has more.
_RULES_MAX = 1_000
#: Characters of one cell: more are a page's layout in boxes.
_CELL_MAX = 2_000
#: Share of the cells that have text; a chart's squares have none.
_FILLED_MIN = 0.15
#: Share of the lines' breaks in a row's cells that the cells' width explains; with fewer each line is a row.
_WRAPPED_MIN = 0.3

#: Points at both sides of a cell's text.
_PADDING = 4.0

Place = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rules that cross each other."""

    columns: tuple[float, ...]
    """Borders from left to right."""
    rows: tuple[float, ...]
    """Borders from top to bottom."""
    rules: Rules

    @property
    def area(self) -> float:
        return (self.columns[-1] - self.columns[0]) * (self.rows[0] - self.rows[-1])

    def holds(self, line: Line) -> bool:
        across, up = (line.left + line.right) / 2, (line.bottom + line.top) / 2
        return (
            self.columns[0] - 1 <= across <= self.columns[-1] + 1
            and self.rows[-1] - 1 <= up <= self.rows[0] + 1
        )

    def table(self, found: Sequence[Line], page: int) -> Block | None:
        """The table of these lines, which lie in the grid; None where they are none: a frame, a chart, a
        layout in boxes."""
        cells = self._cells(found)
        if cells is None:
            return None
        bands = list(self._bands(cells))
        columns = _subcolumns([row for band in bands for row in band])
        rows = [row for band in bands for row in _text_rows(band, columns)]
        if len(rows) < 2 or len(rows[0]) < 2:
            return None
        return Block(
            page,
            [" ".join(filter(None, row)) for row in rows],
            self.columns[0],
            self.columns[-1],
            self.rows[0],
            self.rows[-1],
            median(line.height for line in found),
            rows=rows,
        )

    def _cells(self, found: Sequence[Line]) -> dict[Place, list[Line]] | None:
        """The lines by cells: of merged ones the first, but that each line of several beside each other has
        its own; None where a cell holds more than cells do, or most hold nothing."""
        first = self._first()
        merged: dict[Place, list[tuple[Place, Line]]] = defaultdict(list)
        for line in found:
            row = _between(-(line.bottom + line.top) / 2, [-border for border in self.rows])
            column = _between((line.left + line.right) / 2, self.columns)
            merged[first[row, column]].append(((row, column), line))
        cells: dict[Place, list[Line]] = defaultdict(list)
        for place, lines in merged.items():
            if sum(len(line.text) for _, line in lines) > _CELL_MAX:
                return None
            beside = any(len(row) > 1 for row in rows_of([line for _, line in lines]))
            for (_, column), line in lines:
                cells[place[0], column if beside and self._fits(line, column) else place[1]].append(line)
        return cells if len(cells) >= _FILLED_MIN * len(set(first.values())) else None

    def _fits(self, line: Line, column: int) -> bool:
        return self.columns[column] - 2 <= line.left and line.right <= self.columns[column + 1] + 2

    def _first(self) -> dict[Place, Place]:
        """The upper left place of each place's cell: places without a rule between them are one."""
        parent = {
            (row, column): (row, column)
            for row in range(len(self.rows) - 1)
            for column in range(len(self.columns) - 1)
        }

        def root(place: Place) -> Place:
            while parent[place] != place:
                place = parent[place]
            return place

        def join(one: Place, other: Place) -> None:
            low, high = sorted((root(one), root(other)))
            parent[high] = low

        for row, column in parent:
            top, bottom = self.rows[row], self.rows[row + 1]
            left, right = self.columns[column], self.columns[column + 1]
            if column + 2 < len(self.columns) and not _ruled(self.rules.down, right, bottom, top):
                join((row, column), (row, column + 1))
            if row + 2 < len(self.rows) and not _ruled(self.rules.across, bottom, left, right):
                join((row, column), (row + 1, column))
        return {place: root(place) for place in parent}

    def _bands(self, cells: dict[Place, list[Line]]) -> Iterator[list[dict[int, list[Line]]]]:
        """The rows between rules, each as its rows of text where no rule stands between these."""
        bands: dict[int, dict[int, list[Line]]] = defaultdict(dict)
        for (row, column), lines in cells.items():
            bands[row][column] = lines
        for row in sorted(bands):
            band = bands[row]
            texts = rows_of([line for lines in band.values() for line in lines])
            several = sum(len(text) * 2 > len(band) for text in texts) * 2 > len(texts) > 1
            if len(band) > 1 and several and _are_numbers(band) and not self._wrapped(band):
                known = {id(line): column for column, lines in band.items() for line in lines}
                yield [_by_column(text, known) for text in texts]
            else:
                yield [band]

    def _wrapped(self, band: dict[int, list[Line]]) -> bool:
        """Whether lines end where the next word would not have had room."""
        breaks = forced = 0
        for column, lines in band.items():
            room = self.columns[column + 1] - self.columns[column] - _PADDING
            for line, below in pairwise(sorted(lines, key=lambda one: -one.top)):
                word = below.text.split(" ", 1)[0]
                width = (below.right - below.left) * (len(word) + 1) / max(1, len(below.text))
                # A number is no rest of another one, and nothing follows dots before numbers.
                numbers = line.text[-1:].isdigit() and word[:1].isdigit()
                full = line.right - line.left + width > room and not (numbers or LEADERS.search(line.text))
                breaks, forced = breaks + 1, forced + (line.broken or full)
        return forced > _WRAPPED_MIN * breaks


def grids(found: Rules) -> list[Grid]:
    """The grids of a page's rules, the smallest first."""
    across, down = found
    if len(across) < 2 or len(down) < 1 or len(across) + len(down) > _RULES_MAX:
        return []
    groups = list(range(len(across) + len(down)))

    def root(number: int) -> int:
        while groups[number] != number:
            groups[number] = groups[groups[number]]
            number = groups[number]
        return number

    for one, rule in enumerate(across):
        for other, post in enumerate(down):
            if _cross(rule, post):
                groups[root(one)] = root(len(across) + other)
    parts: dict[int, Rules] = defaultdict(lambda: Rules([], []))
    for one, rule in enumerate(across):
        parts[root(one)].across.append(rule)
    for other, post in enumerate(down):
        parts[root(len(across) + other)].down.append(post)
    made = [_grid(part) for part in parts.values() if part.across and part.down]
    return sorted((grid for grid in made if grid is not None), key=lambda grid: grid.area)


def _cross(rule: Rule, post: Rule) -> bool:
    return (
        rule.start - NEAR <= post.place <= rule.end + NEAR
        and post.start - NEAR <= rule.place <= post.end + NEAR
    )


def _grid(part: Rules) -> Grid | None:
    """The grid of rules that cross; an open side ends where the rules do."""
    columns = _borders([rule.place for rule in part.down], part.across)
    rows = _borders([rule.place for rule in part.across], part.down)
    if len(columns) < 3 or len(rows) < 3:
        return None
    return Grid(columns, tuple(reversed(rows)), part)


def _borders(places: Sequence[float], others: Sequence[Rule]) -> tuple[float, ...]:
    low, high = min(rule.start for rule in others), max(rule.end for rule in others)
    found: list[float] = []
    for place in sorted([*places, low, high]):
        if not found or place - found[-1] > NEAR:
            found.append(place)
    return tuple(found)


def _ruled(rules: Sequence[Rule], place: float, start: float, end: float) -> bool:
    return any(abs(rule.place - place) <= NEAR and rule.covers(start, end) for rule in rules)


def _between(place: float, borders: Sequence[float]) -> int:
    """The number of the interval between ascending borders that a place lies in."""
    inner = borders[1:-1]
    return sum(border <= place for border in inner)


def _by_column(text: Sequence[Line], known: dict[int, int]) -> dict[int, list[Line]]:
    row: dict[int, list[Line]] = defaultdict(list)
    for line in text:
        row[known[id(line)]].append(line)
    return row


def _are_numbers(band: dict[int, list[Line]]) -> bool:
    """Whether most lines beside the first column are numbers: a header may be broken into lines, too."""
    lines = [line.text for column, lines in band.items() if column != min(band) for line in lines]
    return sum(any(map(str.isdigit, text)) for text in lines) * 2 > len(lines)


def _subcolumns(rows: Sequence[dict[int, list[Line]]]) -> dict[int, list[tuple[float, float]]]:
    """By column between rules: the columns in it, most of whose rows have several lines beside each other."""
    found: dict[int, list[tuple[float, float]]] = {}
    for column in sorted({column for row in rows for column in row}):
        texts = [text for row in rows if column in row for text in map(labelled, rows_of(row[column]))]
        several = [text for text in texts if len(text) > 1]
        if len(several) > 1 and len(several) * 2 >= len(texts):
            found[column] = places_of(several)
        else:
            found[column] = [(0.0, 0.0)]
    return found


def _text_rows(
    band: Sequence[dict[int, list[Line]]], columns: dict[int, list[tuple[float, float]]]
) -> list[list[str]]:
    """The cells' texts of the rows between two rules."""
    rows: list[list[str]] = []
    for row in band:
        texts: list[str] = []
        for column, places in columns.items():
            lines = row.get(column, [])
            parts = [[line for line in lines if column_of(line, places) == n] for n in range(len(places))]
            texts += map(_text, parts)
        filled = [number for number, text in enumerate(texts) if text]
        if rows and len(filled) == 1 and filled[0] > 0:
            # The rest of a cell.
            rows[-1][filled[0]] = f"{rows[-1][filled[0]]} {texts[filled[0]]}".strip()
        elif filled:
            rows.append(texts)
    return rows


def _text(found: Sequence[Line]) -> str:
    """The text of a cell, whose lines only its width breaks."""
    text, broken = "", False
    for line in (line for row in rows_of(found) for line in row):
        text += line.text if broken or not text else f" {line.text}"
        broken = line.broken
    return plain(text)
