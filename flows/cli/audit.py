"""`freshkb audit`: judge freshness."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, warn
from flows.cli.options import command
from flows.cli.text import audit_lines
from flows.cli.workspace import opened, outside_sources


class FailOn(StrEnum):
    warn = "warn"
    stale = "stale"
    never = "never"


@command()
def audit(
    console: Console,
    config: Path | None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the reports go; default: reports in state_dir."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 1 when there is one.")
    ] = FailOn.stale,
) -> None:
    """Judge every document's freshness, and write reports for their owners."""
    with opened(config) as workspace:
        from index.audit.audit import audit_of
        from index.audit.report import foreign, write
        from index.errors import ConfigError, StoreError
        from index.run import Run

        folder = workspace.config.reports if out is None else outside_sources(workspace, out, "--out")
        if out is not None and (others := foreign(folder)):
            raise ConfigError(
                f"{others[0]} was not written by freshkb and is not replaced; nothing was written. Name "
                "another folder with --out, or move the file."
            )
        if not (workspace.ledger.sources.all() or workspace.ledger.documents.counts()):
            raise StoreError("Nothing was ever synced, so there is nothing to judge. First: freshkb sync")
        with Run(workspace, "audit", required=False) as run:
            found = audit_of(workspace, owner)
            try:
                written = write(found, folder)
            except OSError as error:
                said = f"The reports cannot be written to {folder}: {error.strerror}."
                if out is not None or not console.as_json:
                    raise ConfigError(f"{said} Name another folder with --out.") from error
                # The JSON that was asked for goes to stdout.
                warn(said)
                written = []
            run.ends("failed" if found.fails(fail_on.value) else "done", found.by_verdict)
    if console.as_json:
        console.data(found.json())
    for line in audit_lines(found):
        console.say(line)
    for path in written:
        console.say(f"Wrote {path}")
    raise typer.Exit(1 if found.fails(fail_on.value) else 0)
