"""The freshness verdict: a pure function of a policy, a document's dates and the present instant.

A verdict uses one date: the newer of the last attested review and the first *existing* field of the policy's
ordered list. A field exists when the document names it, also with nothing after it; the list is not searched
further because a value cannot be read, for a broken ``last_reviewed`` must not make a file's modification
time look like a review. A date that is unreadable or lies in the future is never used: the verdict is then
``unknown`` with that reason, unless the other of the two dates is good. (The true date could only be newer
than the one used, so such a verdict is never too fresh, and an owner settles an unknown one by an attested
review.) A review that lies in the future was made while a clock was ahead, and is not used.

A date without time is today until it is over everywhere. It *begins* where it begins first on earth, at
UTC+14: from then on it is not in the future. Its age *counts* from where it begins last, at UTC-12: it is
0 days old until the day is over there. An instant begins and counts at once; times without a zone are UTC.

A document turns ``warn`` at the instant ``warn_after`` after its date counts, and ``stale`` at
``stale_after``: at that instant, not after it. `Assessment.date_used` is where the date begins, in rows and
payloads, too, so that ``date_used <= now < warn_at`` is fresh for any reader, whenever it asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Final, Literal

from index.freshness.properties import attributed, by_name, canonical, described
from index.model import rfc3339

#: `warn_at` and `stale_at` of exempt documents, so that any reader's ``warn_at > now`` keeps them; documents
#: without a date have none.
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

#: Dates go up to the year 9999; no computed instant may reach NEVER.
_LAST = NEVER - timedelta(seconds=1)

#: Field name that stands for the source's own modification time.
MODIFIED_AT: Final = "modified_at"

#: `Assessment.date_field` when the date is that of an attested review.
REVIEWED_AT: Final = "reviewed_at"

#: Zones where a date begins first on earth, and last.
_FIRST_ZONE: Final = timezone(timedelta(hours=14))
_LAST_ZONE: Final = timezone(timedelta(hours=-12))


class Verdict(StrEnum):
    FRESH = "fresh"
    WARN = "warn"
    STALE = "stale"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """Ages at which a document's review is due (`warn_after`) and it is no longer to be trusted."""

    warn_after: timedelta = timedelta(days=90)
    stale_after: timedelta = timedelta(days=180)
    field: tuple[str, ...] = ("last_reviewed", "ms.date", "sent", MODIFIED_AT)
    """Names of properties, in order; ``sent`` is a mail's, ``modified_at`` the source's modification time."""


Policy = FreshnessPolicy | Literal["exempt"]


@dataclass(frozen=True, slots=True)
class Assessment:
    verdict: Verdict
    reason: str
    """A sentence for the owner."""
    date_used: datetime | None = None
    """The instant at which the date begins, UTC. Also set when it lies in the future, so that the verdict is
    unknown."""
    dated: date | None = None
    """The date as it was given: a date, or a datetime in UTC."""
    date_field: str = ""
    """The field of `date_used`: ``reviewed_at`` or a field of the policy; of an unknown verdict, the field
    that could not be used."""
    warn_at: datetime | None = None
    stale_at: datetime | None = None
    age: timedelta | None = None
    """None without a date, or with one in the future."""
    unreadable: str = ""
    """A sentence on a date of the document that cannot be read, whether or not a review stands in for it."""

    @property
    def date_text(self) -> str | None:
        """The date as it was given, in ISO form: ``2026-05-01``, or an instant as RFC 3339 has it."""
        if isinstance(self.dated, datetime):
            return rfc3339(self.dated)
        return None if self.dated is None else self.dated.isoformat()


def verdict_at(
    date_used: datetime | None, warn_at: datetime | None, stale_at: datetime | None, now: datetime
) -> Verdict:
    """The verdict at an instant, from what `assess` computed at another (a point's payload)."""
    if warn_at is None or stale_at is None:
        return Verdict.UNKNOWN
    if warn_at >= NEVER:
        return Verdict.EXEMPT
    if date_used is None or date_used > now:
        return Verdict.UNKNOWN
    if now >= stale_at:
        return Verdict.STALE
    return Verdict.WARN if now >= warn_at else Verdict.FRESH


