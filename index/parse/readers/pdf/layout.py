"""The lines of a page as a reader's eye takes them: column by column, tables by rows, paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from index.parse.readers.pdf.blocks import Block, paragraphs, step_of
from index.parse.readers.pdf.columns import columns
from index.parse.readers.pdf.lines import Line
from index.parse.readers.pdf.tables import joined, labelled, rows_of, table, table_end


def blocks(found: Sequence[Line], page: int) -> list[Block]:
    """The blocks of a page's lines, in reading order."""
    upright = [line for line in found if not line.sideways and line.height > 0]
    # Without places the order of the file is all there is.
    others = [line for line in found if line.sideways or line.height <= 0]
    made = [block for column in columns(upright) for block in _column(column, page)]
    return made + [Block(page, [line.text], height=line.height, level=line.level) for line in others]


def _column(column: Sequence[Line], page: int) -> Iterator[Block]:
    rows = [labelled(row) for row in rows_of(column)]
    prose: list[Line] = []
    number = 0
    step = step_of([row[0] for row in rows])
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
