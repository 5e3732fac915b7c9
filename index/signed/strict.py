"""JSON that says one thing to every reader: most take the last value of a key that is there twice, some the
first."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 in which no key is there twice and every number is one. Raises ValueError."""
    try:
        found = json.loads(
            text.decode() if isinstance(text, bytes) else text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
