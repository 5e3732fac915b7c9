"""Counts of what searches show: documents and days, no questions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from index.audit.use import first_day
from index.errors import LedgerError
from index.ledger import Ledger
from index.search.hits import SearchHit

log = logging.getLogger("freshkb.search")

#: Time between two writes of a process that goes on; a crash loses the counts of so long.
_WRITTEN_EVERY = timedelta(minutes=1)
#: Verdicts that count as fresh.
_FRESH = ("fresh", "exempt")


class HitCounter:
    """Collects the counts of a process, and adds them to the ledger's from time to time. Threads may share
    it. A ledger that cannot be written costs counts, and no answer."""

    def __init__(self, ledger: Ledger, now: datetime) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._hits: dict[str, tuple[int, int]] = {}
        self._day = now.date()
        self._written = now

    def add(self, hits: Sequence[SearchHit], now: datetime) -> None:
        with self._lock:
            if now.date() != self._day:
                self._write()
                self._day = now.date()
            # A document counts once for each search, however many of its chunks it shows.
            for document_id, fresh in {hit.document_id: hit.verdict in _FRESH for hit in hits}.items():
                number, good = self._hits.get(document_id, (0, 0))
                self._hits[document_id] = number + 1, good + fresh
            if now - self._written >= _WRITTEN_EVERY:
                self._write()
                self._written = now

    def close(self) -> None:
        """Write what is left."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        if not self._hits or not self._ledger.writable:
            return
        midnight = datetime(self._day.year, self._day.month, self._day.day)
        try:
            self._ledger.usage.count(self._day, self._hits, first_day(midnight))
        except LedgerError as error:
            log.debug("The hits of %d documents are not counted: %s", len(self._hits), error)
        self._hits = {}
