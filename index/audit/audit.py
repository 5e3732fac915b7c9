"""The freshness audit: a verdict for every live document, and findings for its owners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from index.audit.checkout import checkout
from index.audit.fields import policy_days, review_fields, rounded, whole_days
from index.audit.findings import Finding, by_severity, left_out, of_document, of_source
from index.audit.verdicts import Verdicts, assessed
from index.config import SourceConfig
from index.config.rules import Governance
from index.freshness.assess import Assessment, Policy, Verdict, trust_score
from index.freshness.owners import distinct, fold, folded, require
from index.model import KEPT, rfc3339
from index.records import Document, Review, SourceRecord

if TYPE_CHECKING:
    from index.workspace import Workspace

FailOn = Literal["warn", "stale", "never"]

#: Worst first.
SEVERITY = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN, Verdict.FRESH, Verdict.EXEMPT)
_RANK = {verdict: rank for rank, verdict in enumerate(SEVERITY)}


@dataclass(frozen=True, slots=True)
class Result:
    """One document's verdict."""

    document_id: str
    uri: str
    url: str
    title: str
    source: str
    owners: tuple[str, ...]
    """In order; the first is asked to act."""
    owner_source: str
    policy: Policy | None
    """None when the document's source is not in the configuration."""
    assessment: Assessment
    overdue: timedelta | None
    """Since `warn_at`, when the review became due; zero before. None without a date, and when exempt."""
    review: Review | None = None
    """The document's last review."""
    changed_since_review: bool | None = None
    """Whether the document changed since; None without a review, and when that is not known."""

    @property
    def owner(self) -> str:
        return self.owners[0] if self.owners else ""

    def is_of(self, owner: str) -> bool:
        """Whether this folded owner is one of its owners; "" stands for documents without any."""
        return owner in folded(self.owners) if owner else not self.owners

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
            "owners": list(self.owners),
            "owner_source": self.owner_source,
            "verdict": str(self.verdict),
            "reason": self.assessment.reason,
            "date_used": self.assessment.date_text,
            "date_field": self.assessment.date_field or None,
            "age_days": whole_days(self.assessment.age),
            "warn_after_days": policy and policy_days(policy.warn_after),
            "stale_after_days": policy and policy_days(policy.stale_after),
            "overdue_days": whole_days(self.overdue),
            **review_fields(self.review, self.changed_since_review),
        }


