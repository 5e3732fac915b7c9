"""Rows of tables and records of the index, each made of the other."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

#: All tables of a ledger.
metadata = sa.MetaData()


def column(
    name: str, kind: Any, *, key: bool = False, null: bool = False, default: str | None = None
) -> sa.Column[Any]:
    """A column of a table, which holds no NULL unless that is said."""
    return sa.Column(name, kind, primary_key=key, nullable=null, server_default=default)


def columns(table: sa.Table, record: type[Any]) -> list[sa.Column[Any]]:
    """The table's columns in the order of the record's fields: `record(*row)` rebuilds it."""
    return [table.c[field.name] for field in fields(record)]


def values(record: Any) -> dict[str, Any]:
    """A record's fields by name, as an insert takes them."""
    kind: Any = type(record)
    names, of = _fields(kind)
    return dict(zip(names, of(record), strict=True))


@cache
def _fields(record: Any) -> tuple[tuple[str, ...], attrgetter[tuple[Any, ...]]]:
    names = tuple(field.name for field in fields(record))
    return names, attrgetter(*names)
