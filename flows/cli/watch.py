"""`freshkb watch`: follow the sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.service import end, tell
from flows.cli.stop import stoppable
from flows.cli.workspace import opened


@command(service=True)
def watch(
    console: Console,
    config: Path | None,
    polling: Annotated[
        bool, typer.Option("--polling", help="Look in intervals; for file systems that send no events.")
    ] = False,
) -> None:
    """Follow the sources until interrupted."""
    with stoppable(service=True) as stop, opened(config) as workspace:
        from flows.watch import Watcher

        Watcher(workspace, stop, polling=polling, tell=lambda event: tell(console, event)).run()
    end(stop)
