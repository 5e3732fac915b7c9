"""Pages that say they are another page: by a redirect, or as that page's copy (canonical)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from enum import Enum, auto

from connectors.web.memory import Memory

#: Addresses that may give way to one other page. More of them are a site that sends everyone to one place.
_CROWD = 5


class Fate(Enum):
    ITSELF = auto()
    """It is a document of its own."""
    NONE = auto()
    """It is none, and never was."""
    ANOTHER = auto()
    """It is another document."""
    RENAMED = auto()
    """It is another document with the same text."""


def fates(memory: Memory, takes: Callable[[str], bool]) -> Iterator[tuple[str, Fate]]:
    """What becomes of each page in the listing that has a target: its uri, and its fate.

    It is the other page when that is a document of the listing. Many addresses that become one page are not
    believed, unless the texts are the same: a closed site sends everyone to one place.
    """
    db = memory.db
    found = db.execute("SELECT uri, target, outcome FROM seen WHERE target IS NOT NULL").fetchall()
    targets = {uri: target for uri, target, _ in found}
    ends = {uri: _end(uri, targets) for uri in targets}
    crowds: defaultdict[str, set[str]] = defaultdict(set)
    documents = set()
    for uri, end in ends.items():
        crowds[end].add(uri.partition("?")[0])
        state = db.execute("SELECT outcome FROM seen WHERE uri = ?", (end,)).fetchone()
        if state == ("document",) and takes(end):
            documents.add(end)
    for uri, _, outcome in found:
        end = ends[uri]
        row, other = memory.get(uri), memory.get(end)
        same = row is not None and other is not None and row.token == other.token is not None
        believed = end in documents and end != uri and (same or len(crowds[end]) <= _CROWD)
        if outcome == "stays" or not believed:
            document = row is not None and (row.listed or outcome == "canonical")
            yield uri, Fate.ITSELF if document else Fate.NONE
        elif row is None or not (row.listed or row.misses):
            yield uri, Fate.NONE
        else:
            yield uri, Fate.RENAMED if same else Fate.ANOTHER


def _end(uri: str, targets: dict[str, str]) -> str:
    """The page at the end of a chain; the page itself when the chain is a circle."""
    seen, end = {uri}, uri
    while (following := targets.get(end)) is not None:
        if following in seen:
            return uri
        seen.add(following)
        end = following
    return end
