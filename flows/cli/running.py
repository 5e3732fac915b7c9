"""Commands that run until they are interrupted: watch and serve."""

from __future__ import annotations

import logging
import signal
from typing import Annotated

import typer

from flows import logs
from flows.cli.app import (
    ConfigOption,
    Console,
    JsonOption,
    QuietOption,
    Stop,
    VerboseOption,
    opened,
    stoppable,
)


def watch(
    polling: Annotated[
        bool, typer.Option("--polling", help="Look in intervals; for file systems that send no events.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Follow the sources until interrupted."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose, service=True)
    with stoppable(service=True) as stop, opened(config) as mirror:
        from flows.watch import Watcher

        Watcher(mirror, stop, polling=polling, tell=lambda event: _tell(console, event)).run()
    _end(stop)


def _tell(console: Console, event: dict[str, object]) -> None:
    from flows.watch import described, weight

    console.line(event)
    room = "serve" if event.get("source") == "prefect" else "watch"
    logging.getLogger(f"freshkb.{room}").log(weight(event), "%s", described(event))


def serve(
    config: ConfigOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the flows on their schedules as Prefect deployments, with the watcher."""
    console = Console(quiet=quiet, verbose=verbose, service=True)
    with stoppable(service=True) as stop, opened(config) as mirror:
        logs.hush_prefect(verbose=verbose)
        from flows.serve import serve as run

        logs.dress_others()
        run(mirror, stop, tell=lambda event: _tell(console, event))
    _end(stop)


def _end(stop: Stop) -> None:
    """SIGTERM is how a service is asked to end, and no failure."""
    raise typer.Exit(130 if stop.by == signal.SIGINT else 0)
