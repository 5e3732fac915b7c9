"""The sentences of a report on a document."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from index.audit.fields import whole_days
from index.audit.result import Result
from index.freshness.assess import MODIFIED_AT, REVIEWED_AT, Verdict
from index.freshness.finding import CODES, Finding

NOBODY = "Nobody"

VERDICTS = {
    Verdict.STALE: "Stale",
    Verdict.UNKNOWN: "Unknown",
    Verdict.WARN: "Review due",
    Verdict.FRESH: "Fresh",
    Verdict.EXEMPT: "Exempt",
}

MEANINGS = {
    Verdict.STALE: "Not reviewed for so long that its content should not be relied on.",
    Verdict.UNKNOWN: "Has no usable date, so nobody can tell how old it is.",
    Verdict.WARN: "Should be looked at now, before it goes stale.",
    Verdict.FRESH: "Reviewed or changed recently enough.",
    Verdict.EXEMPT: "Not subject to review, as the configuration says.",
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(moment: date | None) -> str:
    """``1 May 2024``; the same on every machine, whatever its language."""
    return "" if moment is None else _day(moment.toordinal())


#: Thousands of documents share a day.
@lru_cache(maxsize=4096)
def _day(ordinal: int) -> str:
    found = date.fromordinal(ordinal)
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def name(result: Result) -> str:
    return result.title or result.uri.rpartition("/")[2]


def code_name(code: str) -> str:
    """A finding's code in words."""
    return CODES[code].title if code in CODES else code


def finding_name(finding: Finding) -> str:
    return code_name(finding.code)


def reviewed(result: Result) -> str:
    """The last review in words; "" when there is none."""
    review = result.review
    if review is None:
        return ""
    changed = "; changed since" if result.changed_since_review else ""
    note = f": “{review.note}”" if review.note else ""
    return f"Reviewed {day(review.at)} by {review.reviewed_by}{changed}{note}"


def due(result: Result) -> tuple[str, str]:
    """The action that its owner has to take, and the date or reason."""
    assessment = result.assessment
    verdict = assessment.verdict
    if verdict is Verdict.FRESH:
        return f"Review by {day(assessment.warn_at)}", ""
    if verdict is Verdict.EXEMPT:
        return "Nothing", ""
    if verdict is Verdict.UNKNOWN:
        return "Give it a date, or attest a review", assessment.reason
    overdue = whole_days(result.overdue)
    if verdict is Verdict.WARN:
        since = f"for {days(overdue)}" if overdue else "now"
        return f"Review due {since}", f"Stale on {day(assessment.stale_at)}"
    return (
        f"Review overdue{f' by {days(overdue)}' if overdue else ''}",
        f"Stale since {day(assessment.stale_at)}",
    )


_DATED_BY = {REVIEWED_AT: "Attested review", MODIFIED_AT: "Last changed"}


def dated_by(result: Result) -> str:
    """The origin of the date, in words."""
    field = result.assessment.date_field
    return (_DATED_BY.get(field) or f"“{field}”") if field else ""


def percent(score: float | None) -> str:
    """Rounded down, so that only a perfect score reads 100 %."""
    return "–" if score is None else f"{int(score * 100 + 1e-9)} %"
