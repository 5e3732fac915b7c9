"""The lines of a page as a reader's eye takes them: column by column, tables by rows, paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.parse.readers.pdf.blocks import Block, paragraphs, step_of
from index.parse.readers.pdf.columns import columns
from index.parse.readers.pdf.grids import Grid
from index.parse.readers.pdf.lines import Line
from index.parse.readers.pdf.tables import joined, labelled, rows_of, table, table_end


@dataclass(slots=True)
class _Ruled(Line):
    """A table with rules, in the place of its lines."""

    block: Block | None = None


def blocks(found: Sequence[Line], page: int, grids: Sequence[Grid] = ()) -> list[Block]:
    """The blocks of a page's lines, in reading order."""
    upright = [line for line in found if not line.sideways and line.height > 0]
    # Without places the order of the file is all there is.
    others = [line for line in found if line.sideways or line.height <= 0]
    for grid in grids:
        upright = _with_table(upright, grid, page)
    made = [block for column in columns(upright) for block in _column(column, page)]
    return made + [Block(page, [line.text], height=line.height, level=line.level) for line in others]


def _with_table(found: list[Line], grid: Grid, page: int) -> list[Line]:
    """The lines, those in the grid as one, where they are a table."""
    inside = [line for line in found if grid.holds(line)]
    if not inside or any(line.level or isinstance(line, _Ruled) for line in inside):
        return found
    made = grid.table(inside, page)
    if made is None:
        return found
    taken = set(map(id, inside))
    ruled = _Ruled("", made.left, made.bottom, made.right, made.top, block=made)
    return [*(line for line in found if id(line) not in taken), ruled]


def _column(column: Sequence[Line], page: int) -> Iterator[Block]:
    ruled = sorted((line for line in column if isinstance(line, _Ruled)), key=lambda one: -one.top)
    rest = [line for line in column if not isinstance(line, _Ruled)]
    step = step_of([row[0] for row in rows_of(rest)])
    for one in ruled:
        middle = (one.bottom + one.top) / 2
        yield from _unruled([line for line in rest if line.bottom + line.top >= 2 * middle], page, step)
        rest = [line for line in rest if line.bottom + line.top < 2 * middle]
        if one.block is not None:
            yield one.block
    yield from _unruled(rest, page, step)


def _unruled(column: Sequence[Line], page: int, step: float) -> Iterator[Block]:
    rows = [labelled(row) for row in rows_of(column)]
    prose: list[Line] = []
    number = 0
    while number < len(rows):
        end = table_end(rows, number, step)
        if end is None:
            prose.append(joined(rows[number]))
            number += 1
            continue
        yield from paragraphs(prose, page, step)
        prose = []
        yield table(rows[number:end], page)
        number = end
    yield from paragraphs(prose, page, step)
