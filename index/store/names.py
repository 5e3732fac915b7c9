"""Names of collections: which of a store's can be those of one knowledge base.

A knowledge base names its collections after its `index.collection`. Several may share a server, each with a
name of its own, also when one is a restored copy of another and has its instance id.
"""

from __future__ import annotations

import re

from index.errors import StoreMismatch
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


def require_own(store: VectorStore, base: str, instance: str) -> None:
    """Raises StoreMismatch when other readers find the collection of another owner under this name: they
    would be given the documents of this one."""
    published = store.published(base)
    if published is not None and (other := store.instance(published)) != instance:
        owner = f"belongs to another knowledge base ({other})" if other else "was not made by freshkb"
        raise StoreMismatch(
            f"Other readers find collection {published!r} under the name {base!r}, and it {owner}; this "
            f"knowledge base is {instance}. Nothing was changed. Give it a name of its own "
            "(index.collection)."
        )
