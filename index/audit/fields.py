"""Values that the records of the audit, of search and of documents print alike."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from index.model import rfc3339
from index.records import Review

_DAY = timedelta(days=1)


def review_fields(review: Review | None, changed: bool | None) -> dict[str, Any]:
    """The last review, and whether the document changed since; all None where there is no review."""
    return {
        "reviewed_at": rfc3339(review.at) if review else None,
        "reviewed_by": review.reviewed_by if review else None,
        "review_note": review.note if review else None,
        "changed_since_review": changed,
    }


def whole_days(span: timedelta | None) -> int | None:
    """Full days that have passed."""
    return None if span is None else span // _DAY


@lru_cache(maxsize=1000)
def policy_days(span: timedelta) -> int | float:
    """Days as a policy has them: 90, or 1.5 for 36 hours."""
    return span // _DAY if span % _DAY == timedelta(0) else round(span / _DAY, 4)


def rounded(score: float | None) -> float | None:
    """A trust score with four digits."""
    return None if score is None else round(score, 4)
