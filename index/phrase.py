"""Phrases: words in a row, found in a text however they are written there.

Case, accents, spacing, line breaks, punctuation and invisible characters do not count: *Zoë O’Neil* is found
in ``ZOE O'NEIL`` and in ``zoe\\no-neil``. Words are compared whole: *Ann* is not found in ``Annual``. Scripts
that put no spaces between words are compared character by character. A word that a hyphen breaks at the end
of a line is compared both as one word and as two.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

#: Letters of scripts without spaces between words: Thai to Burmese, Khmer, kana, Han.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
#: Accents once they stand apart, and characters that are not seen: soft hyphens, joiners, marks of direction.
_DROPPED = ("Mn", "Me", "Cf")
_BROKEN = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad][ \t]*\r?\n\s*(?=[^\W\d_])")


@cache
def _word() -> re.Pattern[str]:
    """A word. It is compiled when a phrase is looked for, which takes milliseconds: most commands look for
    none."""
    return re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")


def folded(text: str) -> str:
    """The words of a text in the form that all their spellings share, each between two spaces; "" for a text
    without any.

    >>> folded("Zoë\\nO’Neil!")
    ' zoe o neil '
    """
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in apart if c.isascii() or unicodedata.category(c) not in _DROPPED)
    words = _word().findall(text.casefold())
    return f" {' '.join(words)} " if words else ""


class Phrases:
    """Phrases that texts are searched for. Raises ValueError for one that has no word."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._folded = tuple(dict.fromkeys(folded(phrase) for phrase in phrases))
        if "" in self._folded:
            raise ValueError("A phrase needs at least one letter or digit.")

    @property
    def folded(self) -> tuple[str, ...]:
        """Each in its folded form."""
        return self._folded

    def found(self, text: str) -> bool:
        """Whether the text contains one of them."""
        return any(phrase in reading for reading in readings(text) for phrase in self._folded)

    def parts(self, texts: Iterable[str]) -> set[int]:
        """The indices of those consecutive parts of one text in which one of them stands; both, of two parts
        in which it begins and ends."""
        read = [tuple(readings(text)) for text in texts]
        found = self._across([reading[0] for reading in read])
        if any(len(reading) > 1 for reading in read):
            found |= self._across([reading[-1] for reading in read])
        return found

    def _across(self, parts: Sequence[str]) -> set[int]:
        """The same for folded parts."""
        whole, ends = " ", []
        for part in parts:
            whole += part[1:]
            ends.append(len(whole))
        found = set[int]()
        for phrase in self._folded:
            at = whole.find(phrase)
            while at >= 0:
                # The spaces around a phrase are no part of it.
                first, last = bisect_right(ends, at + 1), bisect_right(ends, at + len(phrase) - 2)
                found.update(index for index in range(first, last + 1) if parts[index])
                at = whole.find(phrase, at + 1)
        return found


def readings(text: str) -> Iterator[str]:
    """The folded text; and with the words joined that were broken at the end of a line."""
    yield folded(text)
    joined = _BROKEN.sub("", text)
    if joined != text:
        yield folded(joined)


def passages(chunks: Iterable[tuple[Sequence[str], str]]) -> Iterator[str]:
    """The text of each chunk, after the headings that begin with it. `chunks`: heading path and text of
    each, in order."""
    above: Sequence[str] = ()
    for headings, text in chunks:
        new = headings if tuple(headings) != tuple(above) else ()
        above = headings
        yield "\n".join((*new, text))


def strings(value: object) -> Iterator[str]:
    """The texts in a value as properties have it: names, and values."""
    if isinstance(value, Mapping):
        for name, within in value.items():
            yield str(name)
            yield from strings(within)
    elif isinstance(value, list | tuple):
        for within in value:
            yield from strings(within)
    elif value is not None:
        yield str(value)
