"""`freshkb show`: one document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import SourceOption, command
from flows.cli.text import document_lines
from flows.cli.workspace import knowledge_base


@command()
def show(
    console: Console,
    config: Path | None,
    uri: Annotated[str, typer.Argument(metavar="URI", help="As `ls` and `search` print it.")],
    source: SourceOption = None,
) -> None:
    """Show one document: state and why, dates and where they come from, owner, chunks with their text."""
    with knowledge_base(config, source) as kb:
        from index.lookup import shown
        from index.search.describe import describe

        found = describe(kb.reader, shown(kb.workspace.ledger, uri, source))
    if console.as_json:
        return console.data(found.json())
    for line in document_lines(found):
        console.say(line)
