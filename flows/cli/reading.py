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
    warn,
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
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1, and say why, unless all is well: for health checks.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Documents by source and state, what goes on, and whether store and Prefect answer."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    found: dict[str, Any] = {}
    with opened(config) as mirror:
        from flows import orchestration
        from index.errors import FreshkbError
        from index.health import problems
        from index.status import status as state_of

        server = orchestration.standing()
        wrong = problems(mirror) if check else []
        if check and server not in (None, orchestration.ANSWERS):
            wrong.append(f"prefect: {server}")
        try:
            found = state_of(mirror) | {"prefect": server}
        except FreshkbError:
            # It is among what is wrong.
            if not wrong:
                raise
    if check:
        found["problems"] = wrong
    console.data(found)
    for problem in wrong:
        warn(problem)
    if found.keys() - {"problems"}:
        _print_status(console, found)
    raise typer.Exit(1 if wrong else 0)


def _print_status(console: Console, found: dict[str, Any]) -> None:
    for source in found["sources"]:
        counts = ", ".join(f"{n:,} {state}" for state, n in source["documents"].items() if n) or "nothing yet"
        synced = f"synced {source['synced_at']}" if source["synced_at"] else "never synced"
        console.say(
            f"{source['source']}: {counts}; {synced}" + ("" if source["configured"] else "; not configured")
        )
    index, last = found["index"], found["last_run"]
    precision = index["dtype"] or "not built yet"
    points = "unknown points" if index["points"] is None else plural(index["points"], "point")
    console.say(f"Index: {points} in {index['store']}, {index['model']} ({precision})")
    if found["store_error"]:
        console.say(f"Store: {found['store_error']}")
    if found["prefect"]:
        console.say(f"Prefect: {found['prefect']}")
    for service in found["services"]:
        since = service["since"][:19]
        where = f"{service['command']} (pid {service['pid']} on {service['host']}, since {since}Z)"
        console.say(f"{service['service'].capitalize()}: {where}")
    for run in found["running"]:
        console.say(f"Running: {_going_on(run)}")
    for run in found["killed"]:
        console.say(f"Killed: {_going_on(run)}")
    if last:
        error = printable_line(f": {last['error']}") if last["error"] else ""
        console.say(f"Last run: {last['kind']}, {last['outcome']}, {last['started_at']}{error}")


def _going_on(run: dict[str, Any]) -> str:
    """A run that has not finished: of what kind, whose, since when, and how far it is."""
    far = run["progress"]
    done = f", {far['source']}: {far['done']:,} of {far['of']:,} documents" if "of" in far else ""
    where = f"pid {run['pid']} on {run['host']}"
    return f"{run['kind']} by {run['actor'] or 'unknown'} ({where}), since {run['started_at'][:19]}Z{done}"


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
        about = printable_line(f"{row['source']}:{row['uri']}  {row['owner']}{reason}")
        console.say(f"{row['state']:<11} {verdict:<7} {row['chunks']:>5}  {about}")
    console.say(plural(len(rows), "document"))


def show(
    uri: Annotated[str, typer.Argument(metavar="URI", help="As `ls` and `search` print it.")],
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
        from index.run import run_json

        found = [run_json(run, mirror.now()) for run in mirror.ledger.runs.newest(limit)]
    if as_json:
        return console.data(found)
    for run in found:
        took = f"{run['counts']['seconds']:.1f} s" if "seconds" in run["counts"] else ""
        error = printable_line(f"  {run['error']}") if run["error"] else ""
        when = f"{run['started_at'][:19]}Z"
        said = f"{run['kind']:<8} {run['outcome']:<11} {took:>8}  {run['run_id']}  {run['actor']}"
        console.say(f"{when}  {said}{error}")
