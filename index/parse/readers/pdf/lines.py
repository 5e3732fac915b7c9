"""The lines of a page, each with its place: what pdfium calls text, cut where an eye sees a gap.

Places are points from the lower left corner of the page as it is shown: a rotated page is turned first. Text
outside of the visible part of the page (its crop box) is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ctypes import byref, c_double, c_int, create_string_buffer
from dataclasses import dataclass
from math import pi, radians
from typing import Any

import pypdfium2.raw as pdfium

#: Bullets of the Symbol and Wingdings fonts have no character of their own.
_TYPESET = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_PLAIN = str.maketrans({**_TYPESET, "\u00a0": " ", "\uf0b7": "•", "\uf0a7": "•"})
#: A visual line. pdfium marks a hyphen at a line's end that only breaks the word, and goes on in its line.
_LINE = re.compile("[^\r\n\x02\ufffe]+[\x02\ufffe]?")
_WORD = re.compile(r"[^\s\x02\ufffe]+")
_FIXED_NAME = re.compile(r"mono|courier|consol|typewriter|cmtt|tt\d+$|fixed|menlo", re.IGNORECASE)
_BOLD_NAME = re.compile(r"bold|black|heavy|cmb|-bd|demi", re.IGNORECASE)
_FIXED_FLAG, _BOLD_FLAG = 1, 1 << 18

#: Heights of a line: a wider gap between two words parts columns or cells.
GAP = 1.3
#: Points that text may lie outside of the visible part.
_SLACK = 2.0
_NAME_BYTES = 80

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(slots=True)
class Line:
    """A line, or the piece of it between two gaps."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    bold: bool = False
    fixed: bool = False
    """Whether all characters have one width: a program, or what it prints."""
    broken: bool = False
    """Whether its last word goes on in the next line."""
    sideways: bool = False
    level: int = 0
    """Of a heading, from 1; 0: it is none, as far as bookmarks say."""
    cut: bool = False
    """Whether it was joined over wide gaps."""

    @property
    def height(self) -> float:
        return self.top - self.bottom


def lines(page: Any) -> list[Line]:
    """The lines of a page in the order in which the file draws them."""
    textpage = page.get_textpage()
    try:
        return list(_lines(_Text(page, textpage)))
    finally:
        textpage.close()


def _lines(text: _Text) -> Iterator[Line]:
    for found in _LINE.finditer(text.characters):
        broken = found[0][-1] in "\x02\ufffe"
        piece: Line | None = None
        for start, end, jumped in text.words(found.start(), found.end()):
            word = text.characters[start:end]
            box = text.box(start, end - 1)
            if not text.visible(box):
                continue
            left, _, right, _ = box
            if piece is not None and not piece.sideways and not jumped:
                gap = left - piece.right
                if -piece.height <= gap <= GAP * piece.height:
                    piece.text += f" {word}"
                    piece.right = right
                    if piece.fixed or piece.bold:
                        bold, fixed = text.font(end - 1)
                        piece.bold, piece.fixed = piece.bold and bold, piece.fixed and fixed
                    continue
            if piece is not None and piece.sideways:
                piece.text += f" {word}"
                continue
            if piece is not None:
                yield piece
            bottom, top = text.extent(start)
            bold, fixed = text.font(start)
            piece = Line(word, left, bottom, right, top, bold, fixed, sideways=text.sideways(start))
        if piece is not None:
            piece.broken = broken
            yield piece


