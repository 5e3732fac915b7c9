"""Paragraphs and tables of a stream of text, as RTF tells them: cells by their right edges."""

from __future__ import annotations

import bisect
from typing import NamedTuple

from index.parse.outline import Outline, squeeze

#: Twentieths of a point: edges of cells that are nearer to each other are one.
_SAME = 40


class _Row(NamedTuple):
    cells: list[str]
    edges: list[int]


class Story:
    """The text of a document, of a note or of a box. What is not ended yet is in `inline`."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.inline: list[str] = []
        self.edges: list[int] = []
        """The right edges of the cells of a row, in twips."""
        self.in_table = False
        self.listed = False
        self.level: int | None = None
        """Of a heading, from 0; None for a text."""
        self._cells: list[str] = []
        self._rows: list[_Row] = []
        self._boxes: list[Story] = []

    def box(self) -> Story:
        """A text beside this one. It is read behind the paragraph in which it is anchored."""
        story = Story(Outline())
        self._boxes.append(story)
        return story

    def plain(self) -> None:
        """The properties of a paragraph are those of a text."""
        self.in_table = self.listed = False
        self.level = None

    def paragraph(self) -> None:
        if self.in_table or self._cells:
            self.inline.append("\n")
            return
        self._end_table()
        text = self._taken()
        if self.level is not None and 0 <= self.level <= 8:
            self.outline.heading(text, self.level + 1)
        else:
            self.outline.add(text, "ListItem" if self.listed else "NarrativeText")
        self._end_boxes()

    def cell(self) -> None:
        self._cells.append(squeeze(self._taken().replace("\n", " ")))

    def define(self) -> None:
        """A row begins, or is described once more at its end."""
        self.edges = []
        if not self.in_table and not self._cells and "".join(self.inline).strip():
            self.paragraph()

    def row(self) -> None:
        if "".join(self.inline).strip():
            self.cell()
        if self._cells:
            self._rows.append(_Row(self._cells, self.edges))
        self._cells = []

    def end(self) -> None:
        if self._cells:
            self.row()
        self.plain()
        self.paragraph()

    def _taken(self) -> str:
        # Characters beyond the first 65,536 are two in RTF.
        text = "".join(self.inline).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self.inline.clear()
        return text

    def _end_boxes(self) -> None:
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self.outline.extend(box.outline)

    def _end_table(self) -> None:
        if not self._rows:
            return
        edges: list[int] = []
        for edge in sorted({edge for row in self._rows for edge in row.edges}):
            if not edges or edge - edges[-1] > _SAME:
                edges.append(edge)
        rows = [_placed(row, edges) for row in self._rows]
        self._rows = []
        if all(len(row) <= 1 for row in rows):
            # A frame around a text.
            for row in rows:
                self.outline.add("".join(row), "NarrativeText")
        else:
            self.outline.table(rows)
        self._end_boxes()


def _placed(row: _Row, edges: list[int]) -> list[str]:
    """The texts of a row, each in the first of the columns that its cell reaches over."""
    if len(row.edges) < len(row.cells):
        return row.cells
    placed: list[str] = []
    for text, edge in zip(row.cells, row.edges, strict=False):
        placed.append(text)
        last = bisect.bisect_right(edges, edge)
        placed += [""] * (last - len(placed))
    return placed
