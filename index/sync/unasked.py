"""The plan of a source that is not asked: what has expired, by the ledger's rows alone."""

from __future__ import annotations

from dataclasses import replace

from index.model import KEPT
from index.retention import RetentionRules
from index.sync.diff import Diff
from index.sync.expiry import Ending, reason
from index.sync.plan import Plan, SourceState, decide
from index.workspace import Workspace


def endings(workspace: Workspace, source: str) -> dict[str, Ending]:
    """{document id: the end of its retention} of this source's documents whose retention has ended now."""
    rules = RetentionRules(workspace.config.retention, source)
    if not rules:
        return {}
    now = workspace.now()
    found = {}
    for row in workspace.ledger.documents.retained(source):
        expiry = rules.expiry(row.uri, row.properties, row.modified_at)
        if expiry is not None and expiry.at <= now:
            found[row.document_id] = Ending(row.document_id, row.uri, row.held, row.state, reason(expiry))
    return found


def unasked(workspace: Workspace, source: str, approved: str | None = None, *, trouble: str = "") -> Plan:
    """The plan that removes what has expired, and nothing else. `trouble`: why the source cannot be asked, as
    a sentence; "" where it need not be."""
    config, states = workspace.config, workspace.ledger.documents.counts().get(source, {})
    plan = decide(
        Diff(known=sum(states.get(state, 0) for state in KEPT)),
        SourceState(source, errors=(trouble,), complete=not trouble, partial=True),
        next((own.delete for own in config.sources if own.id == source), config.defaults.delete),
        endings=endings(workspace, source),
        approved=approved,
    )
    if not trouble:
        return plan
    return replace(plan, error=f"{trouble} Nothing {'else ' if plan.work else ''}was removed.")
