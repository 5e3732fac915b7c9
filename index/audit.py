"""The freshness audit: a verdict for every live document, and what else its owners should know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from connectors.base import shortened
from index.config import SourceConfig
from index.freshness import Assessment, Policy, Verdict, assess, trust_score
from index.model import LIVE, Document, SourceRecord, State, rfc3339
from index.rules import Rules

FailOn = Literal["warn", "stale", "never"]

FindingKind = Literal["quarantined", "incomplete", "empty", "unowned", "too-deep"]

#: Worst first.
SEVERITY = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN, Verdict.FRESH, Verdict.EXEMPT)
_RANK = {verdict: rank for rank, verdict in enumerate(SEVERITY)}

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Result:
    """One document's verdict."""

    document_id: str
    uri: str
    url: str
    title: str
    source: str
    owner: str
    owner_source: str
    policy: Policy | None
    """None when the document's source is not in the configuration."""
    assessment: Assessment
    overdue: timedelta | None
    """Since `warn_at`, when the review became due; zero before. None without a date, and when exempt."""

    @property
    def verdict(self) -> Verdict:
        return self.assessment.verdict

    def json(self) -> dict[str, Any]:
        policy = self.policy if self.policy != "exempt" else None
        return {
            "document_id": self.document_id,
            "uri": self.uri,
            "source": self.source,
            "owner": self.owner,
            "owner_source": self.owner_source,
            "verdict": str(self.verdict),
            "reason": self.assessment.reason,
            "date_used": rfc3339(self.assessment.date_used),
            "date_field": self.assessment.date_field or None,
            "age_days": whole_days(self.assessment.age),
            "warn_after_days": policy and _days(policy.warn_after),
            "stale_after_days": policy and _days(policy.stale_after),
            "overdue_days": whole_days(self.overdue),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something besides age that keeps a document, or what is in a folder, from being found or answered
    for."""

    kind: FindingKind
    document_id: str | None
    """None: of a folder."""
    uri: str
    source: str
    owner: str
    reason: str

    def json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OwnerSummary:
    owner: str
    """"" stands for documents that nobody owns."""
    counts: Mapping[Verdict, int]

    @property
    def trust_score(self) -> float | None:
        return trust_score(self.counts)

    def json(self) -> dict[str, Any]:
        return {
            "owner": self.owner,
            "counts": _counts(self.counts),
            "trust_score": _rounded(self.trust_score),
        }


@dataclass(frozen=True, slots=True)
class Audit:
    generated_at: datetime
    results: tuple[Result, ...]
    """Worst first."""
    findings: tuple[Finding, ...] = ()
    counts: Mapping[Verdict, int] = field(default_factory=dict)
    owners: tuple[OwnerSummary, ...] = ()
    """Worst first: lowest trust score, then most stale documents."""

    @property
    def trust_score(self) -> float | None:
        return trust_score(self.counts)

    def fails(self, fail_on: FailOn) -> bool:
        """Whether there is what `fail_on` names. ``warn`` means anything that should be fresh and is not,
        unknown ones included: a date that was made unreadable must not get a document past the gate."""
        if fail_on == "never":
            return False
        named = {Verdict.STALE} if fail_on == "stale" else {Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN}
        return any(self.counts.get(verdict) for verdict in named)

    def json(self) -> dict[str, Any]:
        return {
            "generated_at": rfc3339(self.generated_at),
            "counts": _counts(self.counts),
            "trust_score": _rounded(self.trust_score),
            "owners": [owner.json() for owner in self.owners],
            "results": [result.json() for result in self.results],
            "findings": [finding.json() for finding in self.findings],
        }


def audit(
    documents: Iterable[Document],
    sources: Mapping[str, SourceConfig],
    now: datetime,
    owner: str | None = None,
    records: Iterable[SourceRecord] = (),
) -> Audit:
    """Judge every live document, by the configuration as it is now; only those of `owner` when given.

    `records` are what is remembered of the sources: what their listings left out is found, too. Documents of
    unsupported types are skipped everywhere, and here too.
    """
    rules = {name: Rules(source) for name, source in sources.items()}
    results: list[Result] = []
    findings: list[Finding] = []
    for document in documents:
        if document.state not in LIVE or document.state == State.SKIPPED:
            continue
        result = _judge(document, rules.get(document.source), now)
        if owner is not None and result.owner != owner:
            continue
        results.append(result)
        findings.extend(_findings(document, result.owner))
    for record in records:
        answers = sources[record.source].owner if record.source in sources else ""
        if owner in (None, answers):
            findings.extend(_left_out(record, answers))
    results.sort(key=_worst_first)
    findings.sort(
        key=lambda finding: (finding.kind != "quarantined", finding.kind, finding.source, finding.uri)
    )
    return Audit(
        generated_at=now,
        results=tuple(results),
        findings=tuple(findings),
        counts=Counter(result.verdict for result in results),
        owners=_owners(results),
    )


def _judge(document: Document, rules: Rules | None, now: datetime) -> Result:
    policy: Policy | None
    if rules is None:
        owner, owner_source, policy = document.owner, document.owner_source, None
        reason = f"Its source {document.source} is not in the configuration any more."
        assessment = Assessment(Verdict.UNKNOWN, reason)
    else:
        owner, owner_source, policy = rules.govern(document.uri, document.properties)
        assessment = assess(policy, document.properties, document.modified_at, document.reviewed_at, now)
    if not document.version:
        assessment = Assessment(Verdict.UNKNOWN, f"It was never indexed. {document.reason}".rstrip())
    judged = assessment.verdict in (Verdict.FRESH, Verdict.WARN, Verdict.STALE)
    overdue = max(now - assessment.warn_at, timedelta(0)) if judged and assessment.warn_at else None
    return Result(
        document_id=document.document_id,
        uri=document.uri,
        url=document.url,
        title=document.title,
        source=document.source,
        owner=owner,
        owner_source=owner_source,
        policy=policy,
        assessment=assessment,
        overdue=overdue,
    )


def _findings(document: Document, owner: str) -> Iterable[Finding]:
    def finding(kind: FindingKind, reason: str) -> Finding:
        return Finding(kind, document.document_id, document.uri, document.source, owner, reason)

    # What a repair could not save is written without the fingerprint of an extraction.
    whole = document.version > 0 and bool(document.extraction_fingerprint)
    if document.state == State.QUARANTINED:
        old = " The index still has its last good version." if whole else ""
        yield finding("quarantined", f"{document.reason or 'It could not be indexed.'}{old}")
    elif document.version and not whole and document.reason:
        yield finding("incomplete", document.reason)
    elif document.state == State.INDEXED and document.chunk_count == 0:
        yield finding("empty", "It holds no text, so no search can find it.")
    if not owner:
        yield finding(
            "unowned", "Nobody answers for it: name an owner in the document, a rule or the defaults."
        )


def _left_out(record: SourceRecord, owner: str) -> Iterable[Finding]:
    for found in record.findings:
        yield Finding(found["code"], None, shortened(found["uri"]), record.source, owner, found["reason"])


def _worst_first(result: Result) -> tuple[int, timedelta, str, str]:
    overdue = result.overdue or timedelta(0)
    return (
        _RANK[result.verdict],
        -(overdue or result.assessment.age or timedelta(0)),
        result.source,
        result.uri,
    )


def _owners(results: Iterable[Result]) -> tuple[OwnerSummary, ...]:
    counts: dict[str, Counter[Verdict]] = {}
    for result in results:
        counts.setdefault(result.owner, Counter())[result.verdict] += 1
    summaries = [OwnerSummary(owner, counted) for owner, counted in counts.items()]

    def worst_first(summary: OwnerSummary) -> tuple[float, int, str]:
        score = summary.trust_score
        return 2.0 if score is None else score, -summary.counts.get(Verdict.STALE, 0), summary.owner

    return tuple(sorted(summaries, key=worst_first))


def _counts(counts: Mapping[Verdict, int]) -> dict[str, int]:
    return {str(verdict): counts.get(verdict, 0) for verdict in Verdict}


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def whole_days(span: timedelta | None) -> int | None:
    """Full days that have passed."""
    return None if span is None else span // _DAY


def _days(span: timedelta) -> int | float:
    """Days as a policy has them: 90, or 1.5 for 36 hours."""
    return span // _DAY if span % _DAY == timedelta(0) else round(span / _DAY, 4)
