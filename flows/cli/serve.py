"""`freshkb serve`: run the flows on their schedules."""

from __future__ import annotations

from pathlib import Path

from flows import logs
from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.service import end, tell
from flows.cli.stop import stoppable
from flows.cli.workspace import opened


@command(as_json=False, service=True)
def serve(console: Console, config: Path | None) -> None:
    """Run the flows on their schedules as Prefect deployments, with the watcher."""
    with stoppable(service=True) as stop, opened(config) as workspace:
        logs.hush_prefect(verbose=console.verbose)
        from flows.serve import serve as run

        logs.dress_others()
        run(workspace, stop, tell=lambda event: tell(console, event))
    end(stop)
