"""Ledger, vector store, and the proof that they equal the sources.

Vocabulary
    *Source* (a configured place), *listing* (what it says exists now, complete or not), *document* (one item,
    its id kept when it is renamed), *version* (what it held at one time), *chunk* and *point* (a piece of its
    text, and that piece's row in the store), *ledger* (the database that records all of these, without any
    text), *plan* (a frozen decision), *intent* (a version that is about to be written), *quarantine* (failed
    to parse, kept with its reason). *Delete* means that it can no longer be retrieved.

Invariants
    I1  A point exists in the store only if the ledger knows its id: the intent is durable before the upsert.
    I2  The ledger calls a version current only after all its points were written and read back.
    I3  Every step may be repeated: point ids depend on document, embedded text and model alone.
    I4  A document is removed only by the plan of a complete listing, or by the end of its retention, that
        passed the guard or was approved. Every removal is by explicit point ids.
    I6  Errors keep too much rather than too little: a document whose new version cannot be parsed keeps its
        old text, and says so.
    I7  Watch events are hints: they change when something is looked at, never what the index becomes.
    I8  A document that fails is a value; a store or a ledger that fails is an exception.

Rooms, from the bottom up; each may import those above it in this list, and none below
    Values: `model` and `records` (of the ledger), `errors`, `redact` (secrets), `printable` (foreign text),
    `batched`, `outcome` (counts and reports of runs), `actor`, `cores` (that may be used).
    `disk` (locks, private files, scratch) · `freshness` (verdicts, owners, dates, links) ·
    `retention` (how long documents are kept) · `payload` and `proof` (what a point carries, and what its
    digest proves) · `embed` · `parse` · `config` · `chunk` · `ledger` · `store` · `sizes` ·
    `workspace` (the parts of one knowledge base) · `run` (a verb on record) · `lookup` (documents by name) ·
    `sync` · `audit` · `health` · `search` · `reindex` · `verify`.

May import: `connectors.base`. May be imported by `flows`, and by `freshkb` for applications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.search.knowledge_base import KnowledgeBase

__all__ = ["KnowledgeBase"]


def __getattr__(name: str) -> Any:
    # Lazily, so that `import index.model` does not bring the whole index along.
    if name == "KnowledgeBase":
        from index.search.knowledge_base import KnowledgeBase

        return KnowledgeBase
    raise AttributeError(f"module 'index' has no attribute {name!r}")
