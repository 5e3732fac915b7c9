"""Commands about age: audit and review."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import (
    ConfigOption,
    Console,
    JsonOption,
    QuietOption,
    SourceOption,
    VerboseOption,
    opened,
    plural,
    warn,
)
from index.printable import printable_line

if TYPE_CHECKING:
    from index.mirror import Mirror


class FailOn(StrEnum):
    warn = "warn"
    stale = "stale"
    never = "never"


def audit(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the reports go; default: reports in state_dir."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 1 when there is one.")
    ] = FailOn.stale,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Judge every document's freshness, and write reports for their owners."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with opened(config) as mirror:
        from index.audit import audit_of
        from index.errors import ConfigError, StoreError
        from index.report import foreign, write
        from index.report.wording import percent
        from index.run import Run

        folder = mirror.config.reports if out is None else _outside(mirror, out)
        if out is not None and (others := foreign(folder)):
            raise ConfigError(
                f"{others[0]} was not written by freshkb and is not replaced; nothing was written. Name "
                "another folder with --out, or move the file."
            )
        if not (mirror.ledger.sources.all() or mirror.ledger.documents.counts()):
            raise StoreError("Nothing was ever synced, so there is nothing to judge. First: freshkb sync")
        with Run(mirror, "audit", required=False) as run:
            found = audit_of(mirror, owner)
            try:
                written = write(found, folder)
            except OSError as error:
                said = f"The reports cannot be written to {folder}: {error.strerror}."
                if out is not None or not as_json:
                    raise ConfigError(f"{said} Name another folder with --out.") from error
                # What was asked for goes to stdout.
                warn(said)
                written = []
            run.ends("failed" if found.fails(fail_on.value) else "done", found.json()["counts"])
    shown = found.json()
    console.data(shown)
    counts = ", ".join(f"{n:,} {name}" for name, n in shown["counts"].items())
    score = percent(found.trust_score)
    console.say(f"{plural(len(found.results), 'document')}: {counts}. Trust score {score}.")
    for summary in found.owners:
        counted = ", ".join(f"{n:,} {name}" for name, n in summary.json()["counts"].items() if n)
        console.say(printable_line(f"  {summary.owner or 'nobody'}: {counted}"))
    for finding in found.findings:
        if finding.document_id is None:
            console.say(printable_line(f"{finding.place}: {finding.evidence}"))
    for path in written:
        console.say(f"Wrote {path}")
    raise typer.Exit(1 if found.fails(fail_on.value) else 0)


def _outside(mirror: Mirror, out: Path) -> Path:
    """The same folder. Raises ConfigError when it lies in a source: nothing is ever written into one, and a
    report there would become a document."""
    from index.errors import ConfigError

    folder = out.resolve()
    for source in mirror.config.sources:
        root = source.connector.folder(mirror.config.base)
        private = mirror.config.context(source).private
        if (
            root is not None
            and folder.is_relative_to(root.resolve())
            and not any(folder.is_relative_to(own) for own in private)
        ):
            raise ConfigError(
                f"{out} lies in source {source.id!r} ({root}), and nothing is ever written into a source. "
                "Name another folder with --out."
            )
    return out


def review(
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who reviewed them.")],
    uris: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[URI]...", help="As `ls` and `search` print them; or patterns as in .gitignore."
        ),
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="T", help="What was found.")] = "",
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Only this owner's documents; all of them.")
    ] = None,
    source: SourceOption = None,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Attest that documents were reviewed now."""
    console = Console(quiet=quiet, verbose=verbose)
    with opened(config, source) as mirror:
        from index.request import review as attest
        from index.sync import Sync

        report = attest(Sync(mirror, kind="review"), uris or [], by, note, source=source, owner=owner)
    reviewed = plural(sum(s.tally.documents.total() for s in report.sources), "document")
    console.say(f"{reviewed} reviewed by {printable_line(by)}.")
