"""Running heads and feet: rows that pages repeat at their edges, and the pages' numbers.

A head that stays is a blemish; what is taken for one is lost. So numbers of heads are equal, or they are the
pages' own: chapters, invoices and the rows of a table are counted, too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.parse.readers.pdf.folios import counts_pages, names_page, says_page
from index.parse.readers.pdf.lines import Line
from index.parse.readers.pdf.tables import rows_of

#: Share of the page's height at each edge, and rows there that are looked at.
_EDGE = 0.13
_ROWS_MAX = 3
#: Pages that have the same one.
_PAGES_MIN = 3
#: Pages from one to the next: left and right ones have their own.
_STEP_MAX = 2
#: Heights of a line by which it may stand higher or lower on the next page.
_MOVED = 0.5
#: Numbers of a date; fewer, and no word, are a value.
_DATE = 3

_NUMBER = re.compile(r"\d{1,18}|\b[ivxlc]+\b")
_WORD = re.compile(r"[^\W\d_]{2}")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

Own = tuple[bool, ...]
"""Which numbers of a head are the page's own."""


def without_heads(pages: Sequence[list[Line]], heights: Sequence[float]) -> list[list[Line]]:
    """The lines of consecutive pages, of each running head and foot only the first; `heights` are the pages'.

    A head is a whole row that at least three pages have at the same place, each page or every second one, or
    both of two. The first stays, but for the page's number: a title that slides repeat is not lost. A row in
    which a bookmark names a line is none.
    """
    rows = [
        row
        for number, (page, height) in enumerate(zip(pages, heights, strict=True))
        for row in _at_edges(page, number, height)
    ]
    heads = _heads(rows, min(_PAGES_MIN, max(2, len(pages))))
    gone: set[int] = set()
    kept: set[tuple[str, ...]] = set()
    for number, row in enumerate(rows):
        texts = row.texts_with(heads.get(number, ()))
        said = (row.edge, *(text for text in texts if not names_page(text)))
        if number in heads:
            again = said in kept
            found = zip(row.lines, texts, strict=True)
            gone |= {id(line) for line, text in found if again or names_page(text)}
        kept.add(said)
    return [[line for line in page if id(line) not in gone] for page in pages]


@dataclass(slots=True)
class _Row:
    """A row at an edge, or the piece of it that is a page's number."""

    page: int
    edge: str
    away: float
    """Points from the edge."""
    lines: list[Line]
    texts: list[str]
    shape: tuple[str, ...]
    """What the heads of several pages have in common: the edge, and all but the numbers."""
    numbers: list[int]

    def numbers_before(self, own: Own) -> tuple[int, ...]:
        """The numbers as they would be on the first page."""
        return tuple(one - self.page * moves for one, moves in zip(self.numbers, own, strict=True))

    def texts_with(self, own: Own) -> list[str]:
        """The texts with `#` in the place of the page's own numbers."""
        if not any(own):
            return self.texts
        left = iter(own)
        return [
            _NUMBER.sub(lambda found: "#" if next(left, False) else found[0], text) for text in self.texts
        ]

    def repeats(self, other: _Row) -> Own | None:
        """Which numbers are the page's own in the head that this row and another of its shape are; None: they
        are none, for they are elsewhere, count something else or say nothing."""
        if abs(self.away - other.away) > _MOVED * self.lines[0].height:
            return None
        step = self.page - other.page
        steps = [mine - its for mine, its in zip(self.numbers, other.numbers, strict=True)]
        named = any(line.level for line in (*self.lines, *other.lines))
        if named or any(one not in (0, step) for one in steps):
            return None
        own = tuple(one == step for one in steps)
        says = any(own) or len(own) >= _DATE or any(map(_WORD.search, self.texts))
        return own if says and all(map(counts_pages, self.texts_with(own))) else None


def _heads(rows: Sequence[_Row], least: int) -> dict[int, Own]:
    """Running heads by the number of the row, each with its numbers that are the page's own."""
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        alike[row.shape].append(number)
    runs: dict[tuple[tuple[str, ...], Own, tuple[int, ...]], set[int]] = defaultdict(set)
    for shape, numbers in alike.items():
        for place, one in enumerate(numbers):
            for other in numbers[place + 1 :]:
                step = rows[other].page - rows[one].page
                if step > _STEP_MAX:
                    break
                own = rows[other].repeats(rows[one]) if step else None
                if own is not None:
                    runs[shape, own, rows[one].numbers_before(own)] |= {one, other}
    return {
        number: own
        for (_, own, _), numbers in runs.items()
        if len({rows[number].page for number in numbers}) >= least
        for number in numbers
    }


def _at_edges(page: Sequence[Line], number: int, height: float) -> Iterator[_Row]:
    upright = [line for line in page if not line.sideways and line.height > 0]
    above = rows_of([line for line in upright if line.bottom > height * (1 - _EDGE)])
    below = rows_of([line for line in upright if line.top < height * _EDGE])
    for edge, outermost in (("top", above[:_ROWS_MAX]), ("bottom", below[-_ROWS_MAX:])):
        for row in outermost:
            rest: list[tuple[str, str, Line]] = []
            for line in row:
                # The sign stands for numbers below.
                text = " ".join(line.text.casefold().replace("#", "no ").split())
                one = _NUMBER.sub("#", text), text, line
                if says_page(one[0]):
                    yield _row(number, edge, height, [one])
                else:
                    rest.append(one)
            if rest:
                # Left and right pages have the same in another order.
                yield _row(number, edge, height, sorted(rest, key=lambda one: one[0]))


def _row(page: int, edge: str, height: float, found: Sequence[tuple[str, str, Line]]) -> _Row:
    shapes, texts, lines = (list(part) for part in zip(*found, strict=True))
    away = height - lines[0].top if edge == "top" else lines[0].bottom
    numbers = [_value(number) for text in texts for number in _NUMBER.findall(text)]
    return _Row(page, edge, away, lines, texts, (edge, *shapes), numbers)


def _value(number: str) -> int:
    if number[0].isdecimal():
        return int(number)
    digits = [_ROMAN[letter] for letter in number]
    return sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True))
