"""Rich Text Format: control words, groups, and text in the code pages of its fonts.

pandoc takes every text for Western, and puts merged cells under other headers; what LibreOffice makes of a
file depends on the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.model import Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers.controls import CHARSETS, NO_TEXT, SIGNS, TEXT, WORDS, code_page
from index.parse.readers.story import Story

_TOKEN = re.compile(
    rb"\\([a-zA-Z]+)(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
_INFO = frozenset({"title", "author", "subject", "keywords", "category", "operator"})
_NAMES = {"operator": "last_modified_by", "creatim": "created", "revtim": "modified"}
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_FONTS_MAX = 65_536


@dataclass(slots=True)
class _Group:
    story: Story
    kind: str = "text"
    """What its text is: text, none, a font's or a style's name, or the name of a property."""
    font: int = -1
    fallback: int = 1
    """Characters that stand behind one in Unicode for readers of old."""
    hidden: bool = False
    starred: bool = False


@dataclass(slots=True)
class _Style:
    number: int = 0
    level: int | None = None
    name: str = ""


@dataclass(slots=True)
class _Date:
    parts: dict[str, int] = field(default_factory=dict)

    def iso(self) -> str:
        year, month, day = (self.parts.get(name, 0) for name in ("yr", "mo", "dy"))
        if not (1900 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31):
            return ""
        hour, minute = (self.parts.get(name, 0) for name in ("hr", "min"))
        return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00"


def parse(path: Path, format: Format) -> Parsed:
    data = path.read_bytes()
    if not data.lstrip().startswith(b"{\\rtf"):
        raise Unreadable("The document is damaged: it is no RTF file.")
    reader = _Reader()
    reader.run(data)
    properties = {_NAMES.get(name, name): value for name, value in reader.info.items() if value}
    return reader.outline.parsed(fallback_title=properties.pop("title", ""), properties=properties)


class _Reader:
    def __init__(self) -> None:
        self.outline = Outline()
        self.info: dict[str, str] = {}
        self._page = "cp1252"
        self._pages: dict[int, str] = {}
        self._default_font = -1
        self._styles: dict[int, int] = {}
        self._style = _Style()
        self._date = _Date()
        self._notes: list[Story] = []
        self._group = _Group(Story(self.outline))
        self._groups: list[_Group] = []
        self._bytes = bytearray()
        self._left_out = 0
        """Characters that are still to be left out, because one in Unicode stands for them."""

    def run(self, data: bytes) -> None:
        at = 0
        body = self._group.story
        while (token := _TOKEN.match(data, at)) is not None:
            at = token.end()
            word, number, code, sign, brace, text = token.groups()
            if word is not None:
                if word == b"bin":
                    at += max(0, int(number or 0))
                else:
                    self._word(word.decode(), None if number is None else int(number))
            elif code is not None:
                self._add_bytes(bytes.fromhex(code.decode()))
            elif sign is not None:
                self._sign(sign.decode("latin-1"))
            elif text is not None:
                self._add_bytes(text)
            elif brace == b"{":
                self._open()
            elif brace == b"}":
                self._close()
                if not self._groups:
                    break
        while self._groups:
            self._close()
        self._flush()
        body.end()
        self.outline.end_sections()
        for note in self._notes:
            text = "\n".join(element.text for element in note.outline.elements)
            self.outline.add(text, "NarrativeText")

    # ── Groups ────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        self._flush()
        self._groups.append(self._group)
        self._group = replace(self._group, starred=False)
        self._left_out = 0

    def _close(self) -> None:
        self._flush()
        self._left_out = 0
        if not self._groups:
            return
        ended, self._group = self._group, self._groups.pop()
        if ended.kind == "style" and self._group.kind == "style":
            self._keep_style()
        elif ended.kind in ("creatim", "revtim") and self._group.kind != ended.kind:
            self.info[ended.kind] = self._date.iso()
        if ended.story is not self._group.story:
            ended.story.end()

    def _enter(self, word: str) -> bool:
        """Whether the word says what its group holds."""
        group = self._group
        if group.kind == "none":
            if word == "ud":
                # The same in Unicode, within a group for readers of old.
                group.kind = "text"
            return word == "ud"
        if word in NO_TEXT:
            group.kind = "none"
        elif word == "fonttbl":
            group.kind = "font"
        elif word == "stylesheet":
            group.kind = "style"
        elif word == "info":
            group.kind = "info"
        elif group.kind == "info" and word in _INFO:
            group.kind, self.info[word] = word, ""
        elif group.kind == "info" and word in ("creatim", "revtim"):
            group.kind, self._date = word, _Date()
        elif word in ("footnote", "shptxt"):
            group.story = Story(Outline()) if word == "footnote" else group.story.box()
            if word == "footnote":
                self._notes.append(group.story)
        elif group.starred and word not in TEXT and group.kind == "text":
            group.kind = "none"
        else:
            return False
        return True

    def _keep_style(self) -> None:
        style, self._style = self._style, _Style()
        named = _HEADING.fullmatch(style.name.strip("; "))
        level = int(named[1]) - 1 if named else style.level
        if style.name.strip("; ").lower() == "title":
            level = 0
        if level is not None and 0 <= level <= 8:
            self._styles[style.number] = level

    # ── Words ─────────────────────────────────────────────────────────────────────────────────────────

    def _word(self, word: str, number: int | None) -> None:
        if word == "u":
            return self._unicode(number or 0)
        self._flush()
        group, story = self._group, self._group.story
        if self._enter(word) or group.kind == "none":
            return None
        if word in WORDS:
            self._add(WORDS[word])
        elif word in ("par", "sect") and group.kind == "text":
            story.paragraph()
        elif word == "cell":
            story.cell()
        elif word == "row":
            story.row()
        elif word == "trowd":
            story.define()
        elif word == "cellx":
            story.edges.append(number or 0)
        elif word == "pard":
            story.plain()
        elif word == "intbl":
            story.in_table = True
        elif word in ("ls", "pnlvlblt", "pnlvlbody"):
            story.listed = number != 0
        elif word == "outlinelevel":
            self._style.level = number
            if group.kind == "text":
                story.level = number
        elif word == "s":
            self._style.number = number or 0
            if group.kind == "text":
                story.level = self._styles.get(number or 0)
        elif word in ("v", "deleted"):
            group.hidden = number != 0
        elif word == "plain":
            group.font, group.hidden = self._default_font, False
        elif word == "uc":
            group.fallback = max(0, number or 0)
        elif word in ("yr", "mo", "dy", "hr", "min"):
            self._date.parts[word] = number or 0
        else:
            self._font(word, number or 0)
        return None

    def _font(self, word: str, number: int) -> None:
        """Words about code pages."""
        group = self._group
        if word == "f":
            group.font = number
        elif word == "deff":
            self._default_font = group.font = number
        elif word in ("fcharset", "cpg") and len(self._pages) < _FONTS_MAX:
            page = CHARSETS.get(number) if word == "fcharset" else code_page(number)
            if page:
                self._pages[group.font] = page
        elif word == "ansicpg":
            self._page = code_page(number) or self._page
        elif word in ("mac", "pc", "pca"):
            self._page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]

    def _unicode(self, number: int) -> None:
        self._flush()
        self._add(chr(number % 65_536))
        self._left_out = self._group.fallback

    def _sign(self, sign: str) -> None:
        if sign in "\r\n":
            self._word("par", None)
        elif sign == "*":
            self._group.starred = True
        elif self._left_out:
            self._left_out -= 1
        elif sign in SIGNS:
            self._flush()
            self._add(SIGNS[sign])

    # ── Text ──────────────────────────────────────────────────────────────────────────────────────────

    def _add_bytes(self, data: bytes) -> None:
        if self._left_out:
            count = min(self._left_out, len(data))
            data, self._left_out = data[count:], self._left_out - count
        self._bytes += data

    def _flush(self) -> None:
        if self._bytes:
            text = self._bytes.decode(self._pages.get(self._group.font, self._page), "replace")
            self._bytes.clear()
            self._add(text)

    def _add(self, text: str) -> None:
        group = self._group
        if group.kind == "text":
            if not group.hidden:
                group.story.inline.append(text)
        elif group.kind == "style":
            self._style.name += text
        elif group.kind in _INFO:
            self.info[group.kind] = squeeze(self.info.get(group.kind, "") + text)
