"""A row's content, as the database itself counts, hashes and hands it over.

PostgreSQL and SQLite count and hash where the rows are, so that a text which has not changed never travels.
Other databases have no function in common for it: there the content is read, and hashed here.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import sqlalchemy as sa

#: The function that `sql.database` adds to SQLite.
SQLITE_SHA256 = "freshkb_sha256"


class Content(NamedTuple):
    body: sa.ColumnElement[Any]
    size: sa.ColumnElement[Any] | None
    """Bytes; None where the database cannot count them."""
    digest: sa.ColumnElement[Any] | None
    """sha256 in hex; None where the database cannot hash."""


def content_of(column: sa.ColumnElement[Any], dialect: str, *, is_text: bool, utf8: bool) -> Content:
    """The content in this column; texts are handed over as UTF-8. `utf8`: the database keeps them so."""
    if dialect == "postgresql":
        text = sa.cast(column, sa.Text)
        body = sa.func.convert_to(text, sa.literal_column("'UTF8'")) if is_text else column
        counted = text if is_text and utf8 else body
        digest = sa.func.encode(sa.func.sha256(body), sa.literal_column("'hex'"))
        return Content(body, sa.func.octet_length(counted), digest)
    if dialect == "sqlite" and (utf8 or not is_text):
        blob = sa.cast(column, sa.LargeBinary)
        return Content(blob, sa.func.length(blob), getattr(sa.func, SQLITE_SHA256)(blob))
    return Content(column, None, None)


def bytes_of(value: object) -> bytes:
    """The bytes of a content that was read; none of NULL."""
    if value is None:
        return b""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(value).encode("utf-8", "surrogateescape")


def sha256(value: object) -> str | None:
    return None if value is None else hashlib.sha256(bytes_of(value)).hexdigest()
