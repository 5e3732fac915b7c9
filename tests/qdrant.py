"""What stands in for a Qdrant server where there is none."""

from __future__ import annotations

import threading
from typing import Any

from qdrant_client import QdrantClient


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
