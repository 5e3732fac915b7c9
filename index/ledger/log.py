"""Audit events: who did what to which document, and when. Only ever appended.

What is done to a document in two transactions is *untold* from the first one on, and told by the last one: it
is on record from the moment that it is true, and said once it is over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.schema import events, untold


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    source: str
    action: str
    """add, update, delete, quarantine, review, hold …"""
    document_id: str | None = None
    detail: str = ""
    """Hashes, ids, reasons; never a document's text."""
    run_id: str | None = None
    id: int = 0
    """Ascending; given by the ledger."""


_EVENT = schema.columns(events, Event)
_UNTOLD = schema.columns(untold, Event)


def append(connection: sa.Connection, happened: Sequence[Event], run_id: str | None = None) -> None:
    """`run_id` goes to those that name no run of their own."""
    rows = [{**_row(event), "run_id": event.run_id or run_id} for event in happened]
    if rows:
        connection.execute(sa.insert(events), rows)


def defer(connection: sa.Connection, collection: str, happened: Sequence[Event]) -> None:
    """Put on record what `tell` is going to append."""
    rows = [{**_row(event), "collection": collection} for event in happened]
    if rows:
        connection.execute(sa.insert(untold), rows)


def tell(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Append these of the untold events, in the order in which they happened. Two that want to tell the same
    one wait for each other, in order, and the first of them does."""
    query = sa.select(*_UNTOLD).where(which).order_by(untold.c.id).with_for_update()
    told = [Event(*row) for row in connection.execute(query)]
    if told:
        by_id = sa.delete(untold).where(untold.c.id == sa.bindparam("told"))
        connection.execute(by_id, [{"told": event.id} for event in told])
        append(connection, told)


def _row(event: Event) -> dict[str, Any]:
    row = schema.values(event)
    del row["id"]
    return row


class Log(Tables):
    def newest(self, limit: int = 100) -> list[Event]:
        """The newest, newest first."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(*_EVENT).order_by(events.c.id.desc()).limit(limit)).all()
        return [Event(*row) for row in found]

    def actions_of(self, run_id: str, document_ids: Collection[str]) -> dict[str, str]:
        """What this run did to those of the documents to which it has done something."""
        query = (
            sa.select(events.c.document_id, events.c.action)
            .where(events.c.run_id == run_id, self._database.among(events.c.document_id, document_ids))
            .order_by(events.c.id)
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def pending(self, collection: str) -> list[Event]:
        """Events of what was committed and is not settled yet, in order."""
        query = sa.select(*_UNTOLD).where(untold.c.collection == collection)
        with self._database.reading() as connection:
            return [Event(*row) for row in connection.execute(query.order_by(untold.c.id))]
