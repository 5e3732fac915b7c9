"""Erasures: tombstones, which keep erased documents erased."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.schema import tombstones


class Erasures(Tables):
    def put(
        self, keys: Collection[str], source: str, reason: str, at: datetime, entries: Sequence[LogEntry]
    ) -> None:
        """Record keyed hashes of documents that must not come back. The first tombstone of a key stands."""
        rows = [
            {"key_hash": key, "source": source, "reason": reason, "at": at} for key in dict.fromkeys(keys)
        ]
        with self._database.writing() as connection:
            if rows:
                connection.execute(self._database.insert_new(tombstones), rows)
            append(connection, entries)

    def tombstoned(self, keys: Collection[str]) -> set[str]:
        """The key hashes among these that have a tombstone."""
        query = sa.select(tombstones.c.key_hash).where(self._database.among(tombstones.c.key_hash, keys))
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())
