"""Verdicts on documents, by the rules of the configuration as it is now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from index.config import SourceConfig
from index.config.codeowners import CodeOwners
from index.config.rules import Rules, by_codeowners
from index.freshness.assess import Assessment, Verdict, assess
from index.freshness.governance import Governance
from index.records import Document


class Verdicts:
    """The rules of each configured source, compiled at a document's first need. Threads may share it.

    `codeowners` reads the CODEOWNERS file of a source, once, and by one thread at a time.
    """

    def __init__(
        self,
        sources: Iterable[SourceConfig],
        codeowners: Callable[[str], CodeOwners] = lambda source: CodeOwners(),
    ) -> None:
        self._codeowners = codeowners
        self._reading = threading.Lock()
        self._sources = {source.id: source for source in sources}
        #: Ids of the configured sources.
        self.sources = tuple(self._sources)
        self._rules: dict[str, Rules] = {}

    def rules(self, source: str) -> Rules | None:
        """The rules of a source; None when it is not in the configuration."""
        if source not in self._rules:
            if source not in self._sources:
                return None
            with self._reading:
                if source not in self._rules:
                    self._rules[source] = Rules(self._sources[source], self._codeowners(source))
        return self._rules[source]

    def governance(self, document: Document) -> Governance | None:
        """Owners and policy of a document; None when its source is not in the configuration."""
        rules = self.rules(document.source)
        if rules is None:
            return None
        return rules.govern(document.uri, document.properties, by_codeowners(document))

    def of(self, document: Document, now: datetime) -> Assessment:
        """The verdict on a document at an instant."""
        return assessed(document, self.governance(document), now)


def assessed(document: Document, governance: Governance | None, now: datetime) -> Assessment:
    """The verdict under this governance; unknown without any."""
    if governance is None:
        reason = f"Its source {document.source} is not in the configuration any more."
        return Assessment(Verdict.UNKNOWN, reason)
    return assess(governance.policy, document.properties, document.modified_at, document.reviewed_at, now)
