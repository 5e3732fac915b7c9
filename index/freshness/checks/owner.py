"""Documents that nobody answers for, owners that nobody can tell, and what owners asked for."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base import shortened
from index.freshness.checks.base import Base, SourceState, Subject
from index.freshness.finding import Finding
from index.freshness.owners import fold
from index.records import AnswerKind


def find(base: Base) -> Iterator[Finding]:
    yield from _unresolved(base)
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


def _unresolved(base: Base) -> Iterator[Finding]:
    """One finding for each owner and source, on the source as a whole: a thousand documents of a group have
    one fault, and which of them there are does not change it."""
    states = {state.source: state for state in base.sources}
    owned: dict[tuple[str, str], list[Subject]] = {}
    for subject in base.subjects:
        if subject.governance.owner:
            owned.setdefault((subject.document.source, fold(subject.governance.owner)), []).append(subject)
    for (source, owner), own in owned.items():
        first = min(own, key=lambda subject: subject.document.uri)
        why = base.why_nobody(first.governance.owner)
        if not why:
            continue
        uri = shortened(first.document.uri)
        more = f" and {len(own) - 1:,} more" if len(own) > 1 else ""
        yield states.get(source, SourceState(source)).finding(
            "owner-unresolved",
            f"Nobody can be told of {uri}{more}: {why}",
            key=owner,
            remedy="Give the owner a mail address, or members, in the directory of owners (notify.owners).",
        )