@dataclass(frozen=True, slots=True)
class OwnerSummary:
    owner: str
    """"" stands for documents without an owner."""
    results: tuple[Result, ...]
    """Worst first. A document of several owners is in the summary of each."""

    @property
    def counts(self) -> Mapping[Verdict, int]:
        return Counter(result.verdict for result in self.results)

    @property
    def by_verdict(self) -> dict[str, int]:
        """The counts by the verdict's name, zeros included."""
        return _by_name(self.counts)

    @property
    def trust_score(self) -> float | None:
        return trust_score(self.counts)

    def json(self) -> dict[str, Any]:
        return {
            "owner": self.owner,
            "counts": self.by_verdict,
            "trust_score": rounded(self.trust_score),
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
    name: str = ""
    """Of the knowledge base."""

    @property
    def by_verdict(self) -> dict[str, int]:
        """The counts by the verdict's name, zeros included."""
        return _by_name(self.counts)

    @property
    def trust_score(self) -> float | None:
        return trust_score(self.counts)

    def fails(self, fail_on: FailOn) -> bool:
        """Whether a verdict that `fail_on` names is there. ``warn`` means every document that should be fresh
        and is not, unknown ones included: a date that was made unreadable must not get a document past the
        gate."""
        if fail_on == "never":
            return False
        named = {Verdict.STALE} if fail_on == "stale" else {Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN}
        return any(self.counts.get(verdict) for verdict in named)

    def json(self) -> dict[str, Any]:
        return {
            "generated_at": rfc3339(self.generated_at),
            "counts": self.by_verdict,
            "trust_score": rounded(self.trust_score),
            "owners": [owner.json() for owner in self.owners],
            "results": [result.json() for result in self.results],
            "findings": [finding.json() for finding in self.findings],
        }


def audit_of(workspace: Workspace, owner: str | None = None) -> Audit:
    """The audit of a knowledge base. Raises ConfigError for an owner of nothing."""
    from index.sync.prepare import moment

    config, ledger = workspace.config, workspace.ledger
    return audit(
        ledger.documents.find(),
        {source.id: source for source in config.sources},
        workspace.now(),
        owner,
        reviews={document_id: made[-1] for document_id, made in ledger.reviews.of().items()},
        checked_out={s.id: moment(workspace.connector(s.id).checked_out_at()) for s in config.sources},
        records=ledger.sources.all(),
        name=config.name,
    )


def audit(
    documents: Iterable[Document],
    sources: Mapping[str, SourceConfig],
    now: datetime,
    owner: str | None = None,
    *,
    reviews: Mapping[str, Review] | None = None,
    checked_out: Mapping[str, datetime | None] | None = None,
    records: Iterable[SourceRecord] = (),
    name: str = "",
) -> Audit:
    """Judge every live document, by the configuration as it is now; only those of `owner` when given.

    `reviews` are the last ones by document, `checked_out` when version control last wrote a source, `records`
    the ledger's records of the sources: folders that their listings left out are findings, too. Documents of
    unsupported types are left out. Raises ConfigError for an owner of nothing.
    """
    verdicts = Verdicts(sources.values())
    results: list[Result] = []
    findings: list[Finding] = []
    written: dict[str, list[Document]] = {source: [] for source, at in (checked_out or {}).items() if at}
    for document in documents:
        if document.state not in KEPT:
            continue
        ruled = verdicts.governance(document)
        governance = ruled or _recorded(document)
        review = (reviews or {}).get(document.document_id)
        result = _judge(document, ruled, review, now)
        results.append(result)
        findings.extend(of_document(document, governance, result.assessment, review, now))
        if document.source in written:
            written[document.source].append(document)
    for source, own in written.items():
        found = checkout((checked_out or {})[source], own)
        if found is not None:
            findings.append(of_source(source, _asked(verdicts, source), found))
    for record in records:
        findings.extend(left_out(record, _asked(verdicts, record.source)))
    asked = None if owner is None else require(owner, (name for r in results for name in r.owners))
    if asked is not None:
        results = [result for result in results if result.is_of(asked)]
        theirs = {result.document_id for result in results}
        findings = [
            f for f in findings if f.document_id in theirs or (not f.document_id and fold(f.owner) == asked)
        ]
    results.sort(key=_worst_first)
    findings.sort(key=by_severity)
    return Audit(
        generated_at=now,
        results=tuple(results),
        findings=tuple(findings),
        counts=Counter(result.verdict for result in results),
        owners=_owners(results, asked),
        name=name,
    )


def _asked(verdicts: Verdicts, source: str) -> str:
    """The owner of a source as a whole; "" where there is none."""
    rules = verdicts.rules(source)
    return rules.owner if rules is not None else ""


def _recorded(document: Document) -> Governance:
    """Owners as the ledger has them: the configuration has no rules for the document any more."""
    owners = distinct(document.owners or ([document.owner] if document.owner else []))
    return Governance(owners, document.owner_source, "exempt")


def _judge(document: Document, ruled: Governance | None, review: Review | None, now: datetime) -> Result:
    assessment, governance = assessed(document, ruled, now), ruled or _recorded(document)
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
        owners=governance.owners,
        owner_source=governance.owner_source,
        policy=ruled.policy if ruled is not None else None,
        assessment=assessment,
        overdue=overdue,
        review=review,
        changed_since_review=review.changed(document) if review else None,
    )


def _worst_first(result: Result) -> tuple[int, timedelta, str, str]:
    overdue = result.overdue or timedelta(0)
    return (
        _RANK[result.verdict],
        -(overdue or result.assessment.age or timedelta(0)),
        result.source,
        result.uri,
    )


def _owners(results: Iterable[Result], asked: str | None) -> tuple[OwnerSummary, ...]:
    """Summaries of all owners, or of the one that was asked for, each named as it comes first."""
    names: dict[str, str] = {}
    owned: dict[str, list[Result]] = {}
    for result in results:
        for owner in result.owners or ("",):
            if asked in (None, fold(owner)):
                names.setdefault(fold(owner), owner)
                owned.setdefault(fold(owner), []).append(result)
    summaries = [OwnerSummary(names[owner], tuple(own)) for owner, own in owned.items()]

    def worst_first(summary: OwnerSummary) -> tuple[float, int, str]:
        score = summary.trust_score
        return 2.0 if score is None else score, -summary.counts.get(Verdict.STALE, 0), summary.owner

    return tuple(sorted(summaries, key=worst_first))


def _by_name(counts: Mapping[Verdict, int]) -> dict[str, int]:
    return {str(verdict): counts.get(verdict, 0) for verdict in Verdict}
