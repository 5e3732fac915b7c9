"""The freshness verdict: a pure function of a policy, a document's dates and the present instant.

A verdict uses one date: the newer of the last attested review and the first *existing* field of the
policy's ordered list. A field exists when its value is not empty; the list is not searched further because
that value cannot be read, for a broken ``last_reviewed`` must not make a file's modification time look like
a review. A date that is unreadable or lies in the future is never used: the verdict is then ``unknown`` with
that reason, unless the other of the two dates is good. (The true date could only be newer than the one used,
so such a verdict is never too fresh, and an attested review is how an owner settles an unknown one.)

A document turns ``warn`` at the instant ``date + warn_after`` and ``stale`` at ``date + stale_after``: at
that instant, not after it. Dates without a time are midnight UTC, and times without a zone are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Final, Literal

#: `warn_at` and `stale_at` of exempt documents, so that any reader's ``warn_at > now`` keeps them; documents
#: without a date have none.
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

#: Dates may say anything up to the year 9999; nothing that turns may reach NEVER.
_LAST = NEVER - timedelta(seconds=1)

#: Field name that stands for the source's own modification time.
MODIFIED_AT: Final = "modified_at"

#: `Assessment.date_field` when the date is that of an attested review.
REVIEWED_AT: Final = "reviewed_at"


class Verdict(StrEnum):
    FRESH = "fresh"
    WARN = "warn"
    STALE = "stale"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """When a document should be looked at again (`warn_after`) and when it is not to be trusted any more."""

    warn_after: timedelta = timedelta(days=90)
    stale_after: timedelta = timedelta(days=180)
    field: tuple[str, ...] = ("last_reviewed", "ms.date", "git_commit", MODIFIED_AT)
    """Names of properties, in order; ``modified_at`` is the source's modification time."""


Policy = FreshnessPolicy | Literal["exempt"]


@dataclass(frozen=True, slots=True)
class Assessment:
    verdict: Verdict
    reason: str
    """A sentence for the owner."""
    date_used: datetime | None = None
    """UTC. Also set when it lies in the future and the verdict is unknown for that."""
    date_field: str = ""
    """Where `date_used` comes from: ``reviewed_at`` or a field of the policy; of an unknown verdict, the
    field that could not be used."""
    warn_at: datetime | None = None
    stale_at: datetime | None = None
    age: timedelta | None = None
    """None when there is no date, or none that has come yet."""


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
    fields = policy.field if policy != "exempt" else FreshnessPolicy().field
    name, value = _first_existing(fields, properties, modified_at)
    found = read_date(value, american=name == "ms.date")
    candidates = [(d, f) for d, f in ((found, name), (reviewed_at, REVIEWED_AT)) if d is not None]
    past = [candidate for candidate in candidates if candidate[0] <= now]
    used, field = max(past or candidates, default=(None, name))
    age = now - used if used is not None and used <= now else None

    if policy == "exempt":
        reason = "Exempt from freshness checks."
        return Assessment(Verdict.EXEMPT, reason, used, field, warn_at=NEVER, stale_at=NEVER, age=age)
    if used is None:
        reason = (
            f"The date in {name} cannot be read: {_shown(value)}."
            if name
            else f"It has no date: none of {', '.join(fields)} is there."
        )
        return Assessment(Verdict.UNKNOWN, reason, date_field=name)

    warn_at, stale_at = (used + min(after, _LAST - used) for after in (policy.warn_after, policy.stale_after))
    verdict = verdict_at(used, warn_at, stale_at, now)
    reason = _REASONS[verdict].format(
        source="an attested review" if field == REVIEWED_AT else field,
        date=str(used.date()),
        warn=str(warn_at.date()),
        stale=str(stale_at.date()),
    )
    if field == REVIEWED_AT and name and verdict != Verdict.UNKNOWN and found not in [d for d, _ in past]:
        reason += f" The date in {name} could not be used: {_shown(value)}."
    return Assessment(verdict, reason, used, field, warn_at, stale_at, age)


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


def _first_existing(
    fields: Iterable[str], properties: Mapping[str, Any], modified_at: datetime | None
) -> tuple[str, Any]:
    for name in fields:
        value = modified_at if name == MODIFIED_AT else properties.get(name)
        if value is not None and (not isinstance(value, str) or value.strip()):
            return name, value
    return "", None


def _shown(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return repr(text if len(text) <= 40 else text[:39] + "…")


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


def read_date(value: Any, *, american: bool = False) -> datetime | None:
    """The instant that a front-matter value names, in UTC; None when it cannot be read for certain.

    Read are ISO 8601 dates and datetimes, ``2024/05/01``, RFC 2822, ``May 1, 2024`` and ``1 May 2024``.
    ``05/01/2024`` is the first of May or the fifth of January: it is read, as the former, only when
    `american` says so (Microsoft's ``ms.date`` is defined that way).
    """
    if isinstance(value, datetime):
        return _utc(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    if len(text) > 60:
        return None
    for form in (*_FORMS, _AMERICAN) if american else _FORMS:
        if match := form.fullmatch(text):
            return _from_parts(match.groupdict())
    return None


def _from_parts(parts: Mapping[str, str | None]) -> datetime | None:
    name = parts.get("name")
    month = int(parts["month"] or 0) if name is None else _month(name.lower())
    hour, minute, second = [*(parts["time"] or "0:0").replace(",", ".").split(":"), "0"][:3]
    whole, _, fraction = second.partition(".")
    try:
        return _utc(
            datetime(
                int(parts["year"] or 0),
                month,
                int(parts["day"] or 0),
                int(hour),
                int(minute),
                int(whole),
                int(fraction[:6].ljust(6, "0")),
                tzinfo=_zone(parts["zone"]),
            )
        )
    except ValueError:
        return None


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
