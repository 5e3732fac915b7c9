"""Audits on record: their counts by owner and code, and the findings that are open or were resolved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from index.freshness.finding import VERDICT_CODES
from index.ledger import schema
from index.ledger.audit_tables import audit_counts, audits, findings
from index.ledger.database import Tables
from index.ledger.prepared import Prepared


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding as the ledger records it: no sentence, no path."""

    finding_hash: str
    code: str
    source: str
    document_id: str | None
    first_seen_at: datetime
    resolved_at: datetime | None = None
    """None while it is open."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """The counts of an audit of the whole knowledge base."""

    run_id: str
    at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    """Documents by verdict, findings by code."""


_FINDING = schema.columns(findings, KnownFinding)
_AUDIT = schema.columns(audits, AuditRecord)


class Audits(Tables):
    def open(self) -> dict[str, KnownFinding]:
        """The open findings of the last audit, by hash."""
        query = sa.select(*_FINDING).where(findings.c.resolved_at.is_(None))
        with self._database.reading() as connection:
            return {row[0]: KnownFinding(*row) for row in connection.execute(query)}

    def codes(self, document_ids: Collection[str]) -> dict[str, list[str]]:
        """The codes of the open findings of these documents, besides their verdicts, in order."""
        found: dict[str, list[str]] = {}
        for document_id, code in self._codes.rows(documents=self._database.listed(document_ids)):
            found.setdefault(document_id, []).append(code)
        return found

    @cached_property
    def _codes(self) -> Prepared:
        query = sa.select(findings.c.document_id, findings.c.code).distinct()
        query = query.where(
            self._database.among_named(findings.c.document_id, "documents"),
            findings.c.resolved_at.is_(None),
            *(findings.c.code != code for code in VERDICT_CODES),
        )
        return Prepared(self._database, query.order_by(findings.c.code))

    def resolved(self, since: datetime) -> list[KnownFinding]:
        """Findings that were resolved at `since` or later, the last ones first."""
        query = sa.select(*_FINDING).where(findings.c.resolved_at >= since)
        query = query.order_by(findings.c.resolved_at.desc(), findings.c.finding_hash)
        with self._database.reading() as connection:
            return [KnownFinding(*row) for row in connection.execute(query)]

    def past(self, before: datetime, limit: int = 60) -> list[AuditRecord]:
        """The last audits before a moment, oldest first."""
        query = sa.select(*_AUDIT).where(audits.c.at < before)
        query = query.order_by(audits.c.at.desc(), audits.c.run_id).limit(limit)
        with self._database.reading() as connection:
            return [AuditRecord(*row) for row in connection.execute(query)][::-1]

    def by_owner(self, run_ids: Collection[str]) -> dict[str, dict[str, dict[str, int]]]:
        """{run id: {hash of the owner: {code: count}}} of these audits."""
        columns = (audit_counts.c.run_id, audit_counts.c.owner_hash, audit_counts.c.code)
        query = sa.select(*columns, audit_counts.c["count"])
        query = query.where(self._database.among(audit_counts.c.run_id, run_ids))
        found: dict[str, dict[str, dict[str, int]]] = {}
        with self._database.reading() as connection:
            for run_id, owner, code, count in connection.execute(query):
                found.setdefault(run_id, {}).setdefault(owner, {})[code] = count
        return found

    def record(
        self,
        audit: AuditRecord,
        by_owner: Mapping[str, Mapping[str, int]],
        present: Iterable[KnownFinding],
    ) -> None:
        """Put an audit on record, in one transaction: its counts, those of each owner by hash, and its
        findings; open ones that are not among them are resolved at its time. A finding that comes back is
        open again, and new."""
        rows = {known.finding_hash: schema.values(known) for known in present}
        with self._database.writing() as connection:
            connection.execute(sa.delete(audits).where(audits.c.run_id == audit.run_id))
            connection.execute(sa.insert(audits), schema.values(audit))
            counted = [
                {"run_id": audit.run_id, "owner_hash": owner, "code": code, "count": count}
                for owner, counts in by_owner.items()
                for code, count in counts.items()
            ]
            connection.execute(sa.delete(audit_counts).where(audit_counts.c.run_id == audit.run_id))
            if counted:
                connection.execute(sa.insert(audit_counts), counted)
            known = sa.select(findings.c.finding_hash).where(findings.c.resolved_at.is_(None))
            before = set(connection.execute(known).scalars())
            gone = self._database.among(findings.c.finding_hash, before - rows.keys())
            connection.execute(sa.update(findings).where(gone).values(resolved_at=audit.at))
            fresh = [row for finding_hash, row in rows.items() if finding_hash not in before]
            if fresh:
                again = self._database.among(findings.c.finding_hash, [row["finding_hash"] for row in fresh])
                connection.execute(sa.delete(findings).where(again))
                connection.execute(sa.insert(findings), fresh)
