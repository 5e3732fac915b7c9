"""An audit beside the earlier ones: what is new, what is still open, what was resolved, and the trend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from index.audit.result import Audit, PastAudit, Resolved
from index.freshness.finding import VERDICT_CODES
from index.freshness.owners import fold
from index.ledger.audits import AuditRecord, KnownFinding

if TYPE_CHECKING:
    from index.ledger import Ledger


def compared(ledger: Ledger, audit: Audit, since: datetime | None = None) -> Audit:
    """The audit with the status of its findings, what was resolved, and the audits before it.

    Compared with the last audit on record; with `since`, what came up since then is new, and what was
    resolved since then is told. An audit of one owner's documents tells of these alone.
    """
    known, now = ledger.audits.open(), audit.generated_at
    past = ledger.audits.past(now)
    findings = []
    for finding in audit.findings:
        before = known.get(finding.identity)
        first = now if before is None else before.first_seen_at
        new = before is None or (since is not None and first >= since)
        findings.append(replace(finding, first_seen_at=first, status="new" if new else "open"))
    return replace(
        audit,
        findings=tuple(findings),
        resolved=tuple(_resolved(ledger, audit, known, since)),
        past=tuple(_past(ledger, audit, past)),
        since=since,
    )


def _resolved(
    ledger: Ledger, audit: Audit, known: Mapping[str, KnownFinding], since: datetime | None
) -> list[Resolved]:
    present = {finding.identity for finding in audit.findings}
    uris = {result.document_id: result.uri for result in audit.results}
    # What an audit of one owner does not look at is not resolved.
    gone = [] if audit.owner is not None else list(known.values())
    before = [] if since is None else ledger.audits.resolved(since)
    if audit.owner is not None:
        before = [one for one in before if one.document_id in uris]
    return [
        Resolved(
            one.code,
            one.source,
            uris.get(one.document_id or ""),
            one.document_id,
            one.first_seen_at,
            one.resolved_at or audit.generated_at,
        )
        for one in [*gone, *before]
        if one.finding_hash not in present and one.code in audit.codes
    ]


def _past(ledger: Ledger, audit: Audit, past: list[AuditRecord]) -> list[PastAudit]:
    if not past:
        return []
    keys = ledger.tombstones.keys()
    names = {keys.person(fold(owner.owner)): fold(owner.owner) for owner in audit.owners}
    by_owner = ledger.audits.by_owner([record.run_id for record in past])
    return [
        PastAudit(
            record.at,
            record.counts,
            {
                names[owner]: counts
                for owner, counts in by_owner.get(record.run_id, {}).items()
                if owner in names
            },
        )
        for record in past
    ]


def record(ledger: Ledger, audit: Audit, run_id: str) -> None:
    """Put an audit of the whole knowledge base on record; nothing of an audit of one owner."""
    if audit.owner is not None:
        return
    keys = ledger.tombstones.keys()
    by_owner = {
        keys.person(fold(owner.owner)): {name: n for name, n in owner.by_verdict.items() if n}
        for owner in audit.owners
    }
    counts = Counter(audit.by_verdict)
    for finding in audit.findings:
        if finding.code in VERDICT_CODES:
            continue  # A verdict is counted already.
        counts[finding.code] += 1
        of_owner = by_owner.setdefault(keys.person(fold(finding.owner)), {})
        of_owner[finding.code] = of_owner.get(finding.code, 0) + 1
    present = [
        KnownFinding(
            finding.identity,
            finding.code,
            finding.source,
            finding.document_id,
            finding.first_seen_at or audit.generated_at,
        )
        for finding in audit.findings
    ]
    ledger.audits.record(AuditRecord(run_id, audit.generated_at, dict(counts)), by_owner, present)
