"""`freshkb status`: how things stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.console import Console, warn
from flows.cli.options import command
from flows.cli.text import status_lines
from flows.cli.workspace import opened

if TYPE_CHECKING:
    from index.health.status import Status


@command()
def status(
    console: Console,
    config: Path | None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1, and say why, unless all is well: for health checks.")
    ] = False,
) -> None:
    """Documents by source and state, what goes on, and whether store and Prefect answer."""
    found: Status | None = None
    with opened(config) as workspace:
        from flows import orchestration
        from index.errors import FreshkbError
        from index.health.check import Problem, problems
        from index.health.status import status as state_of

        server = orchestration.standing()
        wrong = problems(workspace) if check else []
        if check and server is not None and server != orchestration.ANSWERS:
            wrong.append(Problem("prefect", server))
        try:
            found = state_of(workspace)
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
