"""Cron expressions, checked without a scheduler: five fields, as every cron reads them; and their times."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from typing import Annotated

from pydantic import AfterValidator

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


def cron(text: str) -> str:
    """The expression, trimmed. Raises ValueError, naming the field that is wrong."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f'has {len(fields)} of five fields (minute, hour, day, month, weekday), as in "0 7 * * 1"'
        )
    for value, (name, lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        if not all(_valid(part, lowest, highest, names) for part in value.lower().split(",")):
            raise ValueError(f"has {value!r} for the {name}, which should lie within {lowest}-{highest}")
    return " ".join(fields)


def _valid(part: str, lowest: int, highest: int, names: dict[str, int]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or (match["step"] and not 1 <= int(match["step"]) <= highest):
        return False
    ends = [names.get(end, int(end) if end.isdigit() else -1) for end in match.group("low", "high") if end]
    return all(lowest <= end <= highest for end in ends) and ends == sorted(ends)


def next_time(expression: str, after: datetime) -> datetime | None:
    """The first time after this one that the expression names; None where it names none (30 February)."""
    from cronsim import CronSim, CronSimError

    try:
        return next(CronSim(expression, after), None)
    except CronSimError:
        return None


def past_times(expression: str, before: datetime, count: int) -> list[datetime]:
    """The last times before this one that the expression names, newest first; fewer where there are none."""
    from cronsim import CronSim, CronSimError

    try:
        return list(islice(CronSim(expression, before, reverse=True), count))
    except CronSimError:
        return []


Cron = Annotated[str, AfterValidator(cron)]
