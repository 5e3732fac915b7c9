"""What reading an index takes: ledger, store, verdicts, and the model's vector of a query."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from index.ledger import Ledger
from index.mirror import Mirror
from index.model import Collection
from index.store.base import VectorStore
from index.verdicts import Verdicts


class Reader:
    """The parts of a mirror that only read. Threads may share it."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.verdicts = Verdicts(mirror.config.sources)
        self._model = threading.Lock()

    @property
    def ledger(self) -> Ledger:
        return self.mirror.ledger

    @property
    def store(self) -> VectorStore:
        return self.mirror.store

    def now(self) -> datetime:
        return self.mirror.now()

    def embedded(self, collection: Collection, query: str) -> Sequence[float]:
        """The dense vector of a query, by the model of the collection. Raises ModelChanged, EmbedderError."""
        with self._model:
            return self.mirror.embedder(collection).embed_query(query)
