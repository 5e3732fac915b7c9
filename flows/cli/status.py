"""`freshkb status`: how things stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import command
from flows.cli.workspace import opened
from index.printable import printable_line


@command()
def status(
    console: Console,
    config: Path | None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1, and say why, unless all is well: for health checks.")
    ] = False,
) -> None:
    """Documents by source and state, what goes on, and whether store and Prefect answer."""
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
