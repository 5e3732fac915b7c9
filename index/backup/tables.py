"""The rows of a backup's ledger, table by table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from index.backup.lines import damaged
from index.ledger import LogAction
from index.ledger.copy import Table
from index.ledger.history import generations
from index.model import LIVE
from index.records import ChunkRecord
from index.store import names

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


def renamed(tables: Iterator[Table], base: str) -> Iterator[Table]:
    """The tables, with the names that their collections have in a knowledge base with this
    `index.collection`."""
    here = cache(lambda name: name and names.renamed(name, base))
    for table in tables:
        column = "name" if table.name == "collections" else "collection"
        if column in table.columns:
            yield table._replace(rows=_mapped(table.rows, table.columns.index(column), here))
        else:
            yield table


def _mapped(rows: Iterable[Sequence[Any]], at: int, value: Callable[[Any], Any]) -> Iterator[Sequence[Any]]:
    for row in rows:
        yield [*row[:at], value(row[at]), *row[at + 1 :]]


def longest(tables: Iterator[Table]) -> str:
    """The longest uri of a live document; "" when there is none."""
    found = ""
    for table in tables:
        for row in table.rows:
            if table.name == "documents" and row[table.columns.index("state")] in LIVE:
                found = max(found, row[table.columns.index("uri")], key=lambda uri: len(uri.encode()))
    return found


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
