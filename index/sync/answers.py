"""Answers of owners about named documents: later, another owner, remove it.

A review is an answer, too: see `index.sync.requests`. Only another owner changes payloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from index.errors import ConfigError
from index.ledger import LogAction, LogEntry
from index.lookup import Lookup
from index.model import KEPT, Action, Cause
from index.outcome import RunReport, SourceReport
from index.records import Answer, AnswerKind, Document
from index.run import Run
from index.sync.requests import carry_out, configured
from index.sync.sync import recorded

_ACTIONS = {
    AnswerKind.SNOOZE: LogAction.SNOOZED,
    AnswerKind.REASSIGN: LogAction.REASSIGNED,
    AnswerKind.RETIRE: LogAction.RETIREMENT_ASKED,
}
#: Characters of an owner's name, and of a note.
_NAME_MAX, _NOTE_MAX = 200, 2000


def answer(
    run: Run,
    names: Sequence[str],
    kind: AnswerKind,
    by: str,
    note: str = "",
    *,
    until: datetime | None = None,
    to: str = "",
    source: str | None = None,
    owner: str | None = None,
) -> RunReport:
    """Record an answer about the documents of the names and patterns (`index.lookup`), or of one owner, or
    both: a snooze `until` a moment, another owner `to`, or a request for removal.

    Raises ConfigError, and records nothing, for a name or pattern that leads to no document in the index, or
    to documents of several sources without a `source`; for a snooze that does not end in the future; for an
    owner without a name, and for a document that names its owner itself, which counts before any other.
    """
    now, ledger = run.workspace.now(), run.workspace.ledger
    by, to = by.strip(), " ".join(to.split())

    def record(documents: Sequence[Document]) -> None:
        made = [Answer(d.document_id, kind, by, now, note.strip(), until, to) for d in documents]
        entries = [LogEntry.of(d, _ACTIONS[kind], now, run.run_id) for d in documents]
        ledger.answers.add(made, entries)

    report = RunReport(run.run_id)
    with recorded(run, report):
        if not by:
            raise ConfigError("An answer needs the name of who gave it: --by WHO")
        if len(note) > _NOTE_MAX or len(to) > _NAME_MAX:
            limits = f"a note has at most {_NOTE_MAX:,} characters, an owner's name {_NAME_MAX}"
            raise ConfigError(f"This answer is too long: {limits}. Nothing was recorded.")
        if not names and owner is None:
            raise ConfigError("An answer needs documents: name them, or their owner with --owner.")
        if kind is AnswerKind.SNOOZE and (until is None or until <= now):
            raise ConfigError("A snooze ends on a date in the future, such as --snooze 2030-01-31.")
        if kind is AnswerKind.REASSIGN and not to:
            raise ConfigError("Another owner needs a name, such as --reassign user:anna.")
        look = Lookup(ledger, source, KEPT, nothing="Nothing was recorded." if len(names) > 1 else "")
        found = configured(run, look.matching(names, owner))
        if kind is AnswerKind.REASSIGN:
            _require_assignable(found)
            carry_out(run, report, found, Action.TOUCH, Cause.RULES, record)
        else:
            record(found)
            for own in sorted({document.source for document in found}):
                done = SourceReport(own)
                done.counts.documents["touched"] += sum(document.source == own for document in found)
                report.sources.append(done)
    return report


def withdraw(run: Run, document: Document, kind: AnswerKind) -> RunReport:
    """Take the standing answer of this kind back. An owner that was assigned is the owner no more."""
    now, ledger = run.workspace.now(), run.workspace.ledger
    entry = LogEntry.of(document, LogAction.ANSWER_WITHDRAWN, now, run.run_id)

    def record(documents: Sequence[Document]) -> None:
        ledger.answers.withdraw([document.document_id], kind, now, [entry])

    report = RunReport(run.run_id)
    with recorded(run, report):
        if kind is AnswerKind.REASSIGN:
            carry_out(run, report, [document], Action.TOUCH, Cause.RULES, record)
        else:
            record([document])
    return report


def _require_assignable(documents: Sequence[Document]) -> None:
    named = [document for document in documents if document.owner_source == "front matter"]
    if named:
        raise ConfigError(
            f"{named[0].uri} names its owner itself ({named[0].owner}), and that counts: change it there, "
            f"with a line such as “owner: NAME” in its front matter. Nothing was recorded."
        )
