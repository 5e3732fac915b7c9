"""Suppressed phrases in what is indexed: looked for by their keyed hashes, as nothing else is on record."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from index.ledger import Order, TombstoneKind
from index.sync.withhold import Suppressed
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class KeyedPhrases:
    """Phrases that `index.search.find` looks for."""

    phrases: Suppressed

    @classmethod
    def of(cls, workspace: Workspace, order: Order) -> KeyedPhrases:
        """The phrases of an order."""
        erasures = workspace.ledger.erasures
        by_length: dict[int, dict[str, str]] = {}
        for stone in erasures.of(order.order_id):
            if stone.kind is TombstoneKind.PHRASE:
                by_length.setdefault(stone.words, {})[stone.key_hash] = order.order_id
        return cls(Suppressed(erasures.keys(), by_length))

    def found(self, text: str) -> bool:
        return bool(self.phrases.order([text]))

    def parts(self, texts: Iterable[str]) -> Collection[int]:
        """Some index when a phrase stands in the parts of a text, or across them; else none."""
        return {0} if self.found("\n".join(texts)) else set()
