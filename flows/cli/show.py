"""`freshkb show`: one document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import SourceOption, command
from flows.cli.workspace import knowledge_base
from index.printable import printable_line


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

        found = kb.describe(shown(kb.mirror.ledger, uri, source))
    if console.as_json:
        return console.data(found)
    chunks, findings = found.pop("chunks"), found.pop("findings")
    width = max(map(len, found))
    for name, value in found.items():
        if value not in (None, "", []):
            said = ", ".join(value) if isinstance(value, list) else str(value)
            console.say(f"{name:<{width}}  {printable_line(said)}")
    for finding in findings:
        line = f"line {finding['line']}: " if finding["line"] else ""
        console.say(printable_line(f"{finding['code']:<{width}}  {line}{finding['evidence']}"))
    for chunk in chunks:
        place = printable_line(" > ".join(chunk["heading_path"] or []))
        page = f", page {chunk['page']}" if chunk["page"] else ""
        console.say(f"\n[{chunk['chunk_index']}] {place}{page} ({chunk['tokens']} tokens)")
        console.say((chunk["text"] or "").strip())
