"""Moments as services write them, as nanoseconds since the epoch, UTC."""

from __future__ import annotations

from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(said: object) -> int | None:
    """A date, a text in ISO 8601, or seconds as a text; None for what is none of them. A date without a zone
    is in UTC, as all of these services write it."""
    if isinstance(said, str):
        try:
            return round(float(said) * 1_000_000) * 1_000
        except (ValueError, OverflowError):
            try:
                said = datetime.fromisoformat(said)
            except ValueError:
                return None
    if not isinstance(said, datetime):
        return None
    at = said if said.tzinfo else said.replace(tzinfo=UTC)
    spent = at - _EPOCH
    return (spent.days * 86_400 + spent.seconds) * 1_000_000_000 + spent.microseconds * 1_000
