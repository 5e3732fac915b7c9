"""Cells of a table in their columns, where some reach over several columns or rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: HTML allows no more: https://html.spec.whatwg.org/multipage/tables.html#attr-tdth-colspan
_COLUMNS_MAX, _ROWS_MAX = 1000, 65534


class Cell(NamedTuple):
    text: str
    across: int = 1
    """Columns that it reaches over."""
    down: int = 1
    """Rows that it reaches over; 0: all that follow."""


def cell(text: str, across: str | None, down: str | None) -> Cell:
    """A cell with the spans that markup gives it, nonsense being 1."""
    columns, rows = _number(across, 1), _number(down, 1)
    return Cell(text, columns if 1 <= columns <= _COLUMNS_MAX else 1, min(rows, _ROWS_MAX))


def grid(rows: Iterable[Iterable[Cell]]) -> list[list[str]]:
    """The texts by row and column. A cell that reaches over others has its text in the first, and the others
    are empty, so that what follows stands in its own column, and no word is there twice."""
    found: list[list[str]] = []
    below: dict[int, int] = {}
    """By column: rows that a cell from above still reaches over; below 0 when it never ends."""
    for cells in rows:
        row: list[str] = []
        after: dict[int, int] = {number: left - 1 for number, left in below.items() if left - 1 != 0}
        for one in cells:
            while len(row) in below:
                row.append("")
            for number in range(len(row), len(row) + one.across):
                if one.down != 1:
                    after[number] = one.down - 1
            row += [one.text, *[""] * (one.across - 1)]
        found.append(row)
        below = after
    return found


def _number(value: str | None, default: int) -> int:
    try:
        return int(value) if value is not None else default
    except ValueError:
        return default
