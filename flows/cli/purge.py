"""`freshkb purge`: take the bytes of what was removed off the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import command
from flows.cli.stop import stoppable
from flows.cli.workspace import opened


@command()
def purge(
    console: Console,
    config: Path | None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what waits; change nothing.")] = False,
) -> None:
    """Take the bytes of what was removed off the disk now."""
    with stoppable() as stop, opened(config) as workspace:
        from index.erase.carry_out import finish_open
        from index.outcome import RunReport
        from index.purge.purge import NOT_COVERED, preview
        from index.purge.purge import purge as engine
        from index.run import Run

        run = Run(workspace, "purge", stop=stop)
        orders = RunReport(run.run_id)
        if not dry_run:
            finish_open(run, orders)
        report = preview(workspace) if dry_run else engine(run)
    console.data(report.json() | {"not_covered": list(NOT_COVERED)})
    hours = "" if report.oldest is None else f", the oldest for {report.oldest.total_seconds() / 3600:,.1f} h"
    if dry_run:
        console.say(f"{plural(report.removals, 'removed point')} to purge{hours}. Nothing was done.")
        return
    console.say(f"{plural(report.purged, 'removed point')} purged, {report.pending:,} pending{hours}.")
    for place in report.places:
        console.say(f"  {place.place}: {place.claim}. {place.evidence}")
    console.say("Not covered:")
    for sentence in NOT_COVERED:
        console.say(f"  {sentence}")
    for error in (*report.errors, *filter(None, [orders.error])):
        warn(error)
    if report.interrupted:
        warn("Interrupted: what was not purged waits for the next purge.")
    raise typer.Exit(report.exit_code or (1 if orders.error else 0))
