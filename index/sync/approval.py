"""Approvals: whether the approved removals are still those of the plan."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.base import SourceUnavailable
from index.errors import PlanChanged
from index.sync.survey import survey
from index.workspace import Workspace


def check_approval(workspace: Workspace, sources: Sequence[str], approve: str) -> None:
    """Raises PlanChanged when no source has a plan of this hash now; SourceUnavailable when a source cannot
    be listed, so that this is not known."""
    now: list[str] = []
    unlisted = ""
    for source in sources:
        plan = survey(workspace, source).plan
        if plan.plan_hash == approve:
            return
        if plan.plan_hash:
            now.append(f"{source}: {plan.plan_hash}")
        elif not plan.complete:
            unlisted = f"{source}: {plan.error} Whether plan {approve!r} still holds cannot be told."
    if unlisted:
        raise SourceUnavailable(unlisted)
    used = " It was carried out before." if workspace.ledger.runs.approved(approve) else ""
    current = f"Removals planned now: {', '.join(now)}." if now else "No removal is planned now."
    raise PlanChanged(
        f"No plan has the hash {approve!r}: what would be removed is no longer the same.{used} "
        f"Nothing was done. {current} See them with: freshkb plan"
    )
