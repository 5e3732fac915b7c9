"""Commands that read the index: status, ls, show, search, runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import (
    ConfigOption,
    Console,
    JsonOption,
    QuietOption,
    SourceOption,
    VerboseOption,
    opened,
    plural,
)
from index.printable import printable_line

if TYPE_CHECKING:
    from index.search import KnowledgeBase


class StateName(StrEnum):
    indexed = "indexed"
    pending = "pending"
    quarantined = "quarantined"
    skipped = "skipped"
    held = "held"
    deleted = "deleted"
    erased = "erased"


class ModeName(StrEnum):
    hybrid = "hybrid"
    dense = "dense"
    sparse = "sparse"


@contextmanager
def _knowledge_base(config: Path | None, source: str | None = None) -> Iterator[KnowledgeBase]:
    with opened(config, source) as mirror:
        from index.search import KnowledgeBase

        yield KnowledgeBase(mirror)


def status(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Documents by source and state, the last run, and what the index is made of."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with _knowledge_base(config) as kb:
        found = kb.status()
    if as_json:
        return console.data(found)
    for source in found["sources"]:
        counts = ", ".join(f"{n:,} {state}" for state, n in source["documents"].items() if n) or "nothing yet"
        synced = f"synced {source['synced_at']}" if source["synced_at"] else "never synced"
        console.say(
            f"{source['source']}: {counts}; {synced}" + ("" if source["configured"] else "; not configured")
        )
    index, last = found["index"], found["last_run"]
    precision = index["dtype"] or "not built yet"
    points = plural(index["points"], "point")
    console.say(f"Index: {points} in {index['store']}, {index['model']} ({precision})")
    if last:
        error = f": {last['error']}" if last["error"] else ""
        console.say(f"Last run: {last['kind']}, {last['outcome']}, {last['started_at']}{error}")


def ls(
    source: SourceOption = None,
    state: Annotated[StateName | None, typer.Option("--state", help="Only documents in this state.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """List documents; deleted ones only when their state is asked for."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with _knowledge_base(config, source) as kb:
        from index.model import State

        rows = kb.list(source=source, state=State(state.value) if state else None)
    if as_json:
        return console.data(rows)
    for row in rows:
        verdict = row["verdict"] or "-"
        reason = f"  {row['reason']}" if row["reason"] else ""
        name = printable_line(f"{row['source']}:{row['uri']}")
        console.say(f"{row['state']:<11} {verdict:<7} {row['chunks']:>5}  {name}  {row['owner']}{reason}")
    console.say(plural(len(rows), "document"))


def show(
    uri: Annotated[str, typer.Argument(metavar="URI", help="As `ls` prints it, without the source.")],
    source: SourceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show one document: state and why, dates and where they come from, owner, chunks with their text."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with _knowledge_base(config, source) as kb:
        from index.lookup import shown

        found = kb.describe(shown(kb.mirror.ledger, uri, source))
    if as_json:
        return console.data(found)
    chunks = found.pop("chunks")
    width = max(map(len, found))
    for name, value in found.items():
        if value not in (None, ""):
            console.say(f"{name:<{width}}  {printable_line(str(value))}")
    for chunk in chunks:
        place = " > ".join(chunk["heading_path"] or [])
        page = f", page {chunk['page']}" if chunk["page"] else ""
        console.say(f"\n[{chunk['chunk_index']}] {place}{page} ({chunk['tokens']} tokens)")
        console.say((chunk["text"] or "").strip())


def search(
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
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the chunks that answer a query best, with citation and verdict."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with _knowledge_base(config, source) as kb:
        from flows.cli.progress import waiting

        kb.mirror.waiting = waiting(quiet=quiet)
        hits = [
            hit.json()
            for hit in kb.search(
                query, k=k, mode=mode.value, fresh_only=fresh_only, source=source, owner=owner
            )
        ]
    if as_json:
        return console.data(hits)
    for number, hit in enumerate(hits, 1):
        console.say(_cited(number, hit))
    if not hits:
        console.say("Nothing found.")


def _cited(number: int, hit: dict[str, Any]) -> str:
    headings = [h for h in hit["heading_path"] if h != hit["title"]]
    uri = printable_line(hit["uri"])
    heading = " > ".join([hit["title"] or uri, *headings])
    page = f", page {hit['page']}" if hit["page"] else ""
    age = f", {hit['age_days']} days old" if hit["age_days"] is not None else ""
    owner = f", owner {hit['owner']}" if hit["owner"] else ""
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


def runs(
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """List past runs, newest first."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with opened(config) as mirror:
        from index.search import run_json

        found = [run_json(run) for run in mirror.ledger.runs(limit)]
    if as_json:
        return console.data(found)
    for run in found:
        took = f"{run['counts']['seconds']:.1f} s" if "seconds" in run["counts"] else ""
        error = f"  {run['error']}" if run["error"] else ""
        when = f"{run['started_at'][:19]}Z"
        console.say(f"{when}  {run['kind']:<8} {run['outcome']:<11} {took:>8}  {run['run_id']}{error}")
