"""Plain text, and the decoding of every format that is text."""

from __future__ import annotations

import codecs
import contextlib
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
#: Encodings that are meant by the names of smaller ones, as browsers take them: https://encoding.spec.whatwg.org
_MEANT = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
#: Beginnings of the names of encodings that hold for all bytes or for none; strays in UTF-8 are read apart.
_STRICT = ("utf", "punycode")
#: Encodings of JIS X 0208, and the handler of errors for characters that Windows alone has in it.
_JIS = frozenset({"iso2022_jp", "euc_jp"})
_OR_WINDOWS = "freshkb.or_windows"
_IN_JIS = re.compile(rb"[\x21-\x7e]{2}|[\xa1-\xfe]{2}")
#: Only a declaration tells ISO 2022, in which all bytes are ASCII; its texts have this.
_ISO2022 = b"\x1b$"
#: Encodings of the last thirty years' office machines, where it is not UTF-8.
_CODE_PAGES = [
    *(f"cp{page}" for page in (1252, 1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258, 874, 932, 949)),
    *("gb18030", "big5", "euc_jp", "koi8_r", "mac_roman"),
]
#: Bytes: detection looks at no more, and the whole must still decode.
_SAMPLE = 256 * 1024
_OUTSIDE_ASCII = re.compile(rb"[\x80-\xff]")
#: Bytes that are no UTF-8, as `surrogateescape` keeps them; the first of a last character without the others.
_STRAYS = re.compile("[\udc80-\udcff]+")
_CUT_OFF = re.compile("[\udcc2-\udcf4][\udc80-\udcbf]{0,2}\\Z")
_OF_UTF8 = re.compile("[^\\x00-\\x7f\udc80-\udcff]+")
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


def decoded_as(data: bytes, charset: str) -> str:
    """The text in the encoding that its author named, where some bytes may be of none. Raises LookupError, or
    ValueError where these are more than its characters outside ASCII: that is another encoding.
    """
    name = codecs.lookup(charset.lower().removeprefix("x-")).name
    encoding = _MEANT.get(name, name)
    if encoding.startswith(_STRICT):
        return data.decode(encoding)
    text = data.decode(encoding, _OR_WINDOWS if encoding in _JIS else "replace")
    strays = text.count("\ufffd")
    if _outside_ascii(text) - strays < strays:
        raise ValueError(f"The text is not in {charset}.")
    return text


def _or_windows(error: UnicodeError) -> tuple[str, int]:
    """The character that Windows has in a place that JIS X 0208 leaves free: ①, ㈱, 髙."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    if _IN_JIS.fullmatch(pair):
        first, second = (byte & 0x7F for byte in pair)
        # Shift_JIS puts two rows of the table into one, and leaves the last sign of ASCII out.
        lead = (first + 1) // 2 + (0x70 if first < 0x5F else 0xB0)
        trail = second + (0x1F + (second >= 0x60) if first % 2 else 0x7E)
        with contextlib.suppress(UnicodeDecodeError):
            return bytes((lead, trail)).decode("cp932"), error.start + 2
    return "\ufffd", error.end


codecs.register_error(_OR_WINDOWS, _or_windows)


def _decoded(data: bytes, markup: bool) -> str:
    if (text := marked(data)) is not None:
        return text
    if b"\0" in data:
        return _unmarked_utf16(data)
    declared = _DECLARED.search(data[:2048]) if markup else None
    if declared is None or _ISO2022 not in data:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    if declared is not None:
        try:
            return decoded_as(data, declared[1].decode("ascii"))
        except (LookupError, ValueError):
            pass
    if (text := _mostly_utf8(data)) is not None:
        return text
    sample = _sample(data)
    if (page := latin.code_page(sample)) is not None:
        return data.decode(page, "replace")
    best = from_bytes(sample, cp_isolation=_CODE_PAGES, preemptive_behaviour=False).best()
    if best is None:
        raise Unreadable(_NO_ENCODING)
    return data.decode(best.encoding, "replace")


def _mostly_utf8(data: bytes) -> str | None:
    """The text of UTF-8 in which some bytes are none: a file that is cut off inside a character, a log of
    several programs. None where these are more than its characters outside ASCII: that is another encoding.
    """
    text = data.decode("utf-8", "surrogateescape")
    whole = _CUT_OFF.sub("", text)
    strays = len("".join(_STRAYS.findall(whole)))
    characters = _outside_ascii(whole) - strays
    if not characters or characters < strays:
        return None
    # The strays are in a code page of their own, which the words around them tell.
    page = latin.code_page(_sample(_bytes(_OF_UTF8.sub(" ", whole)))) or "cp1252"
    found = _STRAYS.sub(lambda stray: _bytes(stray[0]).decode(page, "replace"), whole)
    return found if whole == text else found + "\ufffd"


def _outside_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _sample(data: bytes) -> bytes:
    """The bytes around the first that is not ASCII: those before it say nothing of an encoding."""
    found = _OUTSIDE_ASCII.search(data)
    start = max(0, found.start() - _SAMPLE // 2) if found else 0
    return data[start : start + _SAMPLE]


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
