"""An intent as its row holds it: the document's next state and its chunks, in one column."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from index.ledger import schema
from index.ledger.schema import documents
from index.ledger.types import Moment
from index.model import Action, State
from index.records import ChunkRecord, Document, Intent

_MOMENTS = [column.name for column in documents.c if isinstance(column.type, Moment)]


def packed(intent: Intent) -> dict[str, Any]:
    document = schema.values(intent.document)
    for name in _MOMENTS:
        moment: datetime | None = document[name]
        document[name] = None if moment is None else moment.isoformat()
    return {
        "action": intent.action,
        "document": document,
        "chunks": [list(schema.values(chunk).values()) for chunk in intent.chunks],
    }


def unpacked(stored: dict[str, Any]) -> Intent:
    document = dict(stored["document"])
    document["state"] = State(document["state"])
    for name in _MOMENTS:
        document[name] = None if document[name] is None else datetime.fromisoformat(document[name])
    listed = tuple(ChunkRecord(*chunk) for chunk in stored["chunks"])
    return Intent(Action(stored["action"]), Document(**document), listed)


def points_of(intent: Intent) -> set[str]:
    return {chunk.point_id for chunk in intent.chunks}


def points_in(stored: dict[str, Any]) -> set[str]:
    """`points_of(unpacked(stored))`, without making its records."""
    return {point_id for point_id, *_ in stored["chunks"]}
