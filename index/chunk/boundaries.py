"""Places where a text may be cut, from the best to the worst."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

#: Ranks, best first. A heading parts from what follows it only where a word would have to be cut.
BLOCK, PASSAGE, LINE, WORD, HEADING, ANYWHERE = range(6)

#: Finer and finer kinds of places, each with its rank and a pattern at whose end they are.
Places = Sequence[tuple[int, re.Pattern[str]]]

_BLANK_LINE = r"\n[^\S\n]*\n\s*"
#: Of the Latin, Greek, Cyrillic, Arabic, Indian, Armenian, Ethiopian, Burmese, Khmer and Tibetan scripts; the
#: Chinese and the Japanese one set no space after it.
_SENTENCE_END = r"""(?<=[.!?…؟۔।॥։።፧။។།])["')\]»”’]*\s+|[。！？｡]+["'”’」』）》〉】]*\s*"""
_LINES: Places = ((PASSAGE, re.compile(_BLANK_LINE)), (LINE, re.compile(r"\n+")), (WORD, re.compile(r"\s+")))
_PROSE: Places = ((PASSAGE, re.compile(f"{_SENTENCE_END}|{_BLANK_LINE}")), *_LINES[1:])
_BY_KIND: dict[str, Places] = {"CodeSnippet": _LINES, "Table": _LINES}


def places_in(kind: str) -> Places:
    """The places inside an element of this kind; where none of them helps, anywhere is left."""
    return _BY_KIND.get(kind, _PROSE)


def inhabited(text: str, bounds: Sequence[int]) -> list[int]:
    """The bounds without those before a blank stretch, which belongs to what comes before it."""
    kept = [bounds[0]]
    kept += [a for a, b in pairwise(bounds[1:]) if not text[a:b].isspace()]
    # The first stretch may be blank itself; the second then starts with it.
    if len(kept) > 1 and not text[kept[0] : kept[1]].strip():
        del kept[1]
    return [*kept, bounds[-1]]


def joined(text: str, place: int) -> bool:
    """Whether a cut here would go through what a reader sees as one character."""
    before, after = text[place - 1], text[place]
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    return (
        unicodedata.category(after) in ("Mn", "Me", "Mc")
        or "\u200d" in (before, after)
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or all("\U0001f1e6" <= flag <= "\U0001f1ff" for flag in (before, after))
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
    )
