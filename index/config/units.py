"""Durations, spans and sizes as people write them: ``90d``, ``7y``, ``{count: 90, period: day}``, ``5mb``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from index.retention import Span

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PERIODS = {"minute": "m", "hour": "h", "day": "d", "week": "w"}
#: Long enough for any policy, and short enough that no sum of a date and a duration leaves the calendar.
_LONGEST_SECONDS = 36_500 * 86_400
_DURATION = re.compile(r"(\d{1,10})\s*([smhdw])", re.ASCII)
_YEARS = re.compile(r"(\d{1,10})\s*y", re.ASCII)
_LONGEST_YEARS = 100
#: The word for a span without an end.
NEVER = "never"

#: kb, mb and gb are powers of 1000, kib, mib and gib of 1024, as IEC 80000-13 has them.
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"(\d{1,12})\s*([a-z]*)", re.ASCII)


def duration(value: Any) -> timedelta:
    """``"90d"``, ``"36h"``, ``"15m"``, ``"1s"``, ``"2w"`` or a mapping of count and period.

    Raises ValueError for anything else, and for zero or more than a hundred years.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, Mapping):
        seconds = _counted(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        seconds = int(match[1]) * _SECONDS[match[2]]
    else:
        raise ValueError('should be a duration such as "90d", "36h", "15m" or {count: 90, period: day}')
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError("should be longer than nothing and at most 36500 days")
    return timedelta(seconds=seconds)


def _counted(value: Mapping[Any, Any]) -> int:
    count, period = value.get("count"), value.get("period")
    if set(value) != {"count", "period"}:
        raise ValueError("should have exactly the keys count and period, as in {count: 90, period: day}")
    if isinstance(count, bool) or not isinstance(count, int) or count <= 0:
        raise ValueError("count should be a whole number above 0")
    if not isinstance(period, str) or period not in _PERIODS:
        raise ValueError(f"period should be one of {', '.join(_PERIODS)}")
    return count * _SECONDS[_PERIODS[period]]


def written(value: timedelta) -> str:
    """The shortest spelling of a duration: ``90d``, ``36h``, ``1s``; weeks stay days.

    >>> written(timedelta(hours=36))
    '36h'
    """
    seconds = value // timedelta(seconds=1)
    unit = next(unit for unit in "dhms" if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def span(value: Any) -> Span | None:
    """``"7y"`` or ``{count: 7, period: year}``, years of the calendar; ``"never"``, which is None; or a
    duration. Raises ValueError for anything else, and for zero or more than a hundred years."""
    if isinstance(value, Span) or value == NEVER:
        return None if value == NEVER else value
    counted = isinstance(value, Mapping) and value.get("period") == "year"
    count: Any = value.get("count") if counted else None
    if isinstance(value, str) and (match := _YEARS.fullmatch(value.strip().lower())):
        count, counted = int(match[1]), True
    if not counted:
        try:
            return Span(duration(value))
        except ValueError as error:
            said = str(error).replace('such as "90d"', 'such as "7y", "90d"')
            raise ValueError(said.replace("one of minute", "one of year, minute")) from error
    if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= _LONGEST_YEARS:
        raise ValueError(f"should be at least 1 year and at most {_LONGEST_YEARS}")
    return Span(years=count)


def written_span(value: Span | None) -> str:
    """As `span` reads it.

    >>> written_span(Span(years=7))
    '7y'
    """
    if value is None:
        return NEVER
    return f"{value.years}y" if value.years else written(value.duration)


def size(value: Any) -> int:
    """Bytes from ``"50mb"``, ``"512kib"`` or a number. Raises ValueError for anything else."""
    match = _SIZE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match and match[2] in _SIZES:
        found = int(match[1]) * _SIZES[match[2]]
    elif isinstance(value, int) and not isinstance(value, bool):
        found = value
    else:
        raise ValueError('should be a size such as "50mb", "512kib" or a number of bytes')
    if found <= 0:
        raise ValueError("should be more than 0 bytes")
    return found


def _schema(letters: str, examples: list[str], periods: list[str]) -> list[dict[str, Any]]:
    """The JSON Schemas of the two spellings of a duration."""
    return [
        {"type": "string", "pattern": rf"^\s*\d{{1,10}}\s*[{letters}]\s*$", "examples": examples},
        {
            "type": "object",
            "properties": {
                "count": {
                    "description": "How many of the period.",
                    "type": "integer",
                    "exclusiveMinimum": 0,
                },
                "period": {"description": "What is counted.", "enum": periods},
            },
            "required": ["count", "period"],
            "additionalProperties": False,
        },
    ]


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(written, return_type=str),
    WithJsonSchema({"anyOf": _schema("smhdwSMHDW", ["90d", "15m"], list(_PERIODS))}),
]

RetentionSpan = Annotated[
    Span | None,
    PlainValidator(span),
    PlainSerializer(written_span, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                *_schema("smhdwySMHDWY", ["7y", "90d"], [*_PERIODS, "year"]),
                {"const": NEVER},
            ]
        }
    ),
]

Size = Annotated[
    int,
    BeforeValidator(size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": r"^\s*\d{1,12}\s*([kKmMgG][iI]?)?[bB]?\s*$",
                    "examples": ["50mb"],
                },
            ]
        }
    ),
]