class _Text:
    """The characters of a page, with their places by number."""

    def __init__(self, page: Any, textpage: Any) -> None:
        self._textpage = textpage.raw
        characters = textpage.get_text_range()
        count = textpage.count_chars()
        if len(characters) != count:
            codes = (pdfium.FPDFText_GetUnicode(self._textpage, number) for number in range(count))
            characters = "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)
        self.characters = characters.translate(_ONE_TO_ONE)
        self._turn = _turned(page)
        self._rotated = radians(page.get_rotation())
        self._visible = self._turn(page.get_cropbox())
        self._fonts: dict[tuple[bytes, int], tuple[bool, bool]] = {}
        # Made once: a page has thousands of characters.
        self._place = c_double(), c_double(), c_double(), c_double()
        self._places = tuple(map(byref, self._place))
        self._name = create_string_buffer(_NAME_BYTES)

    def words(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """From where to where each word reaches, and whether it stands above or below the one before: pdfium
        puts nothing between them then."""
        for word in _WORD.finditer(self.characters, start, end):
            begun, last, jumped = word.start(), word.end() - 1, False
            _, low, _, high = self.box(begun, last)
            bottom, top = self.extent(begun) if last > begun else (low, high)
            if high - low > 1.5 * (top - bottom) and not self.sideways(begun):
                for number in range(begun + 1, word.end()):
                    if abs(self.box(number, number)[1] - self.box(begun, begun)[1]) > 0.7 * (top - bottom):
                        yield begun, number, jumped
                        begun, jumped = number, True
            yield begun, word.end(), jumped

    def box(self, first: int, last: int) -> Box:
        """The box around two characters; zeros where pdfium cannot say."""
        left, bottom, right, top = self._box(first)
        if last != first:
            left2, bottom2, right2, top2 = self._box(last)
            left, bottom = min(left, left2), min(bottom, bottom2)
            right, top = max(right, right2), max(top, top2)
        return self._turn((left, bottom, right, top))

    def _box(self, number: int) -> Box:
        if not pdfium.FPDFText_GetCharBox(self._textpage, number, *self._places):
            return 0.0, 0.0, 0.0, 0.0
        left, right, bottom, top = self._place
        return left.value, bottom.value, right.value, top.value

    def extent(self, number: int) -> tuple[float, float]:
        """Bottom and top of the line that the character stands in, ascenders and descenders included."""
        box = pdfium.FS_RECTF()
        if not pdfium.FPDFText_GetLooseCharBox(self._textpage, number, byref(box)):
            return 0.0, 0.0
        low, high = sorted((box.bottom, box.top))
        _, bottom, _, top = self._turn((box.left, low, box.right, high))
        return bottom, top

    def visible(self, box: Box) -> bool:
        across, up = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        left, bottom, right, top = self._visible
        within = left - _SLACK <= across <= right + _SLACK and bottom - _SLACK <= up <= top + _SLACK
        return within or box == self._turn((0.0, 0.0, 0.0, 0.0))

    def sideways(self, number: int) -> bool:
        # Both clockwise.
        angle = (pdfium.FPDFText_GetCharAngle(self._textpage, number) + self._rotated) % (2 * pi)
        return bool(0.2 < angle < 2 * pi - 0.2)

    def font(self, number: int) -> tuple[bool, bool]:
        """Whether the character's font is bold, and whether its characters have one width."""
        name, flags = self._name, c_int()
        pdfium.FPDFText_GetFontInfo(self._textpage, number, name, _NAME_BYTES, byref(flags))
        key = name.value, flags.value
        if key not in self._fonts:
            called = name.value.decode("utf-8", "replace")
            bold = bool(flags.value & _BOLD_FLAG) or _BOLD_NAME.search(called) is not None
            fixed = bool(flags.value & _FIXED_FLAG) or _FIXED_NAME.search(called) is not None
            self._fonts[key] = bold, fixed
        return self._fonts[key]


#: As `plain` has it, where a character stays one.
_ONE_TO_ONE = {code: char for code, char in _PLAIN.items() if len(char) == 1}


def plain(text: str) -> str:
    """The text with ligatures as letters."""
    return text.translate(_PLAIN)


def _upright(box: Box) -> Box:
    return box


def _turned(page: Any) -> Callable[[Box], Box]:
    """The function from places on the page to those of the page as it is shown."""
    low_x, low_y, high_x, high_y = page.get_mediabox()

    def quarter(box: Box) -> Box:
        left, bottom, right, top = box
        return bottom - low_y, high_x - right, top - low_y, high_x - left

    def half(box: Box) -> Box:
        left, bottom, right, top = box
        return high_x - right, high_y - top, high_x - left, high_y - bottom

    def three_quarters(box: Box) -> Box:
        left, bottom, right, top = box
        return high_y - top, left - low_x, high_y - bottom, right - low_x

    return {90: quarter, 180: half, 270: three_quarters}.get(page.get_rotation(), _upright)
