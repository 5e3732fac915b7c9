"""`freshkb notify`: tell owners what the audit finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import command
from flows.cli.stop import stoppable
from flows.cli.workspace import opened, outside_sources
from index.printable import printable_line


@command()
def notify(
    console: Console,
    config: Path | None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: write the mails as files.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where a dry run writes; default: reports/digests in state_dir."
        ),
    ] = None,
) -> None:
    """Send each owner one digest of what needs them; nothing twice in a period."""
    from index.errors import ConfigError

    if out is not None and not dry_run:
        raise ConfigError("--out is where a dry run writes the mails. Give --dry-run, too.")
    with stoppable() as stop, opened(config) as workspace:
        from index.notify.tell import KIND, tell
        from index.run import Run

        folder = workspace.config.digests if out is None else outside_sources(workspace, out, "--out")
        run = Run(workspace, KIND, stop=stop, required=not dry_run)
        report = tell(run, dry_run=dry_run, out=folder)
    console.data(report.json())
    for told in report.digests:
        states = ", ".join(f"{channel} {state}" for channel, state in told.states.items())
        owner = printable_line(told.owner) or "a person who has nothing open now"
        console.say(f"{owner}: {plural(told.findings, 'finding')}: {states}")
        for trouble in told.trouble:
            warn(f"{owner}: {printable_line(trouble)}")
    if not report.digests:
        console.say("Nobody has anything new.")
    for owner, count in sorted(report.nobody.items()):
        warn(f"{printable_line(owner) or 'No owner'}: {plural(count, 'finding')}, and nobody to tell.")
    for path in report.files:
        console.say(f"Wrote {path}")
    if report.interrupted:
        warn("Interrupted: the other digests are sent by the next run.")
    raise typer.Exit(1 if report.outcome == "failed" else 130 if report.interrupted else 0)
