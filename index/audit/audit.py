"""The freshness audit: a verdict for every live document, and findings for its owners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from index.audit import history
from index.audit.hidden import hidden
from index.audit.passages import passages, texts_of
from index.audit.result import SEVERITY, Audit, Result, owners
from index.audit.use import first_day, hits_of, use_of
from index.audit.verdicts import Verdicts, assessed
from index.config import SourceConfig
from index.config.codeowners import CodeOwners, codeowners_of
from index.freshness.assess import Assessment, Verdict
from index.freshness.checks import default_codes, find
from index.freshness.checks.base import Base, Passage, Passages, SourceState, Subject, base
from index.freshness.checks.links import external
from index.freshness.finding import VERDICT_CODES, Finding, by_severity
from index.freshness.governance import Governance
from index.freshness.owners import distinct, fold, require
from index.model import KEPT, LIVE
from index.people import directory_of
from index.records import Answer, AnswerKind, Document, Extract, Review, SourceRecord
from index.uncollected import uncollected

if TYPE_CHECKING:
    from index.ledger import Ledger
    from index.workspace import Workspace

_NO_TIME = timedelta(0)
_RANK = {verdict: rank for rank, verdict in enumerate(SEVERITY)}


@uncollected()
def audit_of(
    workspace: Workspace, owner: str | None = None, since: datetime | None = None, *, texts: bool = True
) -> Audit:
    """The audit of a knowledge base, compared with the last one on record, or with the last one before
    `since`. Without `texts`, checks that read all texts find nothing. Raises ConfigError for an owner of
    nothing."""
    from index.sync.prepare import moment

    config, ledger, now = workspace.config, workspace.ledger, workspace.now()
    directory = directory_of(config)
    last = ledger.runs.last("verify", ("done", "failed", "partial"))
    seen = base_of(
        ledger.documents.find(),
        {source.id: source for source in config.sources},
        now,
        reviews=ledger.reviews.of(),
        answers=ledger.answers.standing(now),
        checked_out={s.id: moment(workspace.connector(s.id).checked_out_at()) for s in config.sources},
        records=ledger.sources.all(),
        extracts=ledger.extracts.all(),
        hides=hidden(config),
        moved=_moved(ledger),
        # Read once, whatever number of checks asks.
        passages=cache(lambda: passages(workspace)) if texts else Passages,
        texts=(lambda ids: texts_of(workspace, ids)) if texts else (lambda _: ()),
        max_lag=config.audit.max_lag,
        verified=_differences(last.counts) if last is not None else None,
        why_nobody=lambda owner: directory.why_nobody(owner, now.date()),
        codeowners=lambda source: codeowners_of(workspace.connector(source)),
    )
    if texts and "dead-external-link" in config.audit.codes:
        from index.audit.external import gone

        seen = replace(seen, gone=gone(ledger, external(seen), now))
    shown = ledger.usage.since(first_day(now)) if config.audit.count_hits else []
    found = judge(seen, owner, config.audit.codes, config.name, hits_of(shown))
    found = history.compared(ledger, found, since)
    if config.audit.count_hits:
        owned = {r.document_id: (r.owner, r.source) for r in found.results}
        found = replace(found, use=use_of(shown, owned, now, config.audit.fresh_hits))
    return found


def _moved(ledger: Ledger) -> Callable[[str, str], str | None]:
    """The document that was moved away from a place."""
    former = ledger.extracts.former()
    if not former:
        return lambda _source, _uri: None
    keys = ledger.tombstones.keys()
    return lambda source, uri: former.get(keys.uri(source, uri))


def _differences(counts: Mapping[str, object]) -> dict[str, int]:
    kinds = ("missing", "extra", "altered", "outdated")
    return {kind: count for kind in kinds if isinstance(count := counts.get(kind), int)}


def audit(
    documents: Iterable[Document],
    sources: Mapping[str, SourceConfig],
    now: datetime,
    owner: str | None = None,
    *,
    reviews: Mapping[str, Sequence[Review]] | None = None,
    checked_out: Mapping[str, datetime | None] | None = None,
    records: Iterable[SourceRecord] = (),
    name: str = "",
) -> Audit:
    """The audit of these documents by the rules of these sources, compared with no other; see `base_of` and
    `judge`."""
    seen = base_of(documents, sources, now, reviews=reviews, checked_out=checked_out, records=records)
    return judge(seen, owner, name=name)


@uncollected()
def base_of(
    documents: Iterable[Document],
    sources: Mapping[str, SourceConfig],
    now: datetime,
    *,
    reviews: Mapping[str, Sequence[Review]] | None = None,
    answers: Mapping[str, Mapping[AnswerKind, Answer]] | None = None,
    checked_out: Mapping[str, datetime | None] | None = None,
    records: Iterable[SourceRecord] = (),
    extracts: Mapping[str, Extract] | None = None,
    hides: Mapping[str, Callable[[str], bool]] | None = None,
    moved: Callable[[str, str], str | None] | None = None,
    passages: Callable[[], Passages] = Passages,
    texts: Callable[[Collection[str]], Iterable[Passage]] = lambda _: (),
    max_lag: timedelta | None = None,
    verified: Mapping[str, int] | None = None,
    why_nobody: Callable[[str], str] = lambda owner: "",
    codeowners: Callable[[str], CodeOwners] = lambda source: CodeOwners(),
) -> Base:
    """What the checks see of these documents, by the configuration as it is now.

    `reviews` are those of each document, oldest first, `answers` the standing ones, `checked_out` when
    version control last wrote a source, `records` the ledger's records of the sources, `codeowners` reads the
    CODEOWNERS file of a source. Documents of unsupported types are left out.
    """
    verdicts = Verdicts(sources.values(), codeowners)
    subjects: list[Subject] = []
    others: dict[str, list[str]] = {}
    for document in documents:
        if document.state in KEPT:
            subjects.append(
                Subject(
                    document,
                    *_judged(document, verdicts, now),
                    reviews=(reviews or {}).get(document.document_id, ()),
                    extract=(extracts or {}).get(document.document_id),
                    answers=(answers or {}).get(document.document_id, {}),
                    configured=document.source in sources,
                )
            )
        elif document.state in LIVE:
            others.setdefault(document.source, []).append(document.uri)
    by_source = {record.source: record for record in records}
    states = [
        SourceState(
            source,
            _asked(verdicts, source),
            by_source.get(source),
            (checked_out or {}).get(source),
            sources[source].url if source in sources else "",
            (hides or {}).get(source, lambda _: False),
        )
        for source in dict.fromkeys([*sources, *by_source])
    ]
    seen = base(now, subjects, states, passages, max_lag, verified, why_nobody)
    return replace(seen, others=others, texts=texts, moved=moved or seen.moved)


@uncollected()
def judge(
    seen: Base,
    owner: str | None = None,
    codes: Collection[str] | None = None,
    name: str = "",
    hits: Mapping[str, int] = MappingProxyType({}),
) -> Audit:
    """Verdicts and findings of a base; only those of `owner` when given. `codes` are those that are looked
    for, `hits` how often searches showed documents. Raises ConfigError for an owner of nothing."""
    results = [_result(subject, seen.now, hits) for subject in seen.subjects]
    sought = default_codes() if codes is None else frozenset(codes)
    findings = list(find(seen, sought))
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
        generated_at=seen.now,
        results=tuple(results),
        findings=tuple(findings),
        counts=Counter(result.verdict for result in results),
        owners=owners(results, asked),
        name=name,
        codes=sought,
        owner=asked,
    )


def findings_of(subject: Subject, now: datetime) -> list[Finding]:
    """The findings on one document that need no other, its verdict apart."""
    found = find(base(now, [subject]), default_codes() - set(VERDICT_CODES))
    return sorted(found, key=by_severity)


def _asked(verdicts: Verdicts, source: str) -> str:
    """The owner of a source as a whole; "" where there is none."""
    rules = verdicts.rules(source)
    return rules.owner if rules is not None else ""


def _recorded(document: Document) -> Governance:
    """Owners as the ledger has them: the configuration has no rules for the document any more."""
    owners = distinct(document.owners or ([document.owner] if document.owner else []))
    return Governance(owners, document.owner_source, "exempt")


def _judged(document: Document, verdicts: Verdicts, now: datetime) -> tuple[Governance, Assessment]:
    ruled = verdicts.governance(document)
    assessment = assessed(document, ruled, now)
    if not document.version:
        assessment = Assessment(Verdict.UNKNOWN, f"It was never indexed. {document.reason}".rstrip())
    return ruled or _recorded(document), assessment


def _result(subject: Subject, now: datetime, hits: Mapping[str, int]) -> Result:
    assessment, document, review = subject.assessment, subject.document, subject.review
    judged = assessment.verdict in (Verdict.FRESH, Verdict.WARN, Verdict.STALE)
    overdue = max(now - assessment.warn_at, _NO_TIME) if judged and assessment.warn_at else None
    return Result(
        document_id=document.document_id,
        uri=document.uri,
        url=document.url,
        title=document.title,
        source=document.source,
        owners=subject.governance.owners,
        owner_source=subject.governance.owner_source,
        policy=subject.governance.policy if subject.configured else None,
        assessment=assessment,
        overdue=overdue,
        review=review,
        changed_since_review=review.changed(document) if review else None,
        snooze=subject.answers.get(AnswerKind.SNOOZE),
        hits=hits.get(document.document_id, 0),
    )


def _worst_first(result: Result) -> tuple[int, timedelta, str, str]:
    """By verdict, and within one by the damage: how long it is overdue, times how often it is found."""
    overdue = result.overdue or result.assessment.age or _NO_TIME
    return (
        _RANK[result.verdict],
        -overdue * (1 + result.hits),
        result.source,
        result.uri,
    )
