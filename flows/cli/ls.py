"""`freshkb ls`: list documents."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural
from flows.cli.options import SourceOption, command
from flows.cli.text import document_line
from flows.cli.workspace import knowledge_base


class StateName(StrEnum):
    indexed = "indexed"
    pending = "pending"
    quarantined = "quarantined"
    skipped = "skipped"
    held = "held"
    expired = "expired"
    deleted = "deleted"
    erased = "erased"


@command()
def ls(
    console: Console,
    config: Path | None,
    source: SourceOption = None,
    state: Annotated[StateName | None, typer.Option("--state", help="Only documents in this state.")] = None,
) -> None:
    """List documents; deleted ones only when their state is asked for."""
    with knowledge_base(config, source) as kb:
        from index.model import State
        from index.search.describe import summaries

        rows = list(summaries(kb.reader, source=source, state=State(state.value) if state else None))
    if console.as_json:
        return console.data([row.json() for row in rows])
    for row in rows:
        console.say(document_line(row))
    console.say(plural(len(rows), "document"))
