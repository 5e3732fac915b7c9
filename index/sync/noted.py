"""Rows that a survey changes beside its plan."""

from __future__ import annotations

from dataclasses import replace

from index.freshness.properties import ENCLOSED_IN, SOURCE
from index.ledger import LogAction, LogEntry
from index.model import State
from index.parse import formats
from index.records import Document
from index.sync.source import source_of
from index.sync.survey import Survey
from index.workspace import Workspace


def noted(
    workspace: Workspace, source: str, seen: Survey, run_id: str
) -> tuple[list[Document], list[LogEntry]]:
    """Rows that change without any point: trusted tokens, other links, and types that cannot be parsed. Of
    the latter only their existence is recorded, as their changes are not followed. Returned with their log
    entries; a token that is trusted again has none."""
    now = workspace.now()
    rows = {document.document_id: document for document in seen.settled}
    news: dict[str, LogAction] = {}
    for document in seen.relinked:
        news[document.document_id] = LogAction.TOUCHED
        rows[document.document_id] = replace(rows.get(document.document_id, document), url=document.url)
    if seen.unsupported:
        from index.sync.govern import linked

        here = source_of(workspace, source)
        for entry in seen.unsupported:
            why = formats.why_unsupported(formats.of(entry))
            row = Document(
                workspace.new_id(), source, entry.uri, State.SKIPPED, reason=why, first_seen_at=now
            )
            if mail := (entry.properties or {}).get(ENCLOSED_IN):
                row = replace(row, properties={SOURCE: {ENCLOSED_IN: mail}})
            rows[row.document_id] = linked(row, here.rules, here.connector)
            news[row.document_id] = LogAction.SKIPPED
    if seen.forgotten:
        gone = workspace.ledger.documents.find(document_ids=[row.document_id for row in seen.forgotten])
        for document in gone:
            rows[document.document_id] = replace(document, state=State.DELETED, deleted_at=now)
            news[document.document_id] = LogAction.DELETED
    return list(rows.values()), [LogEntry.of(rows[d], action, now, run_id) for d, action in news.items()]
