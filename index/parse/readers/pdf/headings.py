"""Headings: the places that bookmarks point to; without them, what is larger, or numbered and set apart.

A false heading would be a hard boundary between chunks, and would be cited.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium
from unstructured.partition.text_type import is_possible_narrative_text, is_possible_title

from index.parse.outline import squeeze
from index.parse.readers.pdf.blocks import BULLET, Block
from index.parse.readers.pdf.lines import Line, plain

#: Ratio to the body's height; less is a matter of emphasis.
LARGER = 1.15
#: The same for numbered headings.
_LARGER_NUMBERED = 1.05
_WORDS_MAX = 14
_LEVELS_MAX = 3
BOOKMARKS_MAX = 5000
#: Lines that a heading is broken into.
_LINES_MAX = 4
#: Characters of a number that stands in a line of its own, above its heading.
_NUMBER_MAX = 12
#: Characters of a block that is no label.
_PROSE_MIN = 25

_NUMBERING = re.compile(r"^(?:chapter|section|part|appendix)?\s*[\dA-Z]?[\d.]*[.:)]?\s+", re.IGNORECASE)
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(?=[^\W\d_])")


class Bookmark(NamedTuple):
    title: str
    level: int
    """From 1."""
    top: float | None
    """The height on its page that it points to, in points; None: the page as a whole."""


def bookmarks(document: Any) -> dict[int, list[Bookmark]]:
    """Bookmarks by page, from 0. The one bookmark at the top is the title; several are chapters below it."""
    found: dict[int, list[Bookmark]] = {}
    count = tops = 0
    for bookmark in document.get_toc():
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            found.setdefault(page, []).append(
                Bookmark(bookmark.get_title(), bookmark.level + 1, _top(target))
            )
            count, tops = count + 1, tops + (bookmark.level == 0)
        if count >= BOOKMARKS_MAX:
            break
    if tops == 1:
        return found
    return {page: [b._replace(level=b.level + 1) for b in named] for page, named in found.items()}


def _top(target: Any) -> float | None:
    mode, place = target.get_view()
    number = {pdfium.PDFDEST_VIEW_XYZ: 1, pdfium.PDFDEST_VIEW_FITH: 0, pdfium.PDFDEST_VIEW_FITR: 3}.get(mode)
    return place[number] if number is not None and number < len(place) else None


def mark(found: list[Line], named: Sequence[Bookmark]) -> list[Line]:
    """The lines of a page, those that bookmarks name with their levels. A bookmark whose title stands
    nowhere is a line of its own at its place."""
    if not named:
        return found
    upright = sorted((line for line in found if not line.sideways), key=lambda one: (-one.top, one.left))
    letters = [_letters(line.text) for line in upright]
    for bookmark in named:
        heading = _named(upright, letters, bookmark)
        if heading:
            for line in heading:
                line.level = bookmark.level
            continue
        label = squeeze(bookmark.title)
        if label:
            found = _with_label(found, upright, bookmark, label)
    return found


def _named(upright: Sequence[Line], letters: Sequence[str], bookmark: Bookmark) -> list[Line]:
    """The lines that hold a bookmark's title, those nearest to where it points; `letters` are the lines'."""
    wanted = _key(bookmark.title)
    begin = _letters(bookmark.title)
    best: tuple[float, list[Line]] | None = None
    for number, first in enumerate(upright):
        # Few begin as it does, or are a number alone: only those are compared whole.
        alone = not letters[number] and len(first.text) < _NUMBER_MAX
        if (
            first.level
            or not wanted
            or not (alone or (letters[number] and begin.startswith(letters[number])))
        ):
            continue
        taken, text = [first], first.text
        for line in (None, *upright[number + 1 : number + _LINES_MAX]):
            if line is not None:
                near = abs(taken[-1].bottom - line.bottom) <= 2.2 * max(first.height, 1)
                if line.level or not near or abs(line.height - first.height) > 0.4 * first.height:
                    break
                taken, text = [*taken, line], f"{text}{'' if taken[-1].broken else ' '}{line.text}"
            if _key(plain(text)) == wanted:
                away = 0.0 if bookmark.top is None else abs(first.top - bookmark.top)
                if best is None or away < best[0]:
                    best = away, taken
                break
    return best[1] if best else []


def _with_label(found: list[Line], upright: Sequence[Line], bookmark: Bookmark, label: str) -> list[Line]:
    """The lines with a bookmark's title where it points to: above the first line there."""
    top = bookmark.top
    below = [line for line in upright if top is None or line.top <= top + 2]
    if not below:
        return found if upright else [*found, Line(label, 0, 0, 0, 0, level=bookmark.level)]
    place = below[0]
    height = place.height
    made = Line(label, place.left, place.top, place.right, place.top + 0.05 * height, level=bookmark.level)
    at = next(number for number, line in enumerate(found) if line is place)
    return [*found[:at], made, *found[at:]]


