"""`freshkb reindex`: build the index anew."""

from __future__ import annotations

from pathlib import Path

import typer

from flows.cli.console import Console, plural
from flows.cli.options import command
from flows.cli.run_report import print_report
from flows.cli.stop import stoppable
from flows.cli.workspace import opened


@command()
def reindex(console: Console, config: Path | None) -> None:
    """Build the index for a changed model beside the old one, switch, and drop the old one."""
    with stoppable() as stop, opened(config) as workspace:
        from flows.cli.progress import progress
        from index.reindex import reindex as rebuild
        from index.run import Run
        from index.sync.sync import sync

        with progress(workspace, quiet=console.quiet or console.verbose) as shown:
            report = rebuild(workspace, Run(workspace, "reindex", progress=shown, stop=stop))
            if report.interrupted:
                raise KeyboardInterrupt(
                    "Interrupted: the former index stays in use. Start anew with: freshkb reindex"
                )
            made = f"{plural(report.chunks_total, 'chunk')} of {plural(report.documents, 'document')}"
            console.say(f"Built anew for {workspace.config.embedding.model}: {made}. {report.seconds:.1f} s")
            # Chunks are cut for a model's tokens, so documents are extracted once more.
            report = sync(Run(workspace, "sync", progress=shown, stop=stop))
    console.data(report.json())
    print_report(console, report)
    raise typer.Exit(report.exit_code)
