"""Search in one collection: rank in the store, keep the points that the ledger calls current, judge, fold
copies.

The function reads one collection and no other. A caller that must notice a reindex that has switched
meanwhile, as `index.search.knowledge_base.KnowledgeBase` does, searches again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import SupportsIndex, get_args

from index import payload
from index.errors import ConfigError
from index.freshness.assess import Verdict
from index.freshness.owners import require
from index.printable import is_unicode
from index.records import Collection
from index.search.hits import Candidate, Read, SearchHit, folded, search_hit
from index.search.reader import Reader
from index.store.base import Filter, Hit, Mode
from index.sync.source import chosen_sources

log = logging.getLogger("freshkb.search")

#: Most hits that can be asked for, as on the command line.
K_MAX = 1000
#: Verdicts that `fresh_only` keeps.
FRESH = frozenset({Verdict.FRESH, Verdict.EXEMPT})


@dataclass(frozen=True, slots=True)
class Query:
    """A question. Raises ConfigError for an unknown mode, a text that is not Unicode, and a `k` that is no
    whole number or above `K_MAX`."""

    text: str
    k: int = 10
    """Most hits."""
    mode: Mode = "hybrid"
    fresh_only: bool = False
    """Only documents that are fresh or exempt."""
    source: str | None = None
    owner: str | None = None
    """Only documents with this owner among theirs, compared without case."""
    prefer_fresh: bool = False
    """Documents whose review has long been due come later."""
    held: bool = False
    """Also documents that are gone at their source, and stay because of a hold."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ConfigError(f"There is no mode {self.mode!r}; there are: {', '.join(get_args(Mode))}.")
        if not is_unicode(self.text):
            raise ConfigError(f"The query {self.text!r} is not Unicode text.")
        # Integers of other libraries are whole numbers, too.
        if not isinstance(self.k, SupportsIndex) or self.k > K_MAX:
            raise ConfigError(f"The number of hits, k, is not a whole number up to {K_MAX:,}.")

    @property
    def blank(self) -> bool:
        """Whether its text is blank or `k` is below 1."""
        return self.k < 1 or not self.text.strip()


def check(reader: Reader, query: Query) -> None:
    """Raises ConfigError for an unknown source or owner."""
    if query.source is not None:
        chosen_sources(reader.workspace, [query.source])
    if query.owner is not None and not query.blank:
        require(query.owner, reader.ledger.documents.owners())


def search(reader: Reader, collection: Collection, query: Query) -> list[SearchHit]:
    """The `k` best chunks of a collection, best first; none for a blank query. See `SearchHit` for its
    numbers.

    `query` has passed `check`. Raises StoreError when the store fails or the collection is gone, ModelChanged
    when a vector of the query cannot be made as the collection's were, EmbedderError.
    """
    from index.store import bm25

    if query.blank:
        return []
    if query.mode != "dense":
        bm25.require(collection.sparse_fingerprint)
    begun, now = time.perf_counter(), reader.now()
    where = _conditions(reader, query, now)
    dense = reader.embedded(collection, query.text) if query.mode != "sparse" else None
    words = bm25.query(query.text) if query.mode != "dense" else None
    limit, rounds = 2 * query.k + 10, 1
    fresh_first = now if query.prefer_fresh else None
    while True:
        with reader.store.session(collection.name) as session:
            found = session.search(
                mode=query.mode, dense=dense, sparse=words, limit=limit, where=where, fresh_first=fresh_first
            )
            # Before the session ends: an embedded store has no writer as long as it lasts, so that no hit
            # becomes obsolete before its replacement can be found.
            shown = _shown(reader, collection, found, query, now)
        # One text more than `k`: the copies of the k-th are then among those found.
        if len(shown) > query.k or len(found) < limit:
            known = reader.ledger.audits.codes([best.document.document_id for best, *_ in shown[: query.k]])
            hits = [
                search_hit(
                    best,
                    copies,
                    reader.verdicts.of(best.document, now),
                    known.get(best.document.document_id, ()),
                )
                for best, *copies in shown[: query.k]
            ]
            took = time.perf_counter() - begun
            counts = (len(hits), len(found), rounds)
            log.debug("%s: %d hits of %d candidates in %d rounds, %.3f s.", query.mode, *counts, took)
            return hits
        # Some of the best may not be shown, or be copies: look further down.
        limit, rounds = limit * 2, rounds + 1


def _conditions(reader: Reader, query: Query, now: datetime) -> Filter:
    """The conditions that the store itself can apply, so that few points are read that are not shown."""
    sources: tuple[str, ...] | None = None if query.source is None else (query.source,)
    if not query.fresh_only:
        return Filter(sources=sources, owner=query.owner)
    records, configured = reader.ledger.sources.all(), reader.verdicts.sources
    if any(record.source not in configured for record in records):
        # Documents of a source that is no longer configured are of unknown age.
        sources = tuple(source for source in configured if query.source in (None, source))
    return Filter(sources=sources, owner=query.owner, fresh_at=now, doubted=reader.doubted(records))


def _shown(
    reader: Reader, collection: Collection, found: Sequence[Hit], query: Query, now: datetime
) -> list[list[Candidate]]:
    """Candidates by text, best first; those of the first `k` texts, and of the others as many as were looked
    at to know these."""
    passages = ((hit, payload.passage_in(hit.point.payload)) for hit in found)
    texts = folded([(hit, passage) for hit, passage in passages if passage is not None])
    likely, rest = texts[: query.k + 1], texts[query.k + 1 :]
    shown = _current(reader, collection, likely, query, now)
    if all(text and text[0].hit is first[0] for text, (first, *_) in zip(shown, likely, strict=True)):
        return shown
    # The best of some text is not shown: its copies may come after the best of others.
    ranks = {hit.point.id: rank for rank, hit in enumerate(found)}
    shown += _current(reader, collection, rest, query, now)
    return sorted(filter(None, shown), key=lambda text: ranks[text[0].hit.point.id])


def _current(
    reader: Reader, collection: Collection, texts: Sequence[Sequence[Read]], query: Query, now: datetime
) -> list[list[Candidate]]:
    """Of each text the candidates that may be shown. A point is only an answer while the ledger calls it
    current: a batch may be half written."""
    ids = [hit.point.id for text in texts for hit, _ in text]
    documents = reader.ledger.chunks.searchable(collection.name, ids, held=query.held) if ids else {}

    def shown(candidate: Candidate) -> bool:
        return not query.fresh_only or reader.verdicts.of(candidate.document, now).verdict in FRESH

    current = (
        [Candidate(hit, passage, documents) for hit, passage in text if hit.point.id in documents]
        for text in texts
    )
    return [list(filter(shown, text)) for text in current]
