"""Reviews that a change has overtaken, that changed nothing, or whose clock was ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from index.freshness.assess import MODIFIED_AT
from index.freshness.checks.base import Base, Subject
from index.freshness.dates import begins
from index.freshness.finding import Finding

#: Reviews of one text from which on it is worth asking whether anybody read it.
_REVIEWS_MIN = 3


def find(base: Base) -> Iterator[Finding]:
    for subject in base.subjects:
        yield from _bumped(subject, base.now)
        review = subject.review
        if review is None:
            continue
        if review.at > base.now:
            yield subject.finding(
                "review-in-future",
                f"The review by {review.reviewed_by} is dated {review.at:%Y-%m-%d}, in the future: "
                "a clock was ahead. It is not used; attest again.",
            )
        if review.changed(subject.document):
            yield subject.finding(
                "changed-since-review",
                f"It was changed since {review.reviewed_by} reviewed it on {review.at:%Y-%m-%d}.",
            )


def _bumped(subject: Subject, now: datetime) -> Iterator[Finding]:
    """A date that goes on while the text stays: by attested reviews, or by a field that names a review."""
    since = subject.extract.text_since if subject.extract is not None else None
    made = (review for review in subject.reviews if review.at <= now)
    same = [review for review in made if review.content_hash == subject.document.content_hash]
    if len(same) >= _REVIEWS_MIN:
        evidence = (
            f"It was reviewed {len(same)} times since {same[0].at:%Y-%m-%d}, and its text never changed."
        )
        yield subject.finding("review-without-change", evidence)
        return
    dated, field = subject.assessment.dated, subject.assessment.date_field
    if since is None or dated is None or field in (MODIFIED_AT, "", "reviewed_at") or _first(dated) <= since:
        return
    evidence = f"Its {field} says {_day(dated)}, and its text has been the same since {since:%Y-%m-%d}."
    yield subject.finding("review-without-change", evidence)


def _first(dated: date) -> datetime:
    return begins(dated)


def _day(dated: date) -> str:
    return str(dated.date() if isinstance(dated, datetime) else dated)
