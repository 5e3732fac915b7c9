"""`freshkb search`: find chunks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.console import Console
from flows.cli.options import SourceOption, command
from flows.cli.workspace import knowledge_base
from index.printable import printable_line


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
    source: SourceOption = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents.")
    ] = None,
) -> None:
    """Find the chunks that answer a query best, with citation and verdict."""
    with knowledge_base(config, source) as kb:
        from flows.cli.progress import waiting

        kb.mirror.waiting = waiting(quiet=console.quiet)
        hits = [
            hit.json()
            for hit in kb.search(
                query, k=k, mode=mode.value, fresh_only=fresh_only, source=source, owner=owner
            )
        ]
    if console.as_json:
        return console.data(hits)
    for number, hit in enumerate(hits, 1):
        console.say(_cited(number, hit))
    if not hits:
        console.say("Nothing found.")


def _cited(number: int, hit: dict[str, Any]) -> str:
    headings = [h for h in hit["heading_path"] if h != hit["title"]]
    uri = printable_line(hit["uri"])
    heading = printable_line(" > ".join([hit["title"] or hit["uri"], *headings]))
    page = f", page {hit['page']}" if hit["page"] else ""
    age = f", {hit['age_days']} days old" if hit["age_days"] is not None else ""
    owner = printable_line(f", owner {hit['owner']}") if hit["owner"] else ""
    # A file's link says no more than its path.
    link = "" if hit["url"].startswith("file:") else f"   {printable_line(hit['url'])}\n"
    places = ", ".join(printable_line(f"{other['source']}:{other['uri']}") for other in hit["duplicates"])
    copies = f"   also in {places}\n" if places else ""
    text = " ".join(hit["text"].split())
    shown = text if len(text) <= 300 else text[:300].rsplit(" ", 1)[0] + " …"
    return (
        f"{number}. {heading}\n   {hit['source']}:{uri}{page}{owner} "
        f"[{hit['verdict']}{age}, relevance {hit['relevance']:.2f}]\n{link}{copies}   {shown}\n"
    )
