"""`freshkb search`: find chunks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import SourceOption, command
from flows.cli.text import hit_text
from flows.cli.workspace import knowledge_base


class ModeName(StrEnum):
    hybrid = "hybrid"
    dense = "dense"
    sparse = "sparse"


@command()
def search(
    console: Console,
    config: Path | None,
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many chunks.")] = 10,
    mode: Annotated[ModeName, typer.Option("--mode", help="How to look.")] = ModeName.hybrid,
    fresh_only: Annotated[
        bool, typer.Option("--fresh-only", help="Only fresh and exempt documents.")
    ] = False,
    prefer_fresh: Annotated[
        bool, typer.Option("--prefer-fresh", help="Documents whose review has long been due come later.")
    ] = False,
    source: SourceOption = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents.")
    ] = None,
    held: Annotated[
        bool, typer.Option("--held", help="Also documents that are gone at their source, and stay by a hold.")
    ] = False,
) -> None:
    """Find the chunks that answer a query best, with citation and verdict."""
    with knowledge_base(config, source) as kb:
        from flows.cli.progress import waiting

        kb.workspace.waiting = waiting(quiet=console.quiet)
        hits = kb.search(
            query,
            k=k,
            mode=mode.value,
            fresh_only=fresh_only,
            source=source,
            owner=owner,
            held=held,
            prefer_fresh=prefer_fresh,
        )
    if console.as_json:
        return console.data([hit.json() for hit in hits])
    for number, hit in enumerate(hits, 1):
        console.say(hit_text(number, hit))
    if not hits:
        console.say("Nothing found.")
