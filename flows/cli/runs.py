"""`freshkb runs`: past runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.text import run_line
from flows.cli.workspace import opened


@command()
def runs(
    console: Console,
    config: Path | None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")] = 20,
) -> None:
    """List past runs, newest first."""
    with opened(config) as workspace:
        from index.health.run_summary import RunSummary

        runs, now = workspace.ledger.runs, workspace.now()
        newest = runs.newest(limit)
        approvers = runs.approvers([run.run_id for run in newest])
        found = [RunSummary.of(run, now, approvers.get(run.run_id, "")) for run in newest]
    if console.as_json:
        return console.data([run.json() for run in found])
    for run in found:
        console.say(run_line(run))
