"""`freshkb review`: attest reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural
from flows.cli.options import ByOption, SourceOption, command
from flows.cli.workspace import opened
from index.printable import printable_line


@command(as_json=False)
def review(
    console: Console,
    config: Path | None,
    uris: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[URI]...", help="As `ls` and `search` print them; or patterns as in .gitignore."
        ),
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="T", help="What was found.")] = "",
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents; all of them.")
    ] = None,
    source: SourceOption = None,
    by: ByOption = "",
) -> None:
    """Attest that documents were reviewed now."""
    with opened(config, source) as workspace:
        from index.actor import login
        from index.run import Run
        from index.sync.requests import review as attest

        by = by or login()
        report = attest(Run(workspace, "review"), uris or [], by, note, source=source, owner=owner)
    reviewed = plural(sum(s.counts.documents.total() for s in report.sources), "document")
    console.say(f"{reviewed} reviewed by {printable_line(by)}.")
