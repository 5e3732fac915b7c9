"""A knowledge base whose points are on a Qdrant server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from qdrant_client import QdrantClient

from index.parse import Parser
from index.store.qdrant.store import QdrantStore
from index.workspace import Workspace
from tests.knowledge import Knowledge
from tests.qdrant import OneAtATime

#: Where a server of one's own is; without it the client's in-memory engine stands in for one.
ADDRESS = "FRESHKB_TEST_QDRANT_URL"


class Served(Knowledge):
    """The server outlives every workspace, and is emptied with `clear`."""

    def __init__(self, home: Path, parser: Parser) -> None:
        super().__init__(home, parser)
        url = os.environ.get(ADDRESS)
        self.settings["index"] = {"store": "qdrant", "url": url or "http://memory"}
        self._client = None if url else cast(QdrantClient, OneAtATime())

    def _store(self) -> QdrantStore:
        return QdrantStore(self.settings["index"]["url"], client=self._client)

    @contextmanager
    def workspace(self, **parts: Any) -> Iterator[Workspace]:
        with super().workspace(store=self._store(), **parts) as workspace:
            yield workspace

    def clear(self) -> None:
        store = self._store()
        for name in store.collections():
            store.drop(name)
        store.close()
