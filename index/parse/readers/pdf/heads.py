"""Running heads and feet: lines that pages repeat at their edges, and the pages' numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from index.parse.readers.pdf.lines import Line

#: Share of the page's height at each edge, and lines there that are looked at.
_EDGE = 0.13
_LINES_MAX = 3
#: Pages that have the same one.
_PAGES_MIN = 3

_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)


def without_heads(pages: Sequence[list[Line]], heights: Sequence[float]) -> list[list[Line]]:
    """The lines of consecutive pages, of each running head and foot only the first; `heights` are the pages'.

    A head is a line at an edge that at least three pages have there, numbers apart. The first stays: a title
    that slides repeat is not lost.
    """
    edges = [_edges(page, height) for page, height in zip(pages, heights, strict=True)]
    seen = Counter(key for page in edges for key in dict.fromkeys(page.values()))
    kept: set[_Key] = set()
    result: list[list[Line]] = []
    for page, keys in zip(pages, edges, strict=True):
        left: list[Line] = []
        for number, line in enumerate(page):
            key = keys.get(number)
            if key is None or seen[key] < _PAGES_MIN or (key not in kept and key.words):
                left.append(line)
            if key is not None:
                kept.add(key)
        result.append(left)
    return result


class _Key(NamedTuple):
    """What the heads of several pages have in common."""

    edge: str
    text: str
    """Without numbers."""

    @property
    def words(self) -> bool:
        """Whether it says more than the page's number."""
        return any(map(str.isalpha, self.text.replace("page", "")))


def _edges(page: Sequence[Line], height: float) -> dict[int, _Key]:
    """The key of each line at an edge, by its number: the edge, and its text without numbers."""
    upright = [(line, number) for number, line in enumerate(page) if not line.sideways and line.height > 0]
    found: dict[int, _Key] = {}
    for edge, among in (
        ("top", [one for one in upright if one[0].bottom > height * (1 - _EDGE)]),
        ("bottom", [one for one in upright if one[0].top < height * _EDGE]),
    ):
        outermost = sorted(among, key=lambda one: one[0].top, reverse=edge == "top")[:_LINES_MAX]
        for line, number in outermost:
            found[number] = _Key(edge, " ".join(_NUMBER.sub("#", line.text).casefold().split()))
    return found
