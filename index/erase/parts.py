"""Parts of JSON that others have written, each of its kind or refused.

All raise ValueError, with the part's name, when it is missing or is something else.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from index.signed.key import PublicKey
from index.signed.tree import HASH_BYTES

_Part = TypeVar("_Part", str, int, list[Any], dict[str, Any])


def part(found: Mapping[str, Any], name: str, kind: type[_Part]) -> _Part:
    value = found.get(name)
    # A truth value is an int, too.
    if type(value) is not kind:
        raise _refused(name)
    return value


def texts(found: Mapping[str, Any], name: str) -> list[str]:
    values = part(found, name, list)
    if not all(isinstance(value, str) for value in values):
        raise _refused(name)
    return values


def alike(found: Mapping[str, Any], name: str, form: Mapping[str, type]) -> list[dict[str, Any]]:
    """A list of objects that have these parts, of these kinds."""
    values = part(found, name, list)
    for value in values:
        if not isinstance(value, dict) or any(type(value.get(each)) is not form[each] for each in form):
            raise _refused(name)
    return values


def instant(found: Mapping[str, Any], name: str) -> datetime:
    """A time in UTC."""
    try:
        moment = datetime.fromisoformat(part(found, name, str))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refused(name) from error
    raise _refused(name)


def hashed(text: str, name: str) -> bytes:
    """The hash that this base64 is of; `name` is that of the part it came from."""
    try:
        found = b64decode(text, validate=True)
    except ValueError as error:
        raise _refused(name) from error
    if len(found) != HASH_BYTES:
        raise _refused(name)
    return found


def unhexed(found: Mapping[str, Any], name: str) -> bytes:
    """The bytes of a text in hex."""
    try:
        return bytes.fromhex(part(found, name, str))
    except ValueError as error:
        raise _refused(name) from error


def public_key(found: Mapping[str, Any], name: str) -> PublicKey:
    """A key in PEM, as `PublicKey.pem` writes it."""
    try:
        return PublicKey.of_pem(part(found, name, str))
    except ValueError as error:
        raise _refused(name) from error


def _refused(name: str) -> ValueError:
    return ValueError(f"it lacks {name!r}, or has something else in its place")
