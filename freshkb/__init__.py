"""A knowledge base to search from an application.

>>> from freshkb import KnowledgeBase
>>> with KnowledgeBase.open("freshkb.yaml") as kb:  # doctest: +SKIP
...     hits = kb.search("how much leave is there?", k=3)

Errors that are freshkb's own are `FreshkbError`, with a message for people. ``python -m freshkb`` is the
command line.

May import: `index`, and `flows` for the command line. Imported by nothing of freshkb's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.errors import FreshkbError
    from index.search.hits import SearchHit
    from index.search.knowledge_base import KnowledgeBase

__all__ = ["FreshkbError", "KnowledgeBase", "SearchHit"]

_HOMES = {
    "FreshkbError": "index.errors",
    "KnowledgeBase": "index.search.knowledge_base",
    "SearchHit": "index.search.hits",
}


def __getattr__(name: str) -> Any:
    # Lazily, so that the import costs an application nothing before it opens a knowledge base.
    if name not in _HOMES:
        raise AttributeError(f"module 'freshkb' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
