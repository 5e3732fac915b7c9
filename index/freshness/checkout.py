"""File dates of a checkout: when a work tree was written, and not when a document was changed.

Version control gives files the time at which it writes them: after a clone every document looks as if it had
been changed today.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from index.freshness.assess import NEVER
from index.records import Document

#: How long a checkout may take.
_SPAN = timedelta(minutes=10)


class Checkout(NamedTuple):
    at: datetime
    documents: int
    """Documents with the checkout's date."""
    dated: int
    """Documents that are dated by their files."""

    @property
    def reason(self) -> str:
        return (
            f"It is a git work tree, and {self.documents:,} of {self.dated:,} documents that are dated by "
            f"their files have the date of a checkout ({self.at:%Y-%m-%d %H:%M} UTC), not of their last "
            "change. Give them dates of their own, such as last_reviewed in front matter, or give the files "
            "the dates of their commits, as git-restore-mtime does."
        )


def checkout(written: datetime | None, documents: Iterable[Document]) -> Checkout | None:
    """The checkout that the dates of one source's documents show; None when they show none.

    They show one when most of them lie within ten minutes. `written`, when version control wrote the work
    tree (None: there is none), counts as one date more, so that one document is enough.
    """
    if written is None:
        return None
    dates = sorted(
        document.modified_at
        for document in documents
        if document.modified_at is not None
        and document.date_used == document.modified_at
        and document.warn_at != NEVER
    )
    moments = sorted([*dates, written])
    first = most = start = 0
    for end, moment in enumerate(moments):
        while moment - moments[start] > _SPAN:
            start += 1
        if end - start + 1 > most:
            first, most = start, end - start + 1
    at = moments[first]
    together = sum(at <= date <= at + _SPAN for date in dates)
    if most < 2 or together * 2 <= len(dates):
        return None
    return Checkout(at, together, len(dates))
