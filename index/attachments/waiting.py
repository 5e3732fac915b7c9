"""Attachments in the order of a listing."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from connectors.base import Entry


class Waiting:
    """Attachments whose places in the order of a listing are still to come."""

    def __init__(self) -> None:
        self._uris: list[str] = []
        self._entries: dict[str, Entry] = {}

    def __bool__(self) -> bool:
        return bool(self._uris)

    def __contains__(self, uri: str) -> bool:
        return uri in self._entries

    def add(self, entry: Entry) -> None:
        """Of two with one uri the first counts."""
        if self._entries.setdefault(entry.uri, entry) is entry:
            heapq.heappush(self._uris, entry.uri)

    def before(self, uri: str | None) -> Iterator[Entry]:
        """Those that come before this uri, taken out; None: all. What the source itself has at a uri comes
        first."""
        while self._uris and (uri is None or self._uris[0] <= uri):
            first = heapq.heappop(self._uris)
            entry = self._entries.pop(first)
            if first != uri:
                yield entry
