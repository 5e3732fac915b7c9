"""The rows of a backup's ledger, table by table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from index.backup.lines import damaged
from index.ledger import LogAction
from index.ledger.copy import Table
from index.ledger.history import generations
from index.records import ChunkRecord

_CHUNK = [field.name for field in fields(ChunkRecord)]


def tables_in(read: Iterator[bytes]) -> Iterator[Table]:
    """The tables of a ledger's file. Each table's rows are to be read to their end."""
    headers: list[dict[str, Any]] = []

    def rows() -> Iterator[Sequence[Any]]:
        for line in read:
            row = json.loads(line)
            if isinstance(row, dict):
                headers.append(row)
                return
            yield row

    for _ in rows():
        raise damaged("its ledger", "a row comes before the name of its table")
    while headers:
        said = headers.pop()
        yield Table(said["table"], said["columns"], rows())


def records(tables: Iterator[Table], collection: str) -> Iterator[ChunkRecord]:
    """The committed chunks of a collection."""
    for table in tables:
        for row in table.rows:
            if table.name == "chunks":
                named = dict(zip(table.columns, row, strict=True))
                if named["collection"] == collection:
                    yield ChunkRecord(*(named[name] for name in _CHUNK))


@dataclass(slots=True)
class Past:
    """What the ledger of a backup knows of its past."""

    orders: set[str] = field(default_factory=set)
    """Ids of its orders to erase."""
    generations: list[str] = field(default_factory=list)
    """Ids of the generations of its log after the first, with those that were given up."""


def past(tables: Iterator[Table]) -> Past:
    found = Past()
    for table in tables:
        for row in table.rows:
            if table.name == "orders":
                found.orders.add(row[table.columns.index("order_id")])
            elif table.name == "log" and row[table.columns.index("action")] == LogAction.LEDGER_RESTORED:
                facts = row[table.columns.index("facts")]
                facts = json.loads(facts) if isinstance(facts, str) else facts
                found.generations += generations(facts)
    return found
