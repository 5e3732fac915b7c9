"""`freshkb audit`: judge freshness."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import Console, warn
from flows.cli.options import command, moment
from flows.cli.text import audit_lines
from flows.cli.workspace import opened, outside_sources

if TYPE_CHECKING:
    from index.audit.result import Audit
    from index.config import Config


@command()
def audit(
    console: Console,
    config: Path | None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the reports go; default: reports in state_dir."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents.")
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="CODE",
            help="Exit with 1 when there is one: a verdict, or the code of a finding; never: in no case. "
            "May be given several times. Default: stale.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", parser=moment, metavar="DATE", help="What came up and was resolved since then (UTC)."
        ),
    ] = None,
) -> None:
    """Judge every document's freshness, and write reports for their owners."""
    with opened(config) as workspace:
        from index.audit import history
        from index.audit.audit import audit_of
        from index.audit.report import foreign, write
        from index.audit.result import fail_on_codes
        from index.errors import ConfigError, StoreError
        from index.run import Run
        from index.uncollected import uncollected

        named = fail_on_codes(fail_on or ["stale"])
        folder = workspace.config.reports if out is None else outside_sources(workspace, out, "--out")
        if out is not None and (others := foreign(folder)):
            raise ConfigError(
                f"{others[0]} was not written by freshkb and is not replaced; nothing was written. Name "
                "another folder with --out, or move the file."
            )
        if not (workspace.ledger.sources.all() or workspace.ledger.documents.counts()):
            raise StoreError("Nothing was ever synced, so there is nothing to judge. First: freshkb sync")
        with uncollected(), Run(workspace, "audit", required=False) as run:
            found = audit_of(workspace, owner, since)
            try:
                written = write(found, folder)
            except OSError as error:
                said = f"The reports cannot be written to {folder}: {error.strerror}."
                if out is not None or not console.as_json:
                    raise ConfigError(f"{said} Name another folder with --out.") from error
                # The JSON that was asked for goes to stdout.
                warn(said)
                written = []
            if run.recorded:
                history.record(workspace.ledger, found, run.run_id)
            run.ends("failed" if found.fails(named) else "done", found.by_verdict)
    if console.as_json:
        console.data(found.json())
    for line in audit_lines(found):
        console.say(line)
    for path in written:
        console.say(f"Wrote {path}")
    if os.environ.get("GITHUB_ACTIONS") == "true" and not console.as_json:
        _annotate(console, workspace.config, found)
    raise typer.Exit(1 if found.fails(named) else 0)


def _annotate(console: Console, config: Config, found: Audit) -> None:
    """Tell GitHub Actions of the findings, which it shows at the lines of their documents."""
    from index.audit.report.github import annotation_lines

    folders = {source.id: source.connector.folder(config.base) for source in config.sources}
    known = {source: folder for source, folder in folders.items() if folder is not None}
    repository = Path(os.environ.get("GITHUB_WORKSPACE") or ".")
    for line in annotation_lines(found, known, repository):
        console.say(line)
