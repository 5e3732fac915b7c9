"""`freshkb runs`: past runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.workspace import opened
from index.printable import printable_line


@command()
def runs(
    console: Console,
    config: Path | None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")] = 20,
) -> None:
    """List past runs, newest first."""
    with opened(config) as mirror:
        from index.run import run_json

        found = [run_json(run, mirror.now()) for run in mirror.ledger.runs(limit)]
    if console.as_json:
        return console.data(found)
    for run in found:
        took = f"{run['counts']['seconds']:.1f} s" if "seconds" in run["counts"] else ""
        error = printable_line(f"  {run['error']}") if run["error"] else ""
        when = f"{run['started_at'][:19]}Z"
        said = f"{run['kind']:<8} {run['outcome']:<11} {took:>8}  {run['run_id']}  {run['actor']}"
        console.say(f"{when}  {said}{error}")
