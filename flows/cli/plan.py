"""`freshkb plan`: what a sync would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flows.cli.console import Console, warn
from flows.cli.options import SourceOption, command
from flows.cli.workspace import opened
from index.printable import printable_line

if TYPE_CHECKING:
    from index.sync.plan import Plan


SIGILS = {
    "add": "+",
    "update": "~",
    "move": "»",
    "delete": "-",
    "expire": "×",
    "touch": "·",
    "held": "!",
    "refused": "!",
}


@command()
def plan(
    console: Console,
    config: Path | None,
    source: SourceOption = None,
) -> None:
    """Say what a sync would do. Nothing is changed."""
    with opened(config, source) as workspace:
        from index.sync.source import chosen_sources
        from index.sync.sync import plan_of

        # A sync would refuse another model, and another model would make every document look changed.
        workspace.collection()
        plans = [plan_of(workspace, s) for s in chosen_sources(workspace, [source] if source else None)]
        console.data({"sources": [p.json() for p in plans]})
        nameless = [item.document_id for p in plans for item in p.items if not item.uri]
        names = {d.document_id: d.uri for d in workspace.ledger.documents.find(document_ids=nameless)}
        for planned in plans:
            _print_plan(console, planned, names)
    failed = any(p.error for p in plans)
    refused = any(p.counts()["refused"] for p in plans)
    raise typer.Exit(1 if failed else 4 if refused else 0)


def _print_plan(console: Console, plan: Plan, names: dict[str, str]) -> None:
    console.say(f"{plan.source}:")
    for item in plan.items:
        name = item.uri or names.get(item.document_id, item.document_id)
        moved = f"{item.old_uri} → " if item.old_uri else ""
        why = f"  {item.reason}" if item.action.value == "expire" else ""
        console.say(printable_line(f"  {SIGILS[item.action.value]} {moved}{name}{why}"))
    counts = plan.counts()
    summary = ", ".join(
        f"{counts[name]:,} to {name}" for name in ("add", "update", "move", "delete", "touch")
    )
    if counts["expired"]:
        summary += f", {counts['expired']:,} to expire"
    standing = ("unchanged", "held", "refused", *(("withheld",) if plan.withheld else ()))
    rest = ", ".join(f"{counts[name]:,} {name}" for name in standing)
    console.say(f"  Plan: {summary}; {rest}.")
    # An error has the reason of what it refuses in it.
    reasons = {plan.error} if plan.error else {i.reason for i in plan.items if i.action.value == "refused"}
    for reason in sorted(reasons):
        warn(f"{plan.source}: {reason}")
