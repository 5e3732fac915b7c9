"""Paragraphs, tables and programs, out of lines that are read together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from index.parse.readers.pdf.lines import Line, plain

BULLET = re.compile(r"[-*•‣◦▪·–]\s|\(?\d{1,3}[.)]\s|\(?[a-z][.)]\s|\[\d{1,3}\]\s")
_ENDED = (".", "!", "?", ":", "…", "”", '."', ".)")


@dataclass(slots=True)
class Block:
    """A paragraph, a table or the lines of a program."""

    page: int
    lines: list[str]
    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    height: float = 0.0
    bold: bool = False
    rows: list[list[str]] = field(default_factory=list)
    """Of a table."""
    fixed: bool = False
    broken: bool = False
    """Whether its last word goes on in the next block."""
    level: int = 0
    """Of a heading, from 1; 0: bookmarks name none here."""
    cut: bool = False
    """Whether its first line has wide gaps, as labels in a figure."""

    @property
    def text(self) -> str:
        return plain("\n".join(self.lines))

    @property
    def kind(self) -> str:
        if self.rows:
            return "Table"
        if self.fixed and (len(self.lines) > 1 or not self.lines[0].endswith(".")):
            return "CodeSnippet"
        return "ListItem" if BULLET.match(self.lines[0]) else "NarrativeText"


def continued(found: Sequence[Block]) -> list[Block]:
    """The blocks, each paragraph whole that goes on in the next column or on the next page."""
    whole: list[Block] = []
    for block in found:
        before = _before(whole, block)
        if before is None:
            whole.append(block)
            continue
        before.lines[-1] += ("" if before.broken else " ") + block.lines[0]
        before.lines += block.lines[1:]
        # What comes next is compared with its end.
        before.left, before.bottom, before.broken = block.left, block.bottom, block.broken
    return whole


def _before(whole: Sequence[Block], block: Block) -> Block | None:
    """The paragraph that this block goes on with; None when it begins one. Footnotes stand between."""
    if block.rows or block.fixed or block.level or BULLET.match(block.lines[0]):
        return None
    for before in reversed(whole[-4:]):
        if before.rows or before.fixed or before.level:
            return None
        if before.height < 0.93 * block.height:
            continue
        alike = before.height <= 1.07 * block.height and before.bold == block.bold
        above = before.page < block.page or block.top > before.bottom
        goes_on = before.broken or block.lines[0][0].islower()
        ended = before.lines[-1].endswith((*_ENDED, ";"))
        return before if alike and above and goes_on and not ended else None
    return None


def step_of(column: Sequence[Line]) -> float:
    """The distance of most lines inside paragraphs: a low quartile, since the gaps between them are wider."""
    steps = sorted(above.bottom - below.bottom for above, below in pairwise(column))
    steps = [step for step in steps if step > 1]
    return steps[len(steps) // 4] if steps else 0.0


def paragraphs(found: Sequence[Line], page: int, step: float) -> Iterator[Block]:
    if not found:
        return
    full = max(line.right for line in found)
    margin = _margin(found)
    width = full - margin
    block: Block | None = None
    above: Line | None = None
    for line in found:
        if block is None or above is None or _begins(line, above, block, step, margin, full):
            if block is not None:
                yield block
            block = Block(
                page, [line.text], line.left, line.right, line.top, line.bottom, line.height, line.bold
            )
            block.fixed, block.level, block.cut = line.fixed, line.level, line.cut
        elif block.fixed and line.fixed:
            indent = round((line.left - block.left) / max(1.0, 0.55 * line.height))
            block.lines.append(" " * max(0, indent) + line.text)
        elif above.broken:
            block.lines[-1] += line.text
        elif above.right >= full - 0.35 * width:
            # A full line was broken by the margin, a short one by its author.
            block.lines[-1] += " " + line.text
            # The gaps of a line that fills its column are those of justified text.
            block.cut = block.cut and not (above.left <= margin + 1 and above.right >= full - 1)
        else:
            block.lines.append(line.text)
        block.right, block.bottom = max(block.right, line.right), line.bottom
        block.bold, block.broken = block.bold and line.bold, line.broken
        above = line
    if block is not None:
        yield block


def _margin(found: Sequence[Line]) -> float:
    """Where most lines begin."""
    return float(Counter(round(line.left) for line in found).most_common(1)[0][0])


def _begins(line: Line, above: Line, block: Block, step: float, margin: float, full: float) -> bool:
    """Whether a line begins another block than the line above it."""
    gap = above.bottom - line.bottom
    if line.level or above.level:
        return line.level != above.level or gap > 2.2 * max(step, line.height)
    if not -0.2 * step <= gap <= 1.35 * max(step, 0.8 * line.height):
        return True
    if abs(line.height - block.height) > 0.15 * block.height:
        return True
    if line.fixed != block.fixed:
        # A word in the type of programs may be all that is in a paragraph's last line.
        word = line.fixed and " " not in line.text and above.right > full - 0.1 * (full - margin)
        return not (word and abs(line.left - above.left) < 2)
    if line.fixed or above.broken:
        return False
    if line.bold != above.bold and line.left <= block.left + 1 and (line.bold or above.right < 0.9 * full):
        return True
    if BULLET.match(line.text):
        return True
    if above.right < full - 0.4 * (full - margin) and above.text.endswith(_ENDED):
        return True
    indent = line.left - above.left
    hanging = BULLET.match(block.lines[0]) is not None
    # A first line that is set in; or the margin again, below lines that are set in.
    first = 0.4 * line.height < indent < 4 * line.height and abs(above.left - margin) < 2 and not hanging
    # The rest of an item may begin at the margin.
    rest = line.text[0].islower() and above.right > full - 0.3 * (full - margin)
    return (first and above.text.endswith(_ENDED)) or (indent < -0.4 * line.height and hanging and not rest)
