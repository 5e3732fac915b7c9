"""An audit on record: the verdict of each document, its findings, and the sums by owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from index.audit.fields import policy_days, rounded, whole_days
from index.audit.use import Use
from index.errors import ConfigError
from index.freshness.assess import Assessment, Policy, Verdict, trust_score
from index.freshness.finding import CODES, Finding
from index.freshness.owners import fold, folded
from index.model import rfc3339
from index.records import Answer, Review

#: Worst first.
SEVERITY = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN, Verdict.FRESH, Verdict.EXEMPT)
_RANK = {verdict: rank for rank, verdict in enumerate(SEVERITY)}


#: Names of what reports say of a document, in order.
FIELDS = (
    *("document_id", "uri", "source", "owner", "owners", "owner_source", "verdict", "reason"),
    *("date_used", "date_field", "age_days", "warn_after_days", "stale_after_days", "overdue_days"),
    *("reviewed_at", "reviewed_by", "review_note", "changed_since_review", "snoozed_until", "hits"),
)


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
    snooze: Answer | None = None
    """What an owner promised: to change it by a date, until which nobody is asked again."""

    hits: int = 0
    """How often searches showed it in the last 30 days, where that is counted."""

    @property
    def owner(self) -> str:
        return self.owners[0] if self.owners else ""

    def is_of(self, owner: str) -> bool:
        """Whether this folded owner is one of its owners; "" stands for documents without any."""
        return owner in folded(self.owners) if owner else not self.owners

    @property
    def verdict(self) -> Verdict:
        return self.assessment.verdict

    def values(self) -> tuple[Any, ...]:
        """The values of `FIELDS`."""
        policy = self.policy if self.policy != "exempt" else None
        assessment, review = self.assessment, self.review
        return (
            self.document_id,
            self.uri,
            self.source,
            self.owner,
            list(self.owners),
            self.owner_source,
            assessment.verdict.value,
            assessment.reason,
            assessment.date_text,
            assessment.date_field or None,
            whole_days(assessment.age),
            policy and policy_days(policy.warn_after),
            policy and policy_days(policy.stale_after),
            whole_days(self.overdue),
            *((rfc3339(review.at), review.reviewed_by, review.note) if review else (None, None, None)),
            self.changed_since_review,
            rfc3339(self.snooze.until) if self.snooze else None,
            self.hits,
        )


@dataclass(frozen=True)
class OwnerSummary:
    owner: str
    """"" stands for documents without an owner."""
    results: tuple[Result, ...]
    """Worst first. A document of several owners is in the summary of each."""

    @cached_property
    def counts(self) -> Mapping[Verdict, int]:
        return Counter([result.assessment.verdict for result in self.results])

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
class Resolved:
    """A finding that an earlier audit had, and this one has not."""

    code: str
    source: str
    uri: str | None
    """None when its document is gone, or when it was about a whole source."""
    document_id: str | None
    first_seen_at: datetime
    resolved_at: datetime

    def json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "source": self.source,
            "uri": self.uri,
            "document_id": self.document_id,
            "first_seen_at": rfc3339(self.first_seen_at),
            "resolved_at": rfc3339(self.resolved_at),
        }


@dataclass(frozen=True, slots=True)
class PastAudit:
    """The counts of an earlier audit."""

    at: datetime
    counts: Mapping[str, int]
    """Documents by verdict, and findings by code."""
    owners: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The same by folded name of the owner; of owners that the present audit has."""

    @property
    def trust_score(self) -> float | None:
        return trust_score({verdict: self.counts.get(verdict.value, 0) for verdict in Verdict})

    def json(self) -> dict[str, Any]:
        return {"at": rfc3339(self.at), "counts": dict(self.counts), "trust_score": rounded(self.trust_score)}


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
    codes: frozenset[str] = frozenset()
    """The codes that were looked for: what others found before is neither there nor resolved."""
    owner: str | None = None
    """The folded owner whose documents alone it is about; None: it is about all."""
    resolved: tuple[Resolved, ...] = ()
    """Findings of the audit before that are no more; the last ones first."""
    past: tuple[PastAudit, ...] = ()
    """Earlier audits on record, oldest first."""
    use: Use | None = None
    """What readers were shown; None where that is not counted."""
    since: datetime | None = None
    """The moment from which on findings are new, when it was asked for; None: the last audit on record."""

    @property
    def compared_with(self) -> datetime | None:
        """The moment from which on findings are new; None of the first audit."""
        return self.since or (self.past[-1].at if self.past else None)

    @property
    def by_verdict(self) -> dict[str, int]:
        """The counts by the verdict's name, zeros included."""
        return _by_name(self.counts)

    @property
    def trust_score(self) -> float | None:
        return trust_score(self.counts)

    def fails(self, fail_on: Sequence[str] | str) -> bool:
        """Whether there is what `fail_on` names: verdicts, codes of findings, or never. ``warn`` means every
        document that should be fresh and is not, unknown ones included: a date that was made unreadable must
        not get a document past the gate."""
        named = {fail_on} if isinstance(fail_on, str) else set(fail_on)
        if "warn" in named:
            named |= {"stale", "unknown"}
        verdicts = any(self.counts.get(verdict) for verdict in Verdict if verdict.value in named)
        return verdicts or any(finding.code in named for finding in self.findings)

    def json(self) -> dict[str, Any]:
        parts = self.json_parts(result.values() for result in self.results).items()
        return {name: list(part) if isinstance(part, Iterator) else part for name, part in parts}

    def json_parts(self, values: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
        """The same, with an iterator in place of each list: a large audit is written as it is made. `values`
        are those of the results."""
        return {
            "generated_at": rfc3339(self.generated_at),
            "counts": self.by_verdict,
            "trust_score": rounded(self.trust_score),
            "owners": (owner.json() for owner in self.owners),
            "results": (dict(zip(FIELDS, own, strict=True)) for own in values),
            "findings": (finding.json() for finding in self.findings),
            "resolved": (resolved.json() for resolved in self.resolved),
            "past": (audit.json() for audit in self.past),
            "use": self.use.json() if self.use else None,
        }


def owners(results: Iterable[Result], asked: str | None) -> tuple[OwnerSummary, ...]:
    """Summaries of all owners, or of the one that was asked for, each named as it comes first."""
    names: dict[str, str] = {}
    owned: dict[str, list[Result]] = {}
    for result in results:
        for owner in result.owners or ("",):
            folded_owner = fold(owner)
            if asked in (None, folded_owner):
                names.setdefault(folded_owner, owner)
                owned.setdefault(folded_owner, []).append(result)
    summaries = [OwnerSummary(names[owner], tuple(own)) for owner, own in owned.items()]

    def worst_first(summary: OwnerSummary) -> tuple[float, int, str]:
        score = summary.trust_score
        return 2.0 if score is None else score, -summary.counts.get(Verdict.STALE, 0), summary.owner

    return tuple(sorted(summaries, key=worst_first))


def _by_name(counts: Mapping[Verdict, int]) -> dict[str, int]:
    return {str(verdict): counts.get(verdict, 0) for verdict in Verdict}


def fail_on_codes(names: Sequence[str]) -> tuple[str, ...]:
    """The names, checked. Raises ConfigError for one that is neither a verdict, nor a code, nor never."""
    known = ["never", *(verdict.value for verdict in Verdict), *CODES]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(dict.fromkeys(known))}."
            raise ConfigError(f"There is no finding {name!r} to fail on; {hint}")
    return tuple(names)
