"""Plain text, and the decoding of every format that is text."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from charset_normalizer import from_bytes

from index.model import Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable
from index.parse.readers import latin

#: UTF-32 before UTF-16: their little-endian marks begin alike.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""")
#: Encodings of the last thirty years' office machines, where it is not UTF-8.
_CODE_PAGES = [
    *(f"cp{page}" for page in (1252, 1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258, 874, 932, 949)),
    *("gb18030", "big5", "euc_jp", "koi8_r", "mac_roman"),
]
#: Bytes: detection looks at no more, and the whole must still decode.
_SAMPLE = 256 * 1024
_NO_ENCODING = "The document holds no recognisable text encoding; it looks like a binary file."

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_UNDERLINE = re.compile(r"([=\-~*^#])\1{2,}[ \t]*")
_BULLET = re.compile(r"[ \t]*(?:[-*+•‣◦▪·–][ \t]|\(?\d{1,3}[.)][ \t]|\(?[a-z][.)][ \t])")
_SENTENCE_END = (".", ",", ";", ":", "!", "?")


def parse(path: Path, format: Format) -> Parsed:
    outline = Outline()
    paragraphs(decode(path.read_bytes()), outline)
    return outline.parsed()


def paragraphs(text: str, outline: Outline, page: int | None = None) -> None:
    """Append the paragraphs of a text, their line breaks kept.

    Only what its author marked as a heading is one, by a line drawn under it or by capitals: a false heading
    would be a hard boundary between chunks.
    """
    for paragraph in _BLANK_LINES.split(text):
        paragraph = paragraph.strip("\n")
        first, _, rest = paragraph.partition("\n")
        underline, _, below = rest.partition("\n")
        if _UNDERLINE.fullmatch(underline) and _could_head(first):
            outline.heading(first, 1 if underline[0] in "=#*" else 2, page)
            paragraph = below
        elif not rest and first.isupper() and _could_head(first):
            outline.heading(first, 2, page)
            continue
        said = "" if paragraph.lstrip().startswith(">") else None
        outline.add(paragraph, "ListItem" if _BULLET.match(paragraph) else "NarrativeText", page, said)


def _could_head(line: str) -> bool:
    words = line.split()
    letters = sum(character.isalpha() for character in line)
    return (
        0 < len(words) <= 12
        and letters >= max(4, len(line) // 2)
        and not line.rstrip().endswith(_SENTENCE_END)
    )


def decode(data: bytes, *, markup: bool = False) -> str:
    """The text, newlines as ``\\n``. With `markup`, an encoding declared near the top counts.

    Raises Unreadable when it is no text.
    """
    text = _decoded(data, markup)
    # A few control characters are noise in a text; many show a binary file that happened to decode.
    controls = sum(text.count(character) for character in _CONTROLS)
    if controls > 8 and controls * 200 > len(text):
        raise Unreadable(_NO_ENCODING)
    return text.replace("\r\n", "\n").replace("\r", "\n")


_CONTROLS = tuple(map(chr, [*range(9), *range(14, 27), 127]))


def marked(data: bytes) -> str | None:
    """The text of what begins with a byte order mark; None without one."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    return None


def _decoded(data: bytes, markup: bool) -> str:
    if (text := marked(data)) is not None:
        return text
    if b"\0" in data:
        return _unmarked_utf16(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if markup and (declared := _DECLARED.search(data[:2048])):
        try:
            return data.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    if (page := latin.code_page(data[:_SAMPLE])) is not None:
        return data.decode(page, "replace")
    best = from_bytes(data[:_SAMPLE], cp_isolation=_CODE_PAGES, preemptive_behaviour=False).best()
    if best is None:
        raise Unreadable(_NO_ENCODING)
    return data.decode(best.encoding, "replace")


def _unmarked_utf16(data: bytes) -> str:
    """UTF-16 without a mark: in most scripts' texts nearly every second byte is zero, or none is."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros * 4 > len(data) and others * 50 < len(data):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                break
    raise Unreadable(_NO_ENCODING)
