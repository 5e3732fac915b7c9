"""Findings of the audit besides age: defects that keep a document from being found, dated or owned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from connectors.base import shortened
from index.audit.checkout import Checkout
from index.config.rules import Governance
from index.freshness.assess import Assessment, Verdict
from index.model import State
from index.records import Document, Review, SourceRecord

Severity = Literal["error", "warning", "note"]

#: Codes that are no warnings. Errors come first.
_SEVERITIES: Final[dict[str, Severity]] = {
    "quarantined": "error",
    "incomplete": "error",
    "changed-since-review": "note",
}
_RANK = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect that the document's owner should put right."""

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

    @property
    def severity(self) -> Severity:
        return _SEVERITIES.get(self.code, "warning")

    @property
    def place(self) -> str:
        return self.source if self.uri is None else f"{self.source} / {self.uri}"

    @property
    def sentence(self) -> str:
        """The evidence, with the line."""
        return self.evidence if self.line is None else f"Line {self.line}: {self.evidence}"

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
        }


def by_severity(finding: Finding) -> tuple[int, str, str, str]:
    return _RANK.index(finding.severity), finding.code, finding.source, finding.uri or ""


def of_source(source: str, owner: str, found: Checkout) -> Finding:
    return Finding("checkout-dates", source, None, None, owner, found.reason)


def left_out(record: SourceRecord, owner: str) -> Iterator[Finding]:
    """Findings on the folders that the source's listing left out for good."""
    for found in record.findings:
        yield Finding(found["code"], record.source, shortened(found["uri"]), None, owner, found["reason"])


def of_document(
    document: Document, governance: Governance, assessment: Assessment, review: Review | None, now: datetime
) -> Iterator[Finding]:
    def finding(code: str, evidence: str, line: int | None = None) -> Finding:
        return Finding(
            code, document.source, document.uri, document.document_id, governance.owner, evidence, line
        )

    # A repair that could not save the whole text writes no extraction fingerprint.
    whole = document.version > 0 and bool(document.extraction_fingerprint)
    if document.state == State.QUARANTINED:
        old = " The index still has its last good version." if whole else ""
        yield finding("quarantined", f"{document.reason or 'It could not be indexed.'}{old}")
    elif document.version and not whole and document.reason:
        yield finding("incomplete", document.reason)
    elif document.state == State.INDEXED and document.chunk_count == 0:
        yield finding("empty", "It holds no text, so no search can find it.")
    for found in document.findings:
        yield finding(found["code"], found["reason"], found["line"])
    if governance.unusable:
        instead = (
            f"Taken instead: {governance.owner_source}." if governance.owner_source != "front matter" else ""
        )
        yield finding("owner-invalid", f"{governance.unusable} {instead}".rstrip())
    if assessment.unreadable and assessment.verdict is not Verdict.EXEMPT:
        yield finding("date-invalid", assessment.unreadable)
    if not governance.owners:
        yield finding("unowned", "It has no owner: name one in the document, a rule or the defaults.")
    if review is None:
        return
    if review.at > now:
        yield finding(
            "review-in-future",
            f"The review by {review.reviewed_by} is dated {review.at:%Y-%m-%d}, which lies in the future: a "
            "clock was ahead. It is not used; attest again.",
        )
    if review.changed(document):
        yield finding(
            "changed-since-review",
            f"It was changed since {review.reviewed_by} reviewed it on {review.at:%Y-%m-%d}.",
        )
