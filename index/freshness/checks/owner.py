"""Documents that nobody answers for, and what their owners asked for."""

from __future__ import annotations

from collections.abc import Iterator

from index.freshness.checks.base import Base
from index.freshness.finding import Finding
from index.records import AnswerKind


def find(base: Base) -> Iterator[Finding]:
    for subject in base.subjects:
        governance = subject.governance
        if governance.unusable:
            taken = governance.owner_source
            instead = f"Taken instead: {taken}." if taken != "front matter" else ""
            yield subject.finding("owner-invalid", f"{governance.unusable} {instead}".rstrip())
        if not governance.owners:
            evidence = "It has no owner: name one in the document, a rule or the defaults."
            yield subject.finding("unowned", evidence)
        asked = subject.answers.get(AnswerKind.RETIRE)
        if asked is not None:
            note = f": “{asked.note}”" if asked.note else ""
            yield subject.finding(
                "retirement-asked",
                f"{asked.by} asked on {asked.at:%Y-%m-%d} for its removal{note}.",
                remedy="Delete it at its source; the next sync removes it here.",
            )
