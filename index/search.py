"""Answer a query from the index, with what is needed to cite the answer and to judge its age."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from index import payload
from index.audit import review_json
from index.audit_findings import Finding, of_document
from index.config import Config, load
from index.errors import ConfigError, StoreError
from index.freshness import Assessment, Verdict, assess
from index.hits import SearchHit, folded, search_hit
from index.lookup import unambiguous
from index.mirror import Mirror, require_collection, utc_now
from index.model import LIVE, Collection, Document, Review, State, rfc3339
from index.origin import chosen_sources
from index.owners import require
from index.printable import is_unicode
from index.rules import Rules
from index.store import bm25
from index.store.base import Filter, Hit, Mode

log = logging.getLogger("freshkb.search")

#: Verdicts that `fresh_only` keeps.
FRESH = frozenset({Verdict.FRESH, Verdict.EXEMPT})


class KnowledgeBase:
    """A knowledge base to read from. The model stays loaded between searches; it is safe in many threads.

    >>> with KnowledgeBase.open("freshkb.yaml") as kb:  # doctest: +SKIP
    ...     hits = kb.search("how much leave is there?", k=3)
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self._rules: dict[str, Rules] = {}
        self._model = threading.Lock()

    @classmethod
    def open(
        cls, config: str | Path | Config | None = None, *, now: Callable[[], datetime] = utc_now
    ) -> KnowledgeBase:
        """Open by the path of a configuration (None: the one that the working directory is in).

        Raises ConfigError when it cannot be used, LedgerError when its ledger cannot.
        """
        if not isinstance(config, Config):
            config = load(Path(config) if config is not None else None, os.environ, Path.cwd())
        mirror = Mirror(config, now=now)
        # Opened here, because threads that came first together would open them twice.
        _ = mirror.ledger, mirror.store
        return cls(mirror)

    def __enter__(self) -> KnowledgeBase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.mirror.close()

    def search(
        self,
        query: str,
        k: int = 10,
        mode: Mode = "hybrid",
        fresh_only: bool = False,
        source: str | None = None,
        owner: str | None = None,
        held: bool = False,
    ) -> list[SearchHit]:
        """The `k` best chunks, best first; none for a blank query. A text that stands in several places is
        one of them, with the others as its `duplicates`. See `SearchHit` for what its numbers mean.

        `fresh_only` keeps fresh and exempt documents; `owner` those of which this is one of the owners,
        compared without case; `held` lets documents in that are gone at their source and stay because of a
        hold. Raises ConfigError for another mode, a query that is not Unicode, and a source or owner that
        there is not; StoreError when there is no index, ModelChanged when it was built with another model.
        """
        if mode not in get_args(Mode):
            raise ConfigError(f"There is no mode {mode!r}; there are: {', '.join(get_args(Mode))}.")
        if not is_unicode(query):
            raise ConfigError(f"The query {query!r} is not Unicode text.")
        self._require(source)
        if k < 1 or not query.strip():
            require_collection(self.mirror)
            return []
        if owner is not None:
            require(owner, self.mirror.ledger.documents.owners())
        where = Filter(source=source, owner=owner, fresh_at=self.mirror.now() if fresh_only else None)

        def ask(collection: Collection) -> list[SearchHit]:
            dense = None
            if mode != "sparse":
                with self._model:
                    dense = self.mirror.embedder(collection).embed_query(query)
            sparse = bm25.query(query) if mode != "dense" else None
            limit = 2 * k + 10
            while True:
                with self.mirror.store.session(collection.name) as session:
                    found = session.search(mode=mode, dense=dense, sparse=sparse, limit=limit, where=where)
                    # Asked before the session ends: an embedded store has no writer as long as it lasts, so
                    # that what was found is not obsolete before what took its place could be found.
                    hits = self._shown(collection.name, found, fresh_only=fresh_only, held=held)
                # One more than is asked for: the copies of the last one are among those before it.
                if len(hits) > k or len(found) < limit:
                    log.debug("Search: %s, %d hits of %d candidates.", mode, len(hits[:k]), len(found))
                    return hits[:k]
                # Some of the best may not be shown, or be copies: look further down.
                limit *= 2

        return self._answered(ask)

    def _answered(self, ask: Callable[[Collection], list[SearchHit]]) -> list[SearchHit]:
        """Asked again when a reindex has switched meanwhile: the collection that was asked may be gone."""
        ledger = self.mirror.ledger
        while True:
            before = ledger.collections.current()
            try:
                hits = ask(require_collection(self.mirror))
            except StoreError:
                if ledger.collections.current() == before:
                    raise
            else:
                if ledger.collections.current() == before:
                    return hits

    def _shown(
        self, collection: str, found: Sequence[Hit], *, fresh_only: bool, held: bool
    ) -> list[SearchHit]:
        """A point is only an answer while the ledger calls it current: a batch may be half written."""
        current = self.mirror.ledger.chunks.searchable(collection, [hit.point.id for hit in found], held=held)
        hits = []
        for hit in found:
            document = current.get(hit.point.id)
            passage = payload.passage_in(hit.point.payload)
            if document is None or passage is None:
                continue
            verdict = self.assess(document)
            if not fresh_only or verdict.verdict in FRESH:
                hits.append(search_hit(hit, passage, document, verdict))
        return folded(hits)

    def assess(self, document: Document) -> Assessment:
        """The verdict on a document now."""
        rules = self._rules_of(document.source)
        if rules is None:
            return Assessment(
                Verdict.UNKNOWN, f"Its source {document.source} is not in the configuration any more."
            )
        policy = rules.govern(document.uri, document.properties).policy
        return assess(
            policy, document.properties, document.modified_at, document.reviewed_at, self.mirror.now()
        )

    def _rules_of(self, source: str) -> Rules | None:
        if source not in {s.id for s in self.mirror.config.sources}:
            return None
        if source not in self._rules:
            self._rules[source] = Rules(self.mirror.config.source(source))
        return self._rules[source]

    def _require(self, source: str | None) -> None:
        if source is not None:
            chosen_sources(self.mirror, [source])

    def document(self, uri: str, source: str | None = None) -> dict[str, Any] | None:
        """One document with its state, dates, owner and chunks; None when there is none at this uri.

        Raises ConfigError when several sources have one and none is named, and for a source that there is
        not.
        """
        self._require(source)
        found = unambiguous(list(self.mirror.ledger.documents.find(source=source, uris=[uri])))
        return self.describe(found[0]) if found else None

    def describe(self, document: Document) -> dict[str, Any]:
        """What `freshkb show` prints of a document."""
        mirror = self.mirror
        collection = mirror.ledger.collections.current()
        records = mirror.ledger.chunks.of(collection.name, [document.document_id]) if collection else {}
        own = records.get(document.document_id, [])
        points: Mapping[str, Any] = {}
        if own and collection:
            with mirror.store.session(collection.name) as session:
                points = session.retrieve([record.point_id for record in own], vectors=False)
        verdict = self.assess(document)
        made = mirror.ledger.reviews.of([document.document_id]).get(document.document_id)
        review = made[-1] if made else None
        row = summary(document, verdict)
        return row | {
            "url": document.url,
            "version": document.version,
            "content_hash": document.content_hash,
            "content_type": document.content_type,
            "language": document.language,
            "size": document.size,
            "owners": list(document.owners),
            "owner_source": document.owner_source,
            **review_json(review, review.changed(document) if review else None),
            "date_used": verdict.date_text,
            "date_field": verdict.date_field,
            "verdict_reason": verdict.reason,
            "warn_at": rfc3339(verdict.warn_at),
            "stale_at": rfc3339(verdict.stale_at),
            "first_seen_at": rfc3339(document.first_seen_at),
            "deleted_at": rfc3339(document.deleted_at),
            "extraction_fingerprint": document.extraction_fingerprint,
            "findings": [finding.json() for finding in self._findings(document, verdict, review)],
            "chunk_count": document.chunk_count,
            "chunks": [
                {
                    "point_id": record.point_id,
                    "chunk_index": record.chunk_index,
                    "tokens": record.tokens,
                    "page": record.page,
                    **_passage(points.get(record.point_id)),
                }
                for record in own
            ],
        }

    def _findings(self, document: Document, verdict: Assessment, review: Review | None) -> Iterator[Finding]:
        """What an audit would find."""
        rules = self._rules_of(document.source)
        if rules is not None and document.state in LIVE - {State.SKIPPED}:
            governance = rules.govern(document.uri, document.properties)
            yield from of_document(document, governance, verdict, review, self.mirror.now())

    def list(self, *, source: str | None = None, state: State | None = None) -> list[dict[str, Any]]:
        """What `freshkb ls` prints; deleted documents only when their state is asked for. Raises ConfigError
        for a source that there is not."""
        self._require(source)
        states = None if state is None else [state]
        documents = self.mirror.ledger.documents.find(source=source, states=states)
        return [summary(d, self.assess(d) if d.version else None) for d in documents]

    def status(self) -> dict[str, Any]:
        """Documents by source and state, runs, services, what the index is made of: see `index.status`."""
        from index.status import status

        return status(self.mirror)


def summary(document: Document, verdict: Assessment | None) -> dict[str, Any]:
    return {
        "document_id": document.document_id,
        "source": document.source,
        "uri": document.uri,
        "title": document.title,
        "owner": document.owner,
        "state": document.state.value,
        "reason": document.reason,
        "chunks": document.chunk_count,
        "modified_at": rfc3339(document.modified_at),
        "indexed_at": rfc3339(document.indexed_at),
        "verdict": str(verdict.verdict) if verdict else None,
    }


def _passage(point: Any) -> dict[str, Any]:
    found = payload.passage_in(point.payload) if point is not None else None
    if found is None:
        return {"heading_path": None, "text": None}
    return {"heading_path": list(found.heading_path), "text": found.text}
