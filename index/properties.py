"""What documents say of themselves, by name.

Names are compared without case, and ``-`` and ``_`` alike: ``Last-Reviewed`` is ``last_reviewed``. A value is
a scalar, a list of scalars, None where a name has nothing after it or something that cannot be read, or an
empty mapping for a mapping, whose keys follow under dotted names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def canonical(name: str) -> str:
    """
    >>> canonical("Last-Reviewed")
    'last_reviewed'
    """
    return name.strip().casefold().replace("-", "_")


def by_name(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties by canonical name; of two with the same name, the first."""
    found: dict[str, Any] = {}
    for name, value in properties.items():
        found.setdefault(canonical(name), value)
    return found


def described(value: Any) -> str:
    """What a value is, in words that follow "is": for a value of the wrong type."""
    match value:
        case None:
            return "empty or cannot be read"
        case bool():
            return "a yes or no"
        case int() | float():
            return f"a number ({str(value)[:40]})"
        case str() if not value.strip():
            return "empty"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping"
    text = str(value)
    return repr(text if len(text) <= 40 else text[:39] + "…")
