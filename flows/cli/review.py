"""`freshkb review`: attest reviews, and answer otherwise."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural
from flows.cli.options import ByOption, SourceOption, command, moment
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
    snooze: Annotated[
        datetime | None,
        typer.Option(
            "--snooze",
            parser=moment,
            metavar="DATE",
            help="Will be changed by then (UTC): do not ask before.",
        ),
    ] = None,
    reassign: Annotated[
        str | None, typer.Option("--reassign", metavar="OWNER", help="Another owner is asked from now on.")
    ] = None,
    retire: Annotated[
        bool, typer.Option("--retire", help="Ask for their removal from their source.")
    ] = False,
    by: ByOption = "",
) -> None:
    """Attest that documents were reviewed now; or answer otherwise, with --snooze, --reassign or --retire."""
    chosen = [
        name for name, on in (("--snooze", snooze), ("--reassign", reassign), ("--retire", retire)) if on
    ]
    if len(chosen) > 1:
        raise typer.BadParameter(f"Choose one of {' and '.join(chosen)}.")
    with opened(config, source) as workspace:
        from index.actor import login
        from index.records import AnswerKind
        from index.run import Run
        from index.sync.answers import answer
        from index.sync.requests import review as attest

        by, run, names = by or login(), Run(workspace, "review"), uris or []
        if snooze is not None:
            done = f"snoozed until {snooze:%Y-%m-%d}"
            report = answer(run, names, AnswerKind.SNOOZE, by, note, until=snooze, source=source, owner=owner)
        elif reassign is not None:
            done = f"assigned to {printable_line(reassign)}"
            report = answer(
                run, names, AnswerKind.REASSIGN, by, note, to=reassign, source=source, owner=owner
            )
        elif retire:
            done = "to be removed at the source, as asked"
            report = answer(run, names, AnswerKind.RETIRE, by, note, source=source, owner=owner)
        else:
            done = "reviewed"
            report = attest(run, names, by, note, source=source, owner=owner)
    documents = plural(sum(s.counts.documents.total() for s in report.sources), "document")
    console.say(f"{documents} {done} by {printable_line(by)}.")
