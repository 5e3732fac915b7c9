"""Column types: how Python values become what every database stores and orders alike.

Values of rows are made by a `result_processor` of each type: SQLAlchemy's `process_result_value` takes two
calls for each, and a reader of all documents makes millions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from index.errors import LedgerDamaged
from index.printable import storable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Made once: each document's row and its extract have several.
_JSON = json.JSONEncoder(separators=(",", ":"), default=dict)

#: Identifiers, addresses and hashes. Compared and ordered by code point on every database.
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _unreadable(value: object, dialect: sa.Dialect) -> LedgerDamaged:
    mend = ", or mend it with: freshkb verify --repair" if dialect.name == "sqlite" else "."
    return LedgerDamaged(
        f"The ledger holds {str(value)[:40]!r}, which freshkb cannot have written: somebody else has, or its "
        f"disk is failing. Restore it from a backup{mend}"
    )


class Moment(TypeDecorator[datetime]):
    """An instant as microseconds since the epoch: exact, ordered, and the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone.")
        return (value - _EPOCH) // _MICROSECOND

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        def made(value: Any) -> datetime | None:
            try:
                return None if value is None else _EPOCH + value * _MICROSECOND
            except (ValueError, TypeError, OverflowError) as error:
                raise _unreadable(value, dialect) from error

        return made


class Json(TypeDecorator[Any]):
    """JSON as ASCII text, so that NUL and lone surrogates inside strings survive on PostgreSQL too."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        return _JSON.encode(value)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        def made(value: Any) -> Any:
            # Most are empty, and a reader of all documents has three each.
            if value == "{}" or value is None:
                return {}
            if value == "[]":
                return []
            try:
                return json.loads(value)
            except (ValueError, TypeError, OverflowError) as error:
                raise _unreadable(value, dialect) from error

        return made


class Prose(TypeDecorator[str]):
    """Words for people. Characters that a database cannot hold in a text (NUL, lone surrogates) are replaced:
    a strange title must not stop the documents beside it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else storable(value)


class Code(TypeDecorator[Any]):
    """A member of an enumeration, by its value."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, codes: type[StrEnum]) -> None:
        super().__init__()
        self.codes = codes

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], StrEnum | None]:
        known: dict[str | None, StrEnum | None] = {code.value: code for code in self.codes}
        known[None] = None

        def made(value: Any) -> StrEnum | None:
            try:
                return known[value]
            except (KeyError, TypeError) as error:
                raise _unreadable(value, dialect) from error

        return made
