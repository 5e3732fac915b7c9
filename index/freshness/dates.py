"""Dates as documents write them, and the instants at which they begin and count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

#: Zones where a date begins first on earth, and last.
_FIRST_ZONE: Final = timezone(timedelta(hours=14))
_LAST_ZONE: Final = timezone(timedelta(hours=-12))

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME = (
    r"(?:[T\s]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)"
    r"\s*(?P<zone>Z|UTC?|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_FORMS = [
    re.compile(form + _TIME, re.ASCII | re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        _WEEKDAY + r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s-]+(?P<name>[a-z]{3,9})\.?,?[\s-]+(?P<year>\d{4})",
        _WEEKDAY + r"(?P<name>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})",
    )
]
_AMERICAN = re.compile(
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})" + _TIME, re.ASCII | re.IGNORECASE
)


def begins(dated: date) -> datetime:
    """From here on a date is not in the future, UTC."""
    return dated if isinstance(dated, datetime) else _midnight(dated, _FIRST_ZONE)


def counts_from(dated: date) -> datetime:
    """From here on a date has an age, UTC."""
    return dated if isinstance(dated, datetime) else _midnight(dated, _LAST_ZONE)


def _midnight(day: date, zone: timezone) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def day(dated: date) -> str:
    """In ISO form, without a time."""
    return str(dated.date() if isinstance(dated, datetime) else dated)


def read_date(value: Any, *, american: bool = False) -> date | None:
    """The date that a front-matter value names, or the instant, a datetime in UTC, when it has a time; None
    when it cannot be read for certain.

    Read are ISO 8601 dates and datetimes, ``2024/05/01``, RFC 2822, ``May 1, 2024`` and ``1 May 2024``.
    ``05/01/2024`` is the first of May or the fifth of January: it is read, as the former, only when
    `american` says so (Microsoft's ``ms.date`` is defined that way).
    """
    if isinstance(value, datetime):
        return _utc(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return _whole(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    if len(text) > 60:
        return None
    for form in (*_FORMS, _AMERICAN) if american else _FORMS:
        if match := form.fullmatch(text):
            return _from_parts(match.groupdict())
    return None


def _from_parts(parts: Mapping[str, str | None]) -> date | None:
    name = parts.get("name")
    month = int(parts["month"] or 0) if name is None else _month(name.lower())
    try:
        day = date(int(parts["year"] or 0), month, int(parts["day"] or 0))
        if parts["time"] is None:
            return _whole(day)
        hour, minute, second = [*parts["time"].replace(",", ".").split(":"), "0"][:3]
        whole, _, fraction = second.partition(".")
        micro = int(fraction[:6].ljust(6, "0"))
        return _utc(
            datetime(*day.timetuple()[:3], int(hour), int(minute), int(whole), micro, _zone(parts["zone"]))
        )
    except ValueError:
        return None


def _whole(day: date) -> date | None:
    """The date, unless it begins before the calendar does."""
    return day if day > date.min else None


def _month(name: str) -> int:
    """1 to 12 for ``may``, ``sep``, ``sept`` or ``september``; else 0, which no calendar has."""
    months = (
        number
        for number, month in enumerate(_MONTHS, start=1)
        if name in (month, month[:3]) or (name, month) == ("sept", "september")
    )
    return next(months, 0)


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _utc(moment: datetime) -> datetime | None:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
