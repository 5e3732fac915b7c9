"""The parts that reading an index takes: ledger, store, verdicts, and the model's vector of a query."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime

from index.audit.verdicts import Verdicts
from index.config.codeowners import codeowners_of
from index.config.rules import rules_fingerprint
from index.ledger import Ledger
from index.records import Collection, SourceRecord
from index.store.base import VectorStore
from index.workspace import Workspace


class Reader:
    """The parts of a workspace that only read. Threads may share it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.verdicts = Verdicts(
            workspace.config.sources, lambda source: codeowners_of(workspace.connector(source))
        )
        self._model = threading.Lock()
        self._in_force: dict[str, str] = {}

    @property
    def ledger(self) -> Ledger:
        return self.workspace.ledger

    @property
    def store(self) -> VectorStore:
        return self.workspace.store

    def now(self) -> datetime:
        return self.workspace.now()

    def doubted(self, records: Iterable[SourceRecord]) -> tuple[str, ...]:
        """Configured sources of which some payload may be behind the rules in force, so that its dates do not
        count. `records` are the ledger's of all sources."""
        written = {record.source: record.rules_fingerprint for record in records}
        return tuple(s for s in self.verdicts.sources if written.get(s) != self._rules_in_force(s))

    def _rules_in_force(self, source: str) -> str:
        if source not in self._in_force:
            settings, connector = self.workspace.config.source(source), self.workspace.connector(source)
            rules = self.verdicts.rules(source)
            codeowners = rules.codeowners if rules is not None else None
            self._in_force[source] = rules_fingerprint(settings, connector.home(), codeowners)
        return self._in_force[source]

    def embedded(self, collection: Collection, query: str) -> Sequence[float]:
        """The dense vector of a query, by the model of the collection. Raises ModelChanged, EmbedderError."""
        with self._model:
            return self.workspace.embedder(collection).embed_query(query)
