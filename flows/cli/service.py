"""Watch and serve as services: they log what they do, and end when they are asked to."""

from __future__ import annotations

import logging
import signal

import typer

from flows.cli.console import Console
from flows.cli.stop import Stop


def tell(console: Console, event: dict[str, object]) -> None:
    from flows.watch import described, weight

    console.line(event)
    room = "serve" if event.get("source") == "prefect" else "watch"
    logging.getLogger(f"freshkb.{room}").log(weight(event), "%s", described(event))


def end(stop: Stop) -> None:
    """SIGTERM is how a service is asked to end, and no failure."""
    raise typer.Exit(130 if stop.by == signal.SIGINT else 0)
