"""The lines of a page, each with its place: what pdfium calls text, cut where an eye sees a gap.

Places are points from the lower left corner of the page as it is shown: a rotated page is turned first. Text
outside of the visible part of the page (its crop box) is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ctypes import byref, c_int, create_string_buffer
from dataclasses import dataclass
from math import pi, radians
from typing import Any

import pypdfium2.raw as pdfium

from index.parse.readers.pdf.rules import Rule
from index.parse.readers.pdf.turning import Box, Turn, upright

#: Bullets of the Symbol and Wingdings fonts have no character of their own.
_TYPESET = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_PLAIN = str.maketrans({**_TYPESET, "\u00a0": " ", "\uf0b7": "•", "\uf0a7": "•"})
#: A visual line. pdfium marks a hyphen at a line's end that only breaks the word, and goes on in its line.
_LINE = re.compile("[^\r\n\x02\ufffe]+[\x02\ufffe]?")
_WORD = re.compile(r"[^\s\x02\ufffe]+")
_FIXED_NAME = re.compile(r"mono|courier|consol|typewriter|cmtt|tt\d+$|fixed|menlo", re.IGNORECASE)
_BOLD_NAME = re.compile(r"bold|black|heavy|cmb|-bd|demi", re.IGNORECASE)
_FIXED_FLAG, _BOLD_FLAG = 1, 1 << 18
_LEFTWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_HALF = re.compile("[\ud800-\udfff]")

#: Heights of a line: a wider gap between two words parts columns or cells.
GAP = 1.3
#: Heights of a line: the mean width of the letters of a word is more; what stands higher or lower is beside
#: nothing in its line.
_NARROW, _JUMP = 0.25, 0.7
#: Heights of a line between two letters that a rule parts, though pdfium takes them for one word.
_APART = 0.08
#: Points that text may lie outside of the visible part.
_SLACK = 2.0
_NAME_BYTES = 80


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
    invisible: bool = False

    @property
    def height(self) -> float:
        return self.top - self.bottom


def lines(page: Any, turn: Turn, down: Sequence[Rule] = ()) -> list[Line]:
    """The lines of a page in the order in which the file draws them, cut at the rules that stand between two
    words."""
    textpage = page.get_textpage()
    try:
        return list(_lines(_Text(page, textpage, turn, down)))
    finally:
        textpage.close()


def leftwards(text: str) -> bool:
    """Whether it is read from right to left."""
    return _LEFTWARDS.search(text) is not None


def _lines(text: _Text) -> Iterator[Line]:
    for found in _LINE.finditer(text.characters):
        if (whole := text.whole(found.start(), found.end())) is not None:
            whole.broken = found[0][-1] in "\x02\ufffe"
            yield whole
            continue
        piece: Line | None = None
        back = leftwards(found[0])
        for word, box, start, jumped in text.words(found.start(), found.end()):
            left, bottom, right, top = box
            hidden = text.invisible(start)
            if piece is not None and not jumped and piece.invisible == hidden:
                gap = max(left - piece.right, piece.left - right) if back else left - piece.right
                near = -piece.height <= gap <= GAP * piece.height
                if piece.sideways or (
                    near and not text.parted(piece.right - 2, left + 2, (bottom + top) / 2)
                ):
                    piece.text += f" {word}"
                    piece.left, piece.right = min(piece.left, left), max(piece.right, right)
                    if piece.fixed or piece.bold:
                        bold, fixed = text.font(start + len(word) - 1)
                        piece.bold, piece.fixed = piece.bold and bold, piece.fixed and fixed
                    continue
            if piece is not None:
                yield piece
            bold, fixed = text.font(start)
            piece = Line(word, left, bottom, right, top, bold, fixed, sideways=text.sideways(start))
            piece.invisible = hidden
        if piece is not None:
            piece.broken = found[0][-1] in "\x02\ufffe"
            yield piece


class _Text:
    """The characters of a page, with their places by number."""

    def __init__(self, page: Any, textpage: Any, turn: Turn, down: Sequence[Rule]) -> None:
        self._textpage = textpage.raw
        characters = textpage.get_text_range()
        count = textpage.count_chars()
        if len(characters) != count:
            codes = (pdfium.FPDFText_GetUnicode(self._textpage, number) for number in range(count))
            characters = "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)
        self.characters = characters.translate(_ONE_TO_ONE)
        self._halves = _HALF.search(characters) is not None
        self._turn, self._down = turn, down
        self._rotated = radians(page.get_rotation())
        left, bottom, right, top = page.get_cropbox()
        self._visible = left - _SLACK, bottom - _SLACK, right + _SLACK, top + _SLACK
        self._fonts: dict[tuple[bytes, int], tuple[bool, bool]] = {}
        # Made once: a page has thousands of characters.
        self._box = pdfium.FS_RECTF()
        self._at_box = byref(self._box)
        self._name = create_string_buffer(_NAME_BYTES)

    def whole(self, start: int, end: int) -> Line | None:
        """The line when it has no gap and lies upright within the page, as most do; else None: its words have
        to be looked at. The end of a word is looked for only where a gap may follow."""
        if self._turn is not upright:
            return None
        spans = [found.span() for found in _WORD.finditer(self.characters, start, end)]
        if not spans:
            return None
        place, raw, at, box = pdfium.FPDFText_GetLooseCharBox, self._textpage, self._at_box, self._box
        begun, last = spans[0][0], spans[-1][1] - 1
        begin, bottom, right, top = self._place(begun)
        height = top - bottom
        narrow, gap, jump = _NARROW * height, GAP * height, _JUMP * height
        before, length, ended = begin, spans[0][1] - begun, spans[0][1] - 1
        for first, end in spans[1:]:
            if not place(raw, first, at):
                return None
            left, low, up = box.left, box.bottom, box.top
            # No call of `min` and `abs` for each word.
            low = low if low < up else up
            if left <= before or not -jump <= low - bottom <= jump:
                return None
            if left - before > narrow * length + gap:
                place(raw, ended, at)
                if left - box.right > gap or abs(min(box.bottom, box.top) - bottom) > jump:
                    return None
            before, length, ended = left, end - first, end - 1
        _, low, right, _ = self._place(last)
        low_x, low_y, high_x, high_y = self._visible
        inside = low_x <= begin and right <= high_x and low_y <= bottom and top <= high_y
        if height <= 0 or not inside or abs(low - bottom) > jump or right <= begin or self.sideways(begun):
            return None
        bold, fixed = self.font(begun)
        if bold or fixed:
            other_bold, other_fixed = self.font(last)
            bold, fixed = bold and other_bold, fixed and other_fixed
        hidden = self.invisible(begun)
        if hidden != self.invisible(last) or self.parted(begin + 1, right - 1, (bottom + top) / 2):
            return None
        words = " ".join([self.characters[first:end] for first, end in spans])
        return Line(self._joined(words), begin, bottom, right, top, bold, fixed, invisible=hidden)

    def words(self, start: int, end: int) -> Iterator[tuple[str, Box, int, bool]]:
        """Each visible word with its place, the number of its first character, and whether it stands above or
        below the one before, though pdfium puts nothing between them."""
        low_x, low_y, high_x, high_y = self._visible
        turned = self._turn is not upright
        for found in _WORD.finditer(self.characters, start, end):
            first, last = found.start(), found.end() - 1
            pieces = [(first, last, False)]
            if last > first and not turned and not self.sideways(first):
                left, bottom, right, top = self._around(first, last)
                jumps = abs(self._place(last)[1] - bottom) > _JUMP * (top - bottom)
                if jumps or self.parted(left + 1, right - 1, (bottom + top) / 2):
                    pieces = list(self._pieces(first, last))
            for begun, ended, jumped in pieces:
                left, bottom, right, top = box = self._around(begun, ended)
                across, up = (left + right) / 2, (bottom + top) / 2
                unplaced = top == bottom == 0
                if (low_x <= across <= high_x and low_y <= up <= high_y) or unplaced:
                    yield self._said(begun, ended + 1), self._turn(box), begun, jumped

    def _pieces(self, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
        """From where to where the characters stand beside each other, without a rule between them, and
        whether they stand above or below those before."""
        _, base, before, top = self._place(first)
        begun, jumped = first, False
        for number in range(first + 1, last + 1):
            left, bottom, right, _ = self._place(number)
            jumps = abs(bottom - base) > _JUMP * (top - base)
            apart = left - before > _APART * (top - base)
            if jumps or (apart and self.parted(before - 1, left + 1, (base + top) / 2)):
                yield begun, number - 1, jumped
                begun, base, jumped = number, bottom, jumps
            before = right
        yield begun, last, jumped

    def parted(self, low: float, high: float, height: float) -> bool:
        """Whether a rule stands between two places at this height."""
        return any(low <= rule.place <= high and rule.start <= height <= rule.end for rule in self._down)

    def _said(self, first: int, end: int) -> str:
        return self._joined(self.characters[first:end])

    def _joined(self, said: str) -> str:
        """Characters beyond 16 bits, which pdfium gives as two halves, are one."""
        return (
            said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if self._halves else said
        )

    def invisible(self, number: int) -> bool:
        text = pdfium.FPDFText_GetTextObject(self._textpage, number)
        return (
            bool(text) and pdfium.FPDFTextObj_GetTextRenderMode(text) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE
        )

    def _place(self, number: int) -> Box:
        """The place of a character, with the ascenders and descenders of its line; zeros where pdfium cannot
        say."""
        if not pdfium.FPDFText_GetLooseCharBox(self._textpage, number, self._at_box):
            return 0.0, 0.0, 0.0, 0.0
        box = self._box
        return box.left, min(box.bottom, box.top), box.right, max(box.bottom, box.top)

    def _around(self, first: int, last: int) -> Box:
        """The place of a word, as high as its first character unless the page is turned."""
        one, other = self._place(first), self._place(last)
        left, right = min(one[0], other[0]), max(one[2], other[2])
        if self._turn is upright:
            return left, one[1], right, one[3]
        return left, min(one[1], other[1]), right, max(one[3], other[3])

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
