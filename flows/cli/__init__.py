"""The ``freshkb`` command. Data goes to stdout; progress, logs and, beside ``--json``, all human text go to
stderr. What a command takes to run is imported when it runs, so that a small command stays fast."""

from __future__ import annotations

from flows.cli import freshness, reading, running, setup, syncing
from flows.cli.app import app

__all__ = ["app", "main"]

for group in (setup, syncing, reading, freshness, running):
    group.register(app)


def main() -> None:
    """Entry point of the console script."""
    app()
