"""Names of collections: which of a store's can be those of one knowledge base.

A knowledge base names its collections after its `index.collection`. Several may share a server, each with a
name of its own, also when one is a restored copy of another and has its instance id.
"""

from __future__ import annotations

import re

from index.store.base import VectorStore

#: What follows the configured name: the beginning of the embedding fingerprint, and a random number.
_END = r"-[0-9a-f]{8}-[0-9a-f]{8}"


def renamed(name: str, base: str) -> str:
    """The name of the same collection in a knowledge base with this `index.collection`."""
    end = re.search(_END + r"\Z", name)
    return base + end.group() if end else name


def candidates(store: VectorStore, base: str) -> list[str]:
    """The collections that can be those of the knowledge base with this `index.collection`: of a server's
    those that are named after it, and the one that other readers find under it; all of an embedded store,
    which has one owner."""
    names = store.collections()
    if store.kind == "edge":
        return names
    published = store.published(base)
    return [name for name in names if name == published or re.fullmatch(re.escape(base) + _END, name)]
