"""`freshkb retry`: try again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.run_report import print_report
from flows.cli.stop import stoppable
from flows.cli.workspace import opened


@command()
def retry(
    console: Console,
    config: Path | None,
    uris: Annotated[
        list[str] | None, typer.Argument(metavar="[URI]...", help="Only these; default: all.")
    ] = None,
) -> None:
    """Try quarantined documents again now."""
    with stoppable() as stop, opened(config) as workspace:
        from flows.cli.progress import progress
        from index.run import Run
        from index.sync.requests import retry as again

        with progress(workspace, quiet=console.quiet or console.verbose) as shown:
            report = again(Run(workspace, "retry", progress=shown, stop=stop), uris)
    console.data(report.json())
    print_report(console, report)
    raise typer.Exit(report.exit_code)
