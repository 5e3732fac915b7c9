"""Ids of rows as uris, and back.

An id is its own uri wherever it can be: ``handbook/leave`` lies in the folder ``handbook``. An id that is no
path (an empty segment, a dot or two), that has a NUL, or that could be taken for an escaped one, is escaped:
``%XX`` for these characters and for each percent sign. So every id has exactly one uri, and every uri at most
one id.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from urllib.parse import unquote
from uuid import UUID

#: Bytes; an index of the ledger takes no longer ones.
LENGTH_MAX = 2_000

_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_NO_SEGMENT = ("", ".", "..")


def text_of(value: object) -> str:
    """The id as text. Raises ValueError, a sentence, for a value that identifies nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | UUID | date | datetime):
        raise ValueError(
            f"An id is of type {type(value).__name__}; ids are text, numbers, UUIDs or times. Convert it in "
            "the query."
        )
    text = str(value)
    if not text:
        raise ValueError("An id is empty text.")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"The id {text[:50]!a} is not valid text. Convert it in the query.") from None
    if length > LENGTH_MAX:
        raise ValueError(
            f"The id that begins with {text[:50]!r} has {length:,} bytes; the limit is {LENGTH_MAX:,}."
        )
    return text


def encode(identifier: str) -> str:
    """The uri of an id."""
    segments = identifier.split("/")
    paths = not any(segment in _NO_SEGMENT for segment in segments)
    if paths and "\0" not in identifier and not _ESCAPE.search(identifier):
        return identifier
    escaped = identifier.replace("%", "%25").replace("\0", "%00")
    if not paths:
        escaped = escaped.replace("/", "%2F")
    return f"%2E{escaped[1:]}" if escaped in _NO_SEGMENT else escaped


def decode(uri: str) -> str:
    """The id that has this uri. Raises ValueError when none has."""
    try:
        identifier = unquote(uri, errors="strict") if _ESCAPE.search(uri) else uri
        identifier.encode()
    except UnicodeError:
        raise ValueError(f"{uri!a} is no id.") from None
    if not identifier or encode(identifier) != uri:
        raise ValueError(f"{uri!r} is no id.")
    return identifier
