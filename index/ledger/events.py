"""Audit events: who did what to which document, and when. Only ever appended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Database
from index.ledger.schema import events


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


def append(connection: sa.Connection, happened: Sequence[Event], run_id: str | None) -> None:
    """`run_id` goes to those that name no run of their own."""
    rows = [{**schema.values(event), "run_id": event.run_id or run_id} for event in happened]
    for row in rows:
        del row["id"]
    if rows:
        connection.execute(sa.insert(events), rows)


class Events(Database):
    def events(self, limit: int = 100) -> list[Event]:
        """The newest, newest first."""
        with self._reading() as connection:
            found = connection.execute(sa.select(*_EVENT).order_by(events.c.id.desc()).limit(limit)).all()
        return [Event(*row) for row in found]
