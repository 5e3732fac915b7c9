"""`freshkb doctor`: what is wrong here."""

from __future__ import annotations

from pathlib import Path

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.workspace import opened
from index.printable import printable_line


@command()
def doctor(console: Console, config: Path | None) -> None:
    """Say what is wrong here and how to mend it."""
    with opened(config) as workspace:
        from flows.orchestration import checks as prefect
        from index.health.doctor import examine

        checks = [*examine(workspace), *prefect(workspace.config.schedules)]
    ok = all(c.ok for c in checks)
    console.data({"ok": ok, "checks": [c.json() for c in checks]})
    width = max(len(c.name) for c in checks)
    for c in checks:
        console.say(f"{'ok ' if c.ok else 'BAD'} {c.name:<{width}}  {printable_line(c.detail)}")
    raise typer.Exit(0 if ok else 1)
