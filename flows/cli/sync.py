"""`freshkb sync`: bring the index to what the sources hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import ByOption, SourceOption, command
from flows.cli.run_report import print_report
from flows.cli.stop import stoppable
from flows.cli.workspace import opened


@command()
def sync(
    console: Console,
    config: Path | None,
    source: SourceOption = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="HASH", help="Carry out exactly the removals of this plan."),
    ] = None,
    by: ByOption = "",
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Hash every document; trust no change token.")
    ] = False,
    flow: Annotated[bool, typer.Option("--flow", help="Run as a Prefect flow.")] = False,
) -> None:
    """Bring the index to what the sources hold now."""
    if by and approve is None:
        raise typer.BadParameter(
            "it names who approves a plan: give --approve HASH, too.", param_hint="'--by'"
        )
    if flow or os.environ.get("PREFECT_API_URL"):
        from flows.sync import run_as_flow

        with stoppable() as stop, opened(config, source) as workspace:
            report = run_as_flow(
                workspace, source=source, approve=approve, by=by, checksum=checksum, stop=stop
            )
    else:
        with stoppable() as stop, opened(config, source) as workspace:
            from flows.cli.progress import progress
            from index.run import Run
            from index.sync.sync import sync as engine
            from index.upkeep import upkeep

            with progress(workspace, quiet=console.quiet or console.verbose) as shown:
                run = Run(workspace, "sync", progress=shown, stop=stop)
                chosen = [source] if source else None
                report = engine(run, chosen, approve=approve, by=by, checksum=checksum)
                upkeep(run, report)
    console.data(report.json())
    print_report(console, report)
    raise typer.Exit(report.exit_code)
