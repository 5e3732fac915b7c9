"""Sentences that say until when they hold, and hold no longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from index.freshness.assess import Verdict
from index.freshness.checks.base import Base, Subject
from index.freshness.dates import counts_from
from index.freshness.finding import Finding
from index.freshness.validity import AS_OF_AGE, CUES, is_history, stated_in
from index.model import Claim

#: Longest part of a sentence that is shown.
_SHOWN_MAX = 300


def find(base: Base) -> Iterator[Finding]:
    passed = {
        subject.document.document_id: found
        for subject in base.subjects
        if (found := _passed(subject, base.now))
    }
    sentences: dict[tuple[str, Claim], str] = {}
    for passage in base.texts(passed) if passed else ():
        for stated in stated_in(passage.text):
            sentences.setdefault((passage.document_id, stated.claim), stated.sentence)
    for document_id, claims in passed.items():
        for claim in claims:
            sentence = sentences.get((document_id, claim), "")
            yield base.by_id[document_id].finding(
                "claim-expired", _evidence(claim, sentence), key=f"{claim.cue} {claim.day}"
            )


def _passed(subject: Subject, now: datetime) -> list[Claim]:
    document, extract = subject.document, subject.extract
    if extract is None or not extract.claims or subject.assessment.verdict is Verdict.EXEMPT:
        return []
    if is_history(document.uri) or is_history(document.title):
        return []
    claims = [Claim(cue, day) for cue, day in extract.claims]
    return [claim for claim in claims if _is_over(claim, now)]


def _is_over(claim: Claim, now: datetime) -> bool:
    # Once it is over everywhere on earth.
    over = counts_from(date.fromisoformat(claim.day) + timedelta(days=1))
    return now >= (over + AS_OF_AGE if claim.cue == "as-of" else over)


def _evidence(claim: Claim, sentence: str) -> str:
    shown = sentence if len(sentence) <= _SHOWN_MAX else f"{sentence[:_SHOWN_MAX]} …"
    if shown:
        return f"{claim.day} has passed: “{shown}”"
    return f"{claim.day} has passed, and it says “{CUES.get(claim.cue, claim.cue)}” that day."