def _letters(text: str) -> str:
    """The letters of a text, those of its numbering apart."""
    return "".join(filter(str.isalpha, _NUMBERING.sub("", plain(text).casefold())))


def _key(title: str) -> str:
    title = squeeze(title).casefold()
    return re.sub(r"[\W_]+", " ", _NUMBERING.sub("", title) or title).strip() or title


def guessed(blocks: Sequence[Block]) -> Mapping[int, int]:
    """Level by block number: the largest size the top, and numbered headings by their numbers; at most three
    levels of sizes."""
    prose = [block for block in blocks if block.height and not block.rows and not block.fixed]
    heights = sorted((block.height, len(block.text)) for block in prose)
    half = sum(length for _, length in heights) / 2
    body = 0.0
    for height, length in heights:
        body, half = height, half - length
        if half <= 0:
            break
    letters = sum(len(block.text) for block in prose) or 1
    plain_body = sum(len(block.text) for block in prose if block.bold) / letters < 0.3
    larger: dict[int, int] = {}
    numbered: dict[int, int] = {}
    last: tuple[int, ...] = ()
    for number, block in enumerate(blocks):
        if not body or block.rows or block.fixed or not _could_head(block):
            continue
        set_apart = block.height >= body * _LARGER_NUMBERED or (block.bold and plain_body)
        found = _NUMBERED.match(block.text)
        here = tuple(map(int, found[1].split("."))) if found else ()
        if here and set_apart and block.height >= 0.95 * body and _follows(here, last):
            numbered[number], last = len(here), here
        elif block.height >= body * LARGER and not (block.cut or BULLET.match(block.text)):
            larger[number] = round(block.height)
    heads = larger.keys() | numbered.keys()
    larger = {number: size for number, size in larger.items() if _heads(blocks, number, heads)}
    sizes = sorted(set(larger.values()), reverse=True)
    levels = {number: min(sizes.index(size) + 1, _LEVELS_MAX) for number, size in larger.items()}
    # A title stands above the first of the numbered.
    above = 1 if levels and numbered and min(levels) < min(numbered) else 0
    return {**levels, **{number: depth + above for number, depth in numbered.items()}}


def _heads(blocks: Sequence[Block], number: int, heads: Collection[int]) -> bool:
    """Whether text stands below a heading, other headings between or not: what stands below a label in a
    figure is another label."""
    for below in range(number + 1, min(number + 4, len(blocks))):
        block = blocks[below]
        if below not in heads:
            return bool(block.rows) or block.fixed or len(block.text) >= _PROSE_MIN or not block.height
    return number + 1 in heads


def _follows(here: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Whether a number of a heading may come after another."""
    if not last:
        return here in ((0,), (1,), (1, 0), (1, 1))
    if here == (*last, 1) or here == (*last, 0):
        return True
    depth = len(here)
    return depth <= len(last) and here[:-1] == last[: depth - 1] and here[-1] == last[depth - 1] + 1


def _could_head(block: Block) -> bool:
    line = squeeze(block.text)
    if len(block.lines) > _LINES_MAX or len(line.split()) > _WORDS_MAX or line.endswith((".", ",", ";", ":")):
        return False
    if _NUMBERED.match(line):
        return True
    return is_possible_title(line) and not is_possible_narrative_text(line)