def assess(
    policy: Policy,
    properties: Mapping[str, Any],
    modified_at: datetime | None,
    reviewed_at: datetime | None,
    now: datetime,
) -> Assessment:
    """Judge one document. All datetimes carry a zone."""
    fields = tuple(map(canonical, policy.field if policy != "exempt" else FreshnessPolicy().field))
    name, value, found = first_date(fields, properties, modified_at)
    unreadable = f"The date in {name} is {described(value)}." if name and found is None else ""
    if found is None and isinstance(value, str) and value.strip():
        unreadable = f"The date in {name} cannot be read: {described(value)}."
    candidates = [(begins(d), d, f) for d, f in ((found, name), (reviewed_at, REVIEWED_AT)) if d is not None]
    past = [candidate for candidate in candidates if candidate[0] <= now]
    used, dated, field = max(past or candidates, default=(None, None, name), key=lambda found: found[0])
    age = max(now - counts_from(dated), timedelta(0)) if dated is not None and past else None

    if policy == "exempt":
        reason = "Exempt from freshness checks."
        return Assessment(Verdict.EXEMPT, reason, used, dated, field, warn_at=NEVER, stale_at=NEVER, age=age)
    if used is None or dated is None:
        reason = unreadable or f"It has no date: none of {', '.join(fields)} is there."
        return Assessment(Verdict.UNKNOWN, reason, date_field=name, unreadable=unreadable)

    start = counts_from(dated)
    warn_at, stale_at = (
        start + min(after, _LAST - start) for after in (policy.warn_after, policy.stale_after)
    )
    verdict = verdict_at(used, warn_at, stale_at, now)
    reason = _REASONS[verdict].format(
        source="an attested review" if field == REVIEWED_AT else attributed(field, properties),
        date=_day(dated),
        warn=str(warn_at.date()),
        stale=str(stale_at.date()),
    )
    if unreadable:
        reason += f" {unreadable}"
    elif found is not None and field == REVIEWED_AT and verdict != Verdict.UNKNOWN and begins(found) > now:
        reason += f" The date in {name} lies in the future: {_day(found)}."
    if reviewed_at is not None and field != REVIEWED_AT and reviewed_at > now:
        reason += f" Its attested review lies in the future, and is not used: {_day(reviewed_at)}."
    return Assessment(verdict, reason, used, dated, field, warn_at, stale_at, age, unreadable)


_REASONS = {
    Verdict.FRESH: "Dated {date} by {source}; to be reviewed by {warn}.",
    Verdict.WARN: "Dated {date} by {source}; to be reviewed since {warn}; stale from {stale} on.",
    Verdict.STALE: "Dated {date} by {source}; stale since {stale}.",
    Verdict.UNKNOWN: "Dated {date} by {source}, which lies in the future.",
}


def trust_score(verdicts: Mapping[Verdict, int]) -> float | None:
    """fresh / (fresh + warn + stale + unknown); None when there are none. Exempt ones do not count."""
    judged = sum(count for verdict, count in verdicts.items() if verdict != Verdict.EXEMPT)
    return verdicts.get(Verdict.FRESH, 0) / judged if judged else None


def first_date(
    fields: Iterable[str], properties: Mapping[str, Any], modified_at: datetime | None
) -> tuple[str, Any, date | None]:
    """(name, value, date) of the first of these fields, by canonical names, that exists: the date is None
    when it cannot be read. ("", None, None) when none exists."""
    named = {**by_name(properties), MODIFIED_AT: modified_at}
    for name in fields:
        if name in named and not (name == MODIFIED_AT and modified_at is None):
            return name, named[name], read_date(named[name], american=name == "ms.date")
    return "", None, None


# ── Dates ─────────────────────────────────────────────────────────────────────────────────────────────

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


def _day(dated: date) -> str:
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
