"""The vector store: where the points are, and how they are searched.

    base       the seam: VectorStore, Session, Filter, Hit, Purge
    edge/      Qdrant's engine inside this process, one folder a collection, for one host
    qdrant/    a Qdrant server, for many processes and machines
    fusion     several rankings become one
    examine    what is wrong with a collection in itself
    names      which of a store's collections can be those of one knowledge base
    convert    checks and conversions that both stores share
    bm25       sparse vectors from text

A collection holds points of one embedding: an unnamed dense vector under cosine distance, which the engine
normalises, a sparse vector ``bm25`` whose inverse document frequencies the engine keeps, and a payload that
other readers of a Qdrant collection understand. It carries the instance id of the ledger it belongs to, put
there last, so that a collection whose creation was cut short has none and is made anew.

Invariants of every store

- A write is durable, and confirmed by the store, when the call returns; otherwise it raises StoreError and
  its outcome is unknown. Writing the same points again is always right.
- Points are deleted by explicit ids, never by a filter.
- Hybrid search is reciprocal rank fusion of the best candidates of both vectors. It is computed here and
  not by the engine, which breaks ties differently in every call.
- Every failure in the engine or on the way to it is a StoreError.

An embedded store belongs to one process at a time. A session holds the whole folder, and when it ends the
store stays open for a moment, so that the next session of the same process need not load it again, unless
another process waits. Hold sessions for as long as a batch takes, and for nothing else.

May import: `batched`, `disk`, `freshness`, `payload`, `model`, `errors`, `redact`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ConfigError

if TYPE_CHECKING:
    from index.store.base import VectorStore


def open_store(kind: str, *, path: Path, url: str | None = None, api_key: str | None = None) -> VectorStore:
    """The store of this kind: ``edge`` keeps its collections below `path`, ``qdrant`` on the server at `url`.

    Nothing is opened or asked yet. Raises ConfigError when the kind is unknown or the url is missing.
    """
    if kind == "edge":
        from index.store.edge.store import EdgeStore

        return EdgeStore(path)
    if kind == "qdrant":
        from index.store.qdrant.store import QdrantStore

        if not url:
            raise ConfigError("A Qdrant store needs the address of its server: set index.url.")
        return QdrantStore(url, api_key=api_key)
    raise ConfigError(f"There is no vector store {kind!r}; there are: edge, qdrant.")
