"""`freshkb verify`: compare source, ledger and store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import command
from flows.cli.stop import stoppable
from flows.cli.workspace import opened
from index.printable import printable_line

if TYPE_CHECKING:
    from index.verify.differences import Verification


@command()
def verify(
    console: Console,
    config: Path | None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what is found.")] = False,
    sample: Annotated[
        str, typer.Option("--sample", metavar="I/N", help="Compare the I-th of N parts; N runs cover all.")
    ] = "1/1",
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare vectors' values and documents' content hashes too.")
    ] = False,
) -> None:
    """Compare source, ledger and store."""
    with stoppable() as stop, opened(config) as workspace:
        from flows.cli.progress import waiting
        from index.run import Run
        from index.verify.compare import verify as compare
        from index.verify.mend import mend_ledger
        from index.verify.repair import repair as mend

        workspace.waiting = waiting(quiet=console.quiet)
        part = _sample(sample)
        # Before a run is on record: a damaged ledger takes none.
        for sentence in mend_ledger(workspace) if repair else ():
            warn(sentence)
        with Run(workspace, "verify", required=repair, behind=not repair, stop=stop) as run:
            found = compare(workspace, sample=part, deep=deep, stop=stop)
            if repair and not found.ok and not found.interrupted:
                mend(workspace, found, run)
            run.ends(found.outcome, found.counts())
    console.data(found.json())
    _print_verification(console, found)
    if found.interrupted:
        warn("Interrupted: not all was compared or mended. Go on with the same command.")
        raise typer.Exit(130)
    raise typer.Exit(0 if found.outcome == "done" else 1)


def _sample(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise typer.BadParameter(
            f"{text!r} is not I/N with I from 1 to N, such as 2/7.", param_hint="--sample"
        )
    return int(number), int(parts)


def _print_verification(console: Console, found: Verification) -> None:
    signs = {"missing": "-", "extra": "+", "altered": "*", "outdated": "~"}
    for name, sign in signs.items():
        for finding in getattr(found, name):
            place = ":".join(part for part in (finding.source, finding.uri) if part)
            place = place or finding.point_id or finding.collection or ""
            console.say(printable_line(f"  {sign} {place}: {finding.what}"))
    for error in found.errors:
        warn(error)
    compared = f"{plural(found.points, 'point')} of {plural(found.documents, 'document')} compared"
    if found.ok:
        console.say(f"{compared}: source, ledger and store agree.")
    elif found.interrupted and not found.findings:
        console.say(f"{compared} before it was stopped: no difference.")
    else:
        console.say(f"{compared}: {plural(found.findings, 'difference')}, {found.repaired:,} repaired.")
