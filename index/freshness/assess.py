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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal

from index.freshness.dates import begins, counts_from, day, read_date
from index.freshness.properties import attributed, by_name, canonical, described
from index.model import rfc3339

#: `warn_at` and `stale_at` of exempt documents, so that any reader's ``warn_at > now`` keeps them; documents
#: without a date have none.
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

#: Dates go up to the year 9999; no computed instant may reach NEVER.
_LAST = NEVER - timedelta(seconds=1)

_NO_TIME = timedelta(0)

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
    """Ages at which a document's review is due (`warn_after`) and it is no longer to be trusted."""

    warn_after: timedelta = timedelta(days=90)
    stale_after: timedelta = timedelta(days=180)
    field: tuple[str, ...] = ("last_reviewed", "ms.date", "sent", MODIFIED_AT)
    """Names of properties, in order; ``sent`` is a mail's, ``modified_at`` the source's modification time."""

    @property
    def fields(self) -> frozenset[str]:
        """Their canonical names."""
        return frozenset(map(canonical, self.field))


_USUAL: Final = FreshnessPolicy()

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
    fields = tuple(map(canonical, policy.field if policy != "exempt" else _USUAL.field))
    name, value, found = first_date(fields, properties, modified_at)
    unreadable = _unreadable(name, value) if name and found is None else ""
    used, dated, field = _used(found, name, reviewed_at, now)
    start = counts_from(dated) if dated is not None else None
    age = max(now - start, _NO_TIME) if start is not None and used is not None and used <= now else None

    if policy == "exempt":
        reason = "Exempt from freshness checks."
        return Assessment(Verdict.EXEMPT, reason, used, dated, field, warn_at=NEVER, stale_at=NEVER, age=age)
    if used is None or dated is None or start is None:
        reason = unreadable or f"It has no date: none of {', '.join(fields)} is there."
        return Assessment(Verdict.UNKNOWN, reason, date_field=name, unreadable=unreadable)

    left = _LAST - start
    warn_at, stale_at = start + min(policy.warn_after, left), start + min(policy.stale_after, left)
    verdict = verdict_at(used, warn_at, stale_at, now)
    source = "an attested review" if field == REVIEWED_AT else attributed(field, properties)
    reason = f"Dated {day(dated)} by {source}{_then(verdict, warn_at, stale_at)}"
    if unreadable:
        reason += f" {unreadable}"
    elif found is not None and field == REVIEWED_AT and verdict != Verdict.UNKNOWN and begins(found) > now:
        reason += f" The date in {name} lies in the future: {day(found)}."
    if reviewed_at is not None and field != REVIEWED_AT and reviewed_at > now:
        reason += f" Its attested review lies in the future, and is not used: {day(reviewed_at)}."
    return Assessment(verdict, reason, used, dated, field, warn_at, stale_at, age, unreadable)


def _used(
    found: date | None, name: str, reviewed_at: datetime | None, now: datetime
) -> tuple[datetime | None, date | None, str]:
    """(where it begins, the date, its field) of the newest that is not in the future, else of the newest."""
    if found is None and reviewed_at is None:
        return None, None, name
    if reviewed_at is None or found is None:
        return (begins(found), found, name) if found is not None else (reviewed_at, reviewed_at, REVIEWED_AT)
    begun = begins(found)
    newer = (begun <= now, begun) >= (reviewed_at <= now, reviewed_at)
    return (begun, found, name) if newer else (reviewed_at, reviewed_at, REVIEWED_AT)


def _unreadable(name: str, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return f"The date in {name} cannot be read: {described(value)}."
    return f"The date in {name} is {described(value)}."


def _then(verdict: Verdict, warn_at: datetime, stale_at: datetime) -> str:
    """The end of the sentence that begins with a document's date."""
    if verdict is Verdict.FRESH:
        return f"; to be reviewed by {day(warn_at)}."
    if verdict is Verdict.WARN:
        return f"; to be reviewed since {day(warn_at)}; stale from {day(stale_at)} on."
    if verdict is Verdict.STALE:
        return f"; stale since {day(stale_at)}."
    return ", which lies in the future."


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
