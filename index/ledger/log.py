"""The log of changes, in order. Only ever appended; an entry never changes once it has its number.

A change that the store has to follow is committed first and settled later. Its entry is *pending* in between:
it is on record in the transaction of the commit, without a number, and waits for the collection. The settling
transaction publishes it.

Numbers come from one writer at a time: a transaction that gives some holds `_next_number`'s lock until it
ends. It takes this lock last, so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.actor import actor
from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogAction, LogEntry
from index.ledger.schema import log, meta, runs

_ENTRY = schema.columns(log, LogEntry)


def append(connection: sa.Connection, entries: Sequence[LogEntry]) -> None:
    """Publish these entries, in this order."""
    if entries:
        first = _next_number(connection)
        rows = [{**row, "sequence": n} for n, row in enumerate(_rows(connection, entries), start=first)]
        connection.execute(sa.insert(log), rows)


def defer(connection: sa.Connection, collection: str, entries: Sequence[LogEntry]) -> None:
    """Put pending entries on record; `publish` gives them their numbers."""
    if entries:
        rows = [{**row, "sequence": None} for row in _rows(connection, entries, collection)]
        connection.execute(sa.insert(log), rows)


def publish(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Give these of the pending entries their numbers, in the order of their recording."""
    # The lock comes first: of two that settle one document at once, the second sees the first's work.
    first = _next_number(connection)
    query = sa.select(log.c.id).where(log.c.sequence.is_(None), which).order_by(log.c.id)
    numbered = [
        {"waiting": waiting, "number": number}
        for number, waiting in enumerate(connection.execute(query).scalars(), start=first)
    ]
    if numbered:
        one = sa.update(log).where(log.c.id == sa.bindparam("waiting"))
        connection.execute(one.values(sequence=sa.bindparam("number"), collection=None), numbered)


def _next_number(connection: sa.Connection) -> int:
    """The next entry's number. No other transaction gets one before this one ends."""
    # Any row that every ledger has would do. On SQLite the transaction is the only one that writes.
    connection.execute(sa.select(meta.c.value).where(meta.c.name == "instance").with_for_update())
    newest = sa.select(sa.func.coalesce(sa.func.max(log.c.sequence), 0))
    return int(connection.execute(newest).scalar_one()) + 1


def _rows(
    connection: sa.Connection, entries: Sequence[LogEntry], collection: str | None = None
) -> Iterator[dict[str, Any]]:
    nameless = {entry.run_id for entry in entries if not entry.actor}
    query = sa.select(runs.c.run_id, runs.c.actor).where(runs.c.run_id.in_(nameless - {None}))
    actors = {row[0]: row[1] for row in connection.execute(query)} if nameless else {}
    for entry in entries:
        given = entry.actor or actors.get(entry.run_id) or actor()
        yield {**schema.values(entry), "actor": given, "collection": collection}


class Log(Tables):
    def append(self, entries: Sequence[LogEntry]) -> None:
        """Put entries on record whose changes are outside of the ledger's own tables."""
        with self._database.writing() as connection:
            append(connection, entries)

    def newest(self, limit: int = 100) -> list[LogEntry]:
        """The last `limit` entries, newest first; pending ones are left out."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_not(None)).order_by(log.c.sequence.desc())
        with self._database.reading() as connection:
            return [LogEntry(*row) for row in connection.execute(query.limit(limit))]

    def pending(self, collection: str) -> list[LogEntry]:
        """Entries of changes committed to this collection and not settled yet, in order."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_(None), log.c.collection == collection)
        with self._database.reading() as connection:
            return [LogEntry(*row) for row in connection.execute(query.order_by(log.c.id))]

    def last_sequence(self) -> int:
        """The number of the newest entry; 0 of an empty log."""
        with self._database.reading() as connection:
            return int(
                connection.execute(sa.select(sa.func.coalesce(sa.func.max(log.c.sequence), 0))).scalar_one()
            )

    def last(self, actions: Collection[LogAction]) -> LogEntry | None:
        """The newest entry of one of these actions."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_not(None), log.c.action.in_(list(actions)))
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(log.c.sequence.desc()).limit(1)).first()
        return None if row is None else LogEntry(*row)

    def since(self, sequence: int, actions: Collection[LogAction]) -> tuple[int, datetime | None]:
        """(subjects, time of the oldest) of the entries of these actions with a higher number, pending ones
        included."""
        later = sa.or_(log.c.sequence > sequence, log.c.sequence.is_(None))
        counted = sa.func.count(sa.distinct(log.c.subject))
        query = sa.select(counted, sa.func.min(log.c.at)).where(later, log.c.action.in_(list(actions)))
        with self._database.reading() as connection:
            subjects, oldest = connection.execute(query).one()
        return subjects, oldest

    def actions_of(self, run_id: str, document_ids: Collection[str]) -> dict[str, LogAction]:
        """{document id: this run's action}, for the documents among these that it changed."""
        query = (
            sa.select(log.c.subject, log.c.action)
            .where(log.c.sequence.is_not(None), log.c.run_id == run_id)
            .where(self._database.among(log.c.subject, document_ids))
            .order_by(log.c.sequence)
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}
