"""The code page of a text in an alphabet that is not UTF-8: the one in which it makes words.

Code pages agree in ASCII and differ in the other half, so that every text can be read in each of them. In the
right one, letters stand among letters, small among small, and the words belong to a language that is written
with it. Short texts have few such characters: no statistics of bytes tells ``£30`` from ``Ł30``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.parse.language import familiar, probabilities

_WESTERN = "af ca cy da de en es fi fr id it nl no pt sq sv sw tl"
#: Languages by code page; the most frequent page first, by which a doubt is decided.
_LANGUAGES = {
    "cp1252": _WESTERN,
    "cp1250": "cs hr hu pl ro sk sl sq",
    "cp1254": "tr",
    "cp1257": "et lt lv",
    "mac_roman": _WESTERN,
}
#: The same of other scripts; a doubt is decided by the first, too.
_OTHER_SCRIPTS = {
    "cp1251": "ru bg uk mk",
    "koi8_r": "ru",
    "iso8859_5": "ru bg mk",
    "cp1253": "el",
    "iso8859_7": "el",
    "cp1255": "he",
    "cp1256": "ar fa ur",
    "cp874": "th",
}
#: The share of familiar trigrams from which a text is in a language; rubbish has a tenth.
_FAMILIAR = 0.5
#: Most of the letters that a Latin script has outside ASCII; in other scripts most letters are.
_SHARE_MAX = 0.45
#: One in so many characters outside ASCII may stand in an odd place.
_ODD_ONE_IN = 10

#: Characters around those outside ASCII that the language is looked for in.
_SAMPLE = 4000
#: A language that is less likely than this is a guess.
_LIKELY = 0.6

#: Characters that nobody types, and those of the half of the page that is for controls.
_UNTYPED = frozenset(map(chr, range(0x80, 0xA0))) | frozenset("¤¦¬¸˛˝˙ˇ˘¨")
#: They stand between letters, too.
_JOINS = frozenset("’‘´·‐–—\xad")
#: No language has so many of its own letters in a row.
_ROW = re.compile(r"[^\W\d_a-zA-Z]{4,}")


def code_page(data: bytes) -> str | None:
    """The code page in which these bytes make the best text; None when they are of a script of many
    characters, or of none."""
    if (page := _other_script(data)) is not None:
        return page
    outside = sum(byte > 127 for byte in data)
    letters = sum(bytes((byte,)).isalpha() for byte in data)
    if outside > _SHARE_MAX * (outside + letters):
        return None
    best: tuple[tuple[int, int, int], str] | None = None
    for place, (page, languages) in enumerate(_LANGUAGES.items()):
        try:
            text = data.decode(page)
        except UnicodeDecodeError:
            continue
        odd = _odd(text)
        if best is not None and odd > best[0][0]:
            continue
        rank = (odd, int(_foreign(text, languages.split())), place)
        if best is None or rank < best[0]:
            best = rank, page
    if best is None or (best[0][0] > 1 and best[0][0] * _ODD_ONE_IN > outside):
        return None
    return best[1]


def _other_script(data: bytes) -> str | None:
    first = next((at for at, byte in enumerate(data) if byte > 127), 0)
    sample = data[max(0, first - _SAMPLE // 2) : first + _SAMPLE // 2]
    best, share = None, _FAMILIAR
    for page, languages in _OTHER_SCRIPTS.items():
        found = familiar(sample.decode(page, "replace"), languages.split())
        if found > share:
            best, share = page, found
    return best


def _odd(text: str) -> int:
    """The number of characters outside ASCII that stand where texts have none such: a capital between small
    letters, a lone letter at a number, a symbol between letters."""
    found = len(_ROW.findall(text))
    for at, character in enumerate(text):
        if character < "\x80":
            continue
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if character in _UNTYPED:
            found += 1
        elif character.isalpha() and character not in "ªº":
            inside = before.islower() and after.islower()
            found += character.isupper() and inside
            found += (before.isdigit() and not after.isalpha()) or (after.isdigit() and not before.isalpha())
        elif before.isalpha() and after.isalpha() and character not in _JOINS:
            found += 1
    return found


def _foreign(text: str, languages: Sequence[str]) -> bool:
    """Whether the text is in a language that is not written with this code page."""
    first = next((at for at, character in enumerate(text) if character > "\x7f"), 0)
    found = probabilities(text[max(0, first - _SAMPLE // 2) : first + _SAMPLE // 2])
    language = max(found, key=lambda name: found[name], default="")
    return bool(language) and found[language] >= _LIKELY and language not in languages
