"""Retention: how long documents are kept, from values alone.

Rules go by path and source, and the last that matches a document decides. A rule names the fields that may
date a document; the first of them that the document has is its date, as for its freshness. Errors keep too
much rather than too little: a document without a date that can be read never expires, and a date without time
counts from where it begins last on earth.

No I/O, no clock. May import: `connectors.base`, `freshness`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from connectors.base import Patterns
from index.freshness.assess import MODIFIED_AT, NEVER, first_date
from index.freshness.dates import counts_from
from index.freshness.properties import canonical


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: a duration, or years of the calendar."""

    duration: timedelta = timedelta(0)
    years: int = 0

    def after(self, start: datetime) -> datetime:
        """The instant so long after `start`, UTC; at most `index.freshness.assess.NEVER`.

        >>> from datetime import UTC
        >>> Span(years=1).after(datetime(2024, 2, 29, tzinfo=UTC)).date().isoformat()
        '2025-03-01'
        """
        if not self.years:
            return start + min(self.duration, NEVER - start)
        if start.year + self.years >= NEVER.year:
            return NEVER
        try:
            return start.replace(year=start.year + self.years)
        except ValueError:
            return start.replace(year=start.year + self.years, month=3, day=1)


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long the documents that match are kept."""

    after: Span | None
    """Time after their date; None: for ever."""
    match: str | None = None
    """A pattern of uris; None: all of them."""
    source: str | None = None
    """The id of a source; None: all of them."""
    field: tuple[str, ...] = (MODIFIED_AT,)
    """Names of properties, in order; ``modified_at`` is the source's modification time."""


class Expiry(NamedTuple):
    """The end of a document's retention."""

    at: datetime
    """The first instant at which it is not kept, UTC."""
    dated: date
    """The date that it counts from, as it was given: a date, or a datetime in UTC."""
    field: str
    """The field of that date."""
    after: Span


class RetentionRules:
    """The rules for the documents of one source, compiled once; false when there are none."""

    def __init__(self, rules: Sequence[RetentionRule] = (), source: str = "") -> None:
        own = [rule for rule in rules if rule.source in (None, source)]
        # The last match wins, so the first that matches of the reversed rules does.
        self._rules = [
            (None if rule.match is None else Patterns((rule.match,)).match, rule.after, _names(rule.field))
            for rule in reversed(own)
        ]
        #: The canonical name of every property that some document of the source may be dated by.
        self.fields = frozenset(name for _, _, names in self._rules for name in names)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def expiry(self, uri: str, properties: Mapping[str, Any], modified_at: datetime | None) -> Expiry | None:
        """The end of a document's retention; None when it is kept for ever, or has no date to count from."""
        rules = (rule for rule in self._rules if rule[0] is None or rule[0](uri))
        _, after, names = next(rules, (None, None, ()))
        if after is None:
            return None
        field, _, dated = first_date(names, properties, modified_at)
        return None if dated is None else Expiry(after.after(counts_from(dated)), dated, field, after)


def _names(fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(canonical, fields))
