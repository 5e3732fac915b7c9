"""Documents that are stale, due for review or of unknown age, and dates that cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from index.freshness.assess import Verdict
from index.freshness.checkout import checkout
from index.freshness.checks.base import Base
from index.freshness.finding import Finding
from index.records import Document

_JUDGED = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN)


def find(base: Base) -> Iterator[Finding]:
    written: dict[str, list[Document]] = {state.source: [] for state in base.sources if state.checked_out_at}
    for subject in base.subjects:
        assessment, document = subject.assessment, subject.document
        if assessment.verdict in _JUDGED:
            yield subject.finding(assessment.verdict.value, assessment.reason)
        if assessment.unreadable and assessment.verdict is not Verdict.EXEMPT:
            yield subject.finding("date-invalid", assessment.unreadable)
        if document.source in written:
            written[document.source].append(document)
    for state in base.sources:
        if state.source in written:
            found = checkout(state.checked_out_at, written[state.source])
            if found is not None:
                yield state.finding("checkout-dates", found.reason)
