"""Findings of the audit: their codes, and the record of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from index.model import digest, rfc3339

Severity = Literal["error", "warning", "note"]

#: Worst first.
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")


class Code(NamedTuple):
    """A kind of finding."""

    title: str
    """A heading for people."""
    severity: Severity = "warning"
    on: bool = True
    """Whether it is looked for when the configuration says nothing."""


#: Every code. Where a parser's or a listing's code is missing, it is a warning.
CODES: Final[Mapping[str, Code]] = {
    "stale": Code("Stale", "error"),
    "unknown": Code("Age is unknown"),
    "warn": Code("Review is due", "note"),
    "date-invalid": Code("Date cannot be read"),
    "checkout-dates": Code("File dates are a checkout's"),
    "unowned": Code("Has no owner"),
    "owner-invalid": Code("Owner is no name"),
    "owner-unresolved": Code("Owner is no person"),
    "changed-since-review": Code("Changed since its review", "note"),
    "review-without-change": Code("Reviewed again and again without a change", "note"),
    "review-in-future": Code("Review is in the future"),
    "retirement-asked": Code("Its owner asks for its removal", "note"),
    "quarantined": Code("Could not be read", "error"),
    "incomplete": Code("Has lost text", "error"),
    "empty": Code("Holds no text"),
    "shrunk": Code("Has lost half of its text"),
    "front-matter-invalid": Code("Front matter is broken"),
    "parts-left-out": Code("Has parts that cannot be read"),
    "too-deep": Code("Lies too deep"),
    "too-many-pages": Code("Has more pages than are listed"),
    "sync-lag": Code("Index is behind its source", "error"),
    "listing-incomplete": Code("Source was not listed completely", "error"),
    "drift": Code("Index differs from its sources", "error"),
    "dead-link": Code("Link leads nowhere"),
    "dead-anchor": Code("Link ends in no place of its target", "note"),
    "dead-external-link": Code("External link is gone", on=False),
    "claim-expired": Code("Says that it holds no longer"),
    "repeat": Code("Repeats another document", "note"),
    "numbers-disagree": Code("Numbers disagree", on=False),
}

#: Codes that the verdict of a document has, worst first.
VERDICT_CODES: Final = ("stale", "unknown", "warn")


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect that one owner should put right."""

    code: str
    source: str
    uri: str | None
    """Of the document or folder; None when the finding is about the whole source."""
    document_id: str | None
    """None when the finding is not about a document."""
    owner: str
    """The owner that is asked to act; "" when there is none."""
    evidence: str
    """A sentence."""
    line: int | None = None
    """Line of the document, from 1."""
    key: str = ""
    """What tells it from other findings of its code in the same document or source, such as the target of a
    link. It does not change while the finding stays the same."""
    related: tuple[str, ...] = ()
    """Ids of other documents that it is about."""
    remedy: str = ""
    """A sentence on what mends it, or what to write or run; "" where the code says enough."""
    first_seen_at: datetime | None = None
    """When an audit found it first; None before it is on record."""
    status: Literal["new", "open"] = "new"

    @property
    def severity(self) -> Severity:
        known = CODES.get(self.code)
        return "warning" if known is None else known.severity

    @property
    def place(self) -> str:
        return self.source if self.uri is None else f"{self.source} / {self.uri}"

    @property
    def sentence(self) -> str:
        """The evidence, with the line."""
        return self.evidence if self.line is None else f"Line {self.line}: {self.evidence}"

    @property
    def identity(self) -> str:
        """Hash of what makes it the same finding in the next audit, when its document has moved, too."""
        where = self.document_id or f"{self.source}\n{self.uri}"
        return digest([self.code, where, self.key])

    def json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "uri": self.uri,
            "document_id": self.document_id,
            "source": self.source,
            "owner": self.owner,
            "evidence": self.evidence,
            "line": self.line,
            "remedy": self.remedy,
            "first_seen_at": rfc3339(self.first_seen_at),
            "status": self.status,
        }


def by_severity(finding: Finding) -> tuple[int, str, str, str]:
    """Sorts the worst first."""
    return SEVERITIES.index(finding.severity), finding.code, finding.source, finding.uri or ""
