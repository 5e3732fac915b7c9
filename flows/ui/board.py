"""The documents of the owners' page, and the answers that it records.

The audit behind the pages is kept while the ledger's log stands still, for some minutes: each answer is an
entry of the log. Checks that read every text are left to `freshkb audit`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from flows.ui.access import Visitor
from index.audit.audit import audit_of
from index.audit.result import Audit, Result
from index.errors import ConfigError
from index.freshness.assess import Verdict
from index.freshness.finding import Finding
from index.freshness.owners import fold, folded
from index.records import Answer, AnswerKind, Document
from index.run import Run
from index.sync.answers import answer, withdraw
from index.sync.requests import review
from index.workspace import Workspace

#: For so long an audit is shown although time goes on.
_KEPT = timedelta(minutes=5)


class Row(NamedTuple):
    """A document of the page."""

    result: Result
    findings: Sequence[Finding]
    """Besides its verdict."""
    retirement: Answer | None = None
    """Its removal was asked for."""

    @property
    def asks(self) -> bool:
        """Whether its owner is asked to act now."""
        verdict = self.result.verdict in (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN)
        serious = verdict or any(finding.severity != "note" for finding in self.findings)
        return serious and self.result.snooze is None and self.retirement is None


@dataclass(frozen=True, slots=True)
class Said:
    """A filled form."""

    kind: str
    """review, snooze, reassign, retire, or withdraw-KIND."""
    note: str = ""
    until: str = ""
    """A date, as ISO has it."""
    owner: str = ""


class Board:
    """Threads may share it. Answers are carried out one after the other."""

    def __init__(self, workspace: Workspace, owners_of: Callable[[str], set[str]]) -> None:
        """`owners_of` gives the folded names of the owners that a visitor of this name answers for."""
        self.workspace = workspace
        self._owners_of = owners_of
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._kept: tuple[int, datetime, Audit] | None = None

    def audit(self) -> Audit:
        size, now = self.workspace.ledger.log.head().size, self.workspace.now()
        with self._lock:
            if self._kept is None or self._kept[0] != size or now - self._kept[1] > _KEPT:
                self._kept = (size, now, audit_of(self.workspace, texts=False))
            return self._kept[2]

    def rows(self, visitor: Visitor, owner: str | None = None) -> list[Row]:
        """The documents that a visitor may see, worst first; those of one owner when given."""
        audit = self.audit()
        theirs = set() if visitor.everything else self._owners_of(visitor.name)
        retired = {
            document_id: standing.get(AnswerKind.RETIRE)
            for document_id, standing in self.workspace.ledger.answers.standing(self.workspace.now()).items()
        }
        by_document: dict[str, list[Finding]] = {}
        for finding in audit.findings:
            if finding.document_id and finding.code not in tuple(Verdict):
                by_document.setdefault(finding.document_id, []).append(finding)
        return [
            Row(result, by_document.get(result.document_id, ()), retired.get(result.document_id))
            for result in audit.results
            if _may(visitor, theirs, result) and (owner is None or result.is_of(fold(owner)))
        ]

    def row(self, visitor: Visitor, document_id: str) -> Row | None:
        """One of the documents that a visitor may see; None when it is none of them."""
        return next((row for row in self.rows(visitor) if row.result.document_id == document_id), None)

    def owners(self) -> list[str]:
        """The names of all owners."""
        return [summary.owner for summary in self.audit().owners if summary.owner]

    def respond(self, visitor: Visitor, document: Document, said: Said) -> None:
        """Record an answer. Raises ConfigError for one that makes no sense, Locked while another process
        writes the source."""
        run = Run(self.workspace, "review")
        # A uri may read as the name of another document, or as a pattern.
        name, by = [document.document_id], visitor.name
        with self._writing:
            if said.kind == "review":
                review(run, name, by, said.note, source=document.source)
            elif said.kind.startswith("withdraw-"):
                withdraw(run, document, _kind(said.kind.removeprefix("withdraw-")))
            else:
                kind = _kind(said.kind)
                until = _end_of(said.until) if kind is AnswerKind.SNOOZE else None
                answer(run, name, kind, by, said.note, until=until, to=said.owner, source=document.source)


def _may(visitor: Visitor, owners: set[str], result: Result) -> bool:
    if visitor.grant is not None and visitor.grant.document_id not in ("", result.document_id):
        return False
    return visitor.everything or not owners.isdisjoint(folded(result.owners))


def _kind(text: str) -> AnswerKind:
    try:
        return AnswerKind(text)
    except ValueError as error:
        raise ConfigError(f"There is no answer {text[:40]!r}.") from error


def _end_of(text: str) -> datetime:
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d")
    except ValueError as error:
        raise ConfigError(f"{text.strip()[:40]!r} is no date; write it as 2030-01-31.") from error
    return day.replace(tzinfo=UTC)
