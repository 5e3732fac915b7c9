"""Times of modification as columns hold them, and how far equal ones can be trusted."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from connectors.base import known_time

#: Nanoseconds by which the clock of whoever writes rows may be behind the database's.
_SKEW = 60_000_000_000
#: Nanoseconds in which two changes may get the same time. A day begins at different moments, by time zone.
_SECOND, _DAY = 1_000_000_000, 48 * 3_600_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: (from, nanoseconds a unit): numbers since 1973 in seconds, milliseconds and microseconds. Smaller ones
#: count something else.
_UNITS = ((10**14, 1_000), (10**11, 1_000_000), (10**8, 1_000_000_000))


class Moment(NamedTuple):
    text: str
    """The same for equal values alone."""
    at: int | None
    """Nanoseconds since the epoch, UTC; None for a value that is no time, such as a row's version."""
    tick: int
    """Nanoseconds in which another change may get the same value."""

    def settled(self, now: int) -> bool:
        """Whether a change after `now` (nanoseconds since the epoch) gets another value for sure. A value
        that is no time is a version, and each change has its own."""
        return self.at is None or self.at + self.tick < now - _SKEW


def moment(value: object) -> Moment:
    """Times without a zone are UTC; so are days, which begin at midnight."""
    if isinstance(value, datetime):
        return _of_datetime(value)
    if isinstance(value, date):
        return _of_datetime(datetime.combine(value, time()))._replace(text=value.isoformat(), tick=_DAY)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(str(value))
        units = _UNITS if number.is_finite() else ()
        unit = next((unit for least, unit in units if least <= number < least * 1_000), None)
        # Digits of a date, as 20260102030405, would be one far from now.
        return Moment(str(value), None if unit is None else known_time(int(number * unit)), _SECOND)
    if isinstance(value, bytes | memoryview):
        return Moment(bytes(value).hex(), None, _SECOND)
    text = str(value)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return Moment(text, None, _SECOND)
    return _of_datetime(found)._replace(
        text=text, tick=_DAY if len(text.strip()) <= len("2026-01-01") else _SECOND
    )


def _of_datetime(value: datetime) -> Moment:
    try:
        there = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        # The last day of the year 9999, west of Greenwich.
        return Moment(value.isoformat(), None, _SECOND)
    return Moment(there.isoformat(), (there - _EPOCH) // timedelta(microseconds=1) * 1_000, _SECOND)
