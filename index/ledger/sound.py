"""Values that freshkb can have written, by the types of their columns: SQLite keeps no checksum of them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from types import NoneType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from index.errors import LedgerDamaged
from index.ledger.intents import unpacked
from index.ledger.types import Code, Json, Moment

#: Rows whose columns are looked at together.
READ_ROWS = 10_000
_DIALECT = sqlite_dialect()
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_Row = tuple[Any, ...]


def unsound(driver: sqlite3.Connection, table: sa.Table) -> int:
    """Number of rows that freshkb cannot have written."""
    query = f"SELECT {', '.join(table.c.keys())} FROM {table.name}"
    # Text that is not UTF-8 raises here; a damaged file raises below as well.
    with suppress(sqlite3.OperationalError), closing(driver.execute(query)) as cursor:
        if _sound_columns(cursor, [_column_reader(column) for column in table.c]):
            return 0
    sound = reader(table)
    with any_text(driver):
        return sum(not sound(row) for row in driver.execute(query))


def _sound_columns(cursor: sqlite3.Cursor, columns: Sequence[Callable[[Sequence[Any]], bool]]) -> bool:
    while rows := cursor.fetchmany(READ_ROWS):
        if not all(sound(values) for sound, values in zip(columns, zip(*rows, strict=True), strict=True)):
            return False
    return True


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


@contextmanager
def any_text(driver: sqlite3.Connection) -> Iterator[None]:
    """Texts that are not UTF-8 come with lone surrogates, instead of raising."""
    before = driver.text_factory
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before


def reader(table: sa.Table, names: Sequence[str] = ()) -> Callable[[_Row], bool]:
    """Whether freshkb can have written a row of these columns (default: all)."""
    checks = [_check(table.c[name]) for name in names or table.c.keys()]

    def sound(row: _Row) -> bool:
        return all(check(value) for check, value in zip(checks, row, strict=True))

    return sound


def _column_reader(column: sa.Column[Any]) -> Callable[[Sequence[Any]], bool]:
    """The same for many values of a column at once, whose texts are UTF-8: of most columns only types are to
    be looked at, and of the others each value once."""
    check, kind = _check(column), _type_of(column)
    each = _process(column) or _packed(column) or _named(column)
    types = {kind, NoneType} if column.nullable else {kind}

    def sound(values: Sequence[Any]) -> bool:
        if not types.issuperset(map(type, values)):
            return False
        return not each or all(map(check, set(values)))

    return sound


def _type_of(column: sa.Column[Any]) -> type:
    return int if isinstance(column.type, sa.Integer | Moment) else str


def _process(column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    made = isinstance(column.type, Moment | Json | Code)
    return column.type.result_processor(_DIALECT, None) if made else None


def _packed(column: sa.Column[Any]) -> bool:
    """Whether it is the column of intents."""
    return column.name == "payload"


def _named(column: sa.Column[Any]) -> Callable[[str], bool] | None:
    """What holds of each id in the column. The store refuses to look for a point of another id, and a
    document's is the name of a file while the document is read."""
    return {"point_id": is_uuid, "document_id": _is_name}.get(column.name)


def _is_name(text: str) -> bool:
    return "/" not in text


def _check(column: sa.Column[Any]) -> Callable[[Any], bool]:
    kind, nullable = _type_of(column), bool(column.nullable)
    process, packed, named = _process(column), _packed(column), _named(column)

    def check(value: Any) -> bool:
        if value is None:
            return nullable
        if not isinstance(value, kind):
            return False
        try:
            if isinstance(value, str):
                value.encode()
            if process is not None:
                process(value)
            if packed and isinstance(value, str):
                unpacked(json.loads(value))
            if named is not None:
                return named(value)
        except (LedgerDamaged, UnicodeEncodeError, ValueError, TypeError, KeyError, AttributeError):
            return False
        return True

    return check
