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
from flows.cli.text import document_line, document_lines, hit_text, run_line, status_lines

if TYPE_CHECKING:
    from index.search import KnowledgeBase
    from index.status import Status


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
    found: Status | None = None
    with opened(config) as mirror:
        from flows import orchestration
        from index.errors import FreshkbError
        from index.health import Problem, problems
        from index.status import status as state_of

        server = orchestration.standing()
        wrong = problems(mirror) if check else []
        if check and server is not None and server != orchestration.ANSWERS:
            wrong.append(Problem("prefect", server))
        try:
            found = state_of(mirror)
        except FreshkbError:
            # It is among what is wrong.
            if not wrong:
                raise
    data: dict[str, Any] = {} if found is None else found.json() | {"prefect": server}
    console.data(data | ({"problems": [problem.json() for problem in wrong]} if check else {}))
    for problem in wrong:
        warn(str(problem))
    for line in status_lines(found, server) if found is not None else ():
        console.say(line)
    raise typer.Exit(1 if wrong else 0)


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
        from index.describe import summaries
        from index.model import State

        rows = list(summaries(kb.reader, source=source, state=State(state.value) if state else None))
    if as_json:
        return console.data([row.json() for row in rows])
    for row in rows:
        console.say(document_line(row))
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
        from index.describe import describe
        from index.lookup import shown

        found = describe(kb.reader, shown(kb.mirror.ledger, uri, source))
    if as_json:
        return console.data(found.json())
    for line in document_lines(found):
        console.say(line)


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
        hits = kb.search(query, k=k, mode=mode.value, fresh_only=fresh_only, source=source, owner=owner)
    if as_json:
        return console.data([hit.json() for hit in hits])
    for number, hit in enumerate(hits, 1):
        console.say(hit_text(number, hit))
    if not hits:
        console.say("Nothing found.")


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
        from index.run_summary import RunSummary

        found = [RunSummary.of(run, mirror.now()) for run in mirror.ledger.runs(limit)]
    if as_json:
        return console.data([run.json() for run in found])
    for run in found:
        console.say(run_line(run))
