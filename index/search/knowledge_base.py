"""A knowledge base to read from: the facade for applications."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from index.config import Config, load
from index.errors import FreshkbError
from index.lookup import unambiguous
from index.model import State, utc_now
from index.printable import storable
from index.records import Collection
from index.search.describe import describe, summaries
from index.search.hits import SearchHit
from index.search.query import Query, check, search
from index.search.reader import Reader
from index.search.usage import HitCounter
from index.store.base import Mode
from index.sync.source import chosen_sources
from index.workspace import Workspace, require_collection


class KnowledgeBase:
    """A knowledge base to read from. The model stays loaded between searches; it is safe in many threads.

    >>> with KnowledgeBase.open("freshkb.yaml") as kb:  # doctest: +SKIP
    ...     hits = kb.search("how much leave is there?", k=3)
    """

    def __init__(self, workspace: Workspace) -> None:
        """Raises Refused when the ledger is older than its anchors know, and orders to erase are missing."""
        if workspace.config.log.anchors:
            from index.checkpoints import require_orders

            require_orders(workspace)
        self.workspace = workspace
        self.reader = Reader(workspace)
        self._counter: HitCounter | None = None
        if workspace.config.audit.count_hits:
            self._counter = HitCounter(workspace.ledger, workspace.now())
        self._collection: Collection | None = None
        """The one that was current at the last search."""

    @classmethod
    def open(
        cls, config: str | Path | Config | None = None, *, now: Callable[[], datetime] = utc_now
    ) -> KnowledgeBase:
        """Open by the path of a configuration (None: found from the working directory).

        Raises ConfigError when it cannot be used, LedgerError when its ledger cannot, Refused when it is an
        older copy that lacks orders to erase.
        """
        if not isinstance(config, Config):
            config = load(Path(config) if config is not None else None, os.environ, Path.cwd())
        workspace = Workspace(config, now=now)
        try:
            # Opened here, because two threads at once would open them twice.
            _ = workspace.ledger, workspace.store
            return cls(workspace)
        except BaseException:
            workspace.close()
            raise

    def __enter__(self) -> KnowledgeBase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._counter is not None:
            self._counter.close()
        self.workspace.close()

    def search(
        self,
        query: str,
        k: int = 10,
        mode: Mode = "hybrid",
        fresh_only: bool = False,
        source: str | None = None,
        owner: str | None = None,
        held: bool = False,
        prefer_fresh: bool = False,
    ) -> list[SearchHit]:
        """The `k` best chunks, at most 1,000, best first; none for a blank query. A text that stands in
        several places is one hit, with the other places as its `duplicates`. See `SearchHit` for its numbers.

        `fresh_only` keeps fresh and exempt documents; with `prefer_fresh` others come later, the longer their
        review has been due; `owner` those of which this is one of the owners, compared without case; `held`
        lets documents in that are gone at their source and stay because of a hold. Raises ConfigError for
        another mode, a query that is not Unicode, a `k` that is no whole number up to 1,000, and an unknown
        source or owner; StoreError when there is no index, ModelChanged when it was built with another model.
        """
        hits = self._answered(Query(query, k, mode, fresh_only, source, owner, prefer_fresh, held))
        if self._counter is not None:
            self._counter.add(hits, self.workspace.now())
        return hits

    def _answered(self, query: Query) -> list[SearchHit]:
        """Search the collection of the last search, and again when another has become current meanwhile: the
        former one may be gone."""
        check(self.reader, query)
        current = self.workspace.ledger.collections.current
        used = self._collection or current()
        while True:
            try:
                hits = search(self.reader, self._usable(used), query)
            except FreshkbError:
                if (now := current()) == used:
                    raise
            else:
                if (now := current()) == used:
                    self._collection = used
                    return hits
            used = now

    def _usable(self, current: Collection | None) -> Collection:
        """Raises StoreError when there is none, or the store's belongs to another ledger."""
        if current is None:
            return require_collection(self.workspace)
        self.workspace.check_instance(current)
        return current

    def document(self, uri: str, source: str | None = None) -> dict[str, Any] | None:
        """One document with its state, dates, owner and chunks, as `freshkb show --json` prints it; None when
        there is none at this uri.

        Raises ConfigError when several sources have one and `source` is None, and for an unknown source.
        """
        self._require(source)
        if storable(uri) != uri:  # No document has it, and PostgreSQL takes no such parameter.
            return None
        found = unambiguous(list(self.workspace.ledger.documents.find(source=source, uris=[uri])))
        return describe(self.reader, found[0]).json() if found else None

    def list(self, *, source: str | None = None, state: State | None = None) -> list[dict[str, Any]]:
        """Documents as `freshkb ls --json` prints them; deleted ones only when `state` names them. Raises
        ConfigError for an unknown source."""
        self._require(source)
        return [summary.json() for summary in summaries(self.reader, source=source, state=state)]

    def status(self) -> dict[str, Any]:
        """Documents by source and state, runs, services and the index: see `index.health.status`."""
        from index.health.status import status

        return status(self.workspace).json()

    def _require(self, source: str | None) -> None:
        if source is not None:
            chosen_sources(self.workspace, [source])
