"""The stand-in for a Qdrant server where there is none."""

from __future__ import annotations

import threading
from typing import Any

from qdrant_client import QdrantClient
from qdrant_client.hybrid import formula
from qdrant_client.local import distances

_similarity = distances.cosine_similarity


def _leaving_them_alone(query: Any, vectors: Any) -> Any:
    """The in-memory engine normalises what is stored anew with each search, which changes its last bits; a
    server does not."""
    return _similarity(query, vectors.copy())


distances.cosine_similarity = _leaving_them_alone


_value = vars(formula)["value_by_key"]


def _without_null(payload: Any, key: Any) -> Any:
    """To the in-memory engine null is a value of a formula; to a server it is none."""
    found = _value(payload, key)
    return [one for one in found if one is not None] if isinstance(found, list) else found


vars(formula)["value_by_key"] = _without_null


class OneAtATime:
    """The in-memory engine behind one lock, which it lacks: threads break its arrays (qdrant-client#1193)."""

    def __init__(self) -> None:
        self._engine = QdrantClient(":memory:")
        self._lock = threading.Lock()

    def close(self) -> None:
        """The data lives as long as the engine does."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return method(*args, **kwargs)

        return call
