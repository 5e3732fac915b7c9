"""How the log goes on after an older copy of the ledger was put in its place: a generation of its own.

Entries that only the log's anchors know are lost then. The log goes on under another name, its *generation*,
so that no later checkpoint is taken for one of those entries. The entry that begins it says what is lost::

    {"generation": its id, "kept": number of entries that it goes on after,
     "known": number of entries that anchors knew of the generation before}

and, for each generation that began after that of this copy, its id with the number of entries known of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogAction, LogEntry
from index.ledger.hold import short_id
from index.ledger.log import append
from index.ledger.schema import log, meta

#: The fact of an entry that begins a generation.
GENERATION = "generation"
#: Names in `meta`: of the generation, and of the orders that were missing when it began, as JSON.
NAME, MISSING = "log generation", "orders missing"

_GENERATION = re.compile(r"R-[0-9A-Z]{7}")
_ENTRY = schema.columns(log, LogEntry)


def generation_id(unique: str) -> str:
    """A short id made of a random UUID, as in ``R-7K3QM9X``."""
    return short_id("R", unique)


def generations(facts: Mapping[str, int | str]) -> list[str]:
    """The generations that the facts of an entry name: first the one that it begins."""
    begun = [str(facts[GENERATION])] if GENERATION in facts else []
    return begun + [name for name in facts if _GENERATION.fullmatch(name)]


class History(Tables):
    def generation(self) -> str:
        """The generation of the log; "" for the first."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(meta.c.value).where(meta.c.name == NAME)).scalar() or ""

    def begin(self, entry: LogEntry, missing: Sequence[str] = ()) -> None:
        """Begin the generation that this entry names. `missing`: ids of orders to erase that were carried out
        in entries which are lost, and that are not on record here."""
        values = {NAME: entry.facts[GENERATION], MISSING: json.dumps(list(missing))}
        with self._database.writing() as connection:
            connection.execute(sa.delete(meta).where(meta.c.name.in_(values)))
            connection.execute(sa.insert(meta), [{"name": n, "value": v} for n, v in values.items()])
            append(connection, [entry])

    def missing(self) -> list[str]:
        """The orders that were missing when the generation began."""
        with self._database.reading() as connection:
            recorded = connection.execute(sa.select(meta.c.value).where(meta.c.name == MISSING)).scalar()
        return [str(order_id) for order_id in json.loads(recorded or "[]")]

    def begun(self) -> list[LogEntry]:
        """The entries that began a generation, oldest first."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_not(None))
        query = query.where(log.c.action == LogAction.LEDGER_RESTORED).order_by(log.c.sequence)
        with self._database.reading() as connection:
            entries = [LogEntry(*row) for row in connection.execute(query)]
        return [entry for entry in entries if GENERATION in entry.facts]

    def carried_out(self, after: int, until: int) -> tuple[str, ...]:
        """The orders to erase whose end is among the entries after the one and up to the other number."""
        query = sa.select(log.c.subject).where(log.c.sequence > after, log.c.sequence <= until)
        query = query.where(log.c.action == LogAction.ERASURE_DONE).order_by(log.c.sequence)
        with self._database.reading() as connection:
            return tuple(dict.fromkeys(connection.execute(query).scalars()))
