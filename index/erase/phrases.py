"""Suppressed phrases in what is indexed: looked for by their keyed hashes, as nothing else is on record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from index.ledger import Keys, Order, Tombstone, TombstoneKind
from index.sync.withhold import Suppressed
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class KeyedPhrases:
    """Phrases that `index.search.find` looks for."""

    phrases: Suppressed

    @classmethod
    def of(cls, workspace: Workspace, order: Order) -> KeyedPhrases:
        """The phrases of an order."""
        tombstones = workspace.ledger.tombstones
        return cls.among(tombstones.keys(), {order.order_id: tombstones.of(order.order_id)})

    @classmethod
    def among(cls, keys: Keys, stones: Mapping[str, Iterable[Tombstone]]) -> KeyedPhrases:
        """The phrases among tombstones {order id: tombstones}."""
        by_length: dict[int, dict[str, str]] = {}
        for order_id, own in stones.items():
            for stone in own:
                if stone.kind is TombstoneKind.PHRASE:
                    by_length.setdefault(stone.words, {})[stone.key_hash] = order_id
        return cls(Suppressed(keys, by_length))

    def __bool__(self) -> bool:
        return bool(self.phrases)

    def found(self, text: str) -> bool:
        return bool(self.phrases.order([text]))

    def parts(self, texts: Iterable[str]) -> Collection[int]:
        """Some index when a phrase stands in the parts of a text, or across them; else none."""
        return {0} if self.found("\n".join(texts)) else set()
