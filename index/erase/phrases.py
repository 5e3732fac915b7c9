"""Suppressed phrases: looked for by their keyed hashes, as nothing else of them is on record."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from index.ledger import Keys, Tombstone, TombstoneKind, windows
from index.phrase import readings, readings_of_parts


class KeyedPhrases:
    """Phrases of tombstones, looked for as `index.phrase.Phrases` does."""

    def __init__(self, keys: Keys, stones: Iterable[Tombstone]) -> None:
        self._keys = keys
        self._by_length: dict[int, set[str]] = {}
        for stone in stones:
            if stone.kind is TombstoneKind.PHRASE:
                self._by_length.setdefault(stone.words, set()).add(stone.key_hash)

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def found(self, text: str) -> bool:
        """Whether the text contains one of them."""
        return any(self._within(reading) for reading in readings(text))

    def parts(self, texts: Iterable[str]) -> Collection[int]:
        """Some index when one of them stands in the parts of a text, or across them; else none."""
        return {0} if any(self._within("".join(parts)) for parts in readings_of_parts(texts)) else set()

    def _within(self, words: str) -> bool:
        return any(
            self._keys.phrase(window) in hashes
            for length, hashes in self._by_length.items()
            for window in dict.fromkeys(windows(words, length))
        )
