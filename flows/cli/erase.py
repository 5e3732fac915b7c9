"""`freshkb erase`: remove documents for good, by an order, with proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import ByOption, SourceOption, command
from flows.cli.stop import stoppable
from flows.cli.workspace import opened, outside_sources
from index.printable import printable_line

if TYPE_CHECKING:
    from index.erase.carry_out import ErasureReport
    from index.erase.target import Preview, Target
    from index.run import Run
    from index.workspace import Workspace

#: Documents that a preview lists.
_LISTED_MAX = 20


@command()
def erase(
    console: Console,
    config: Path | None,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[URI]...",
            help="Documents, as `ls` and `search` print them; with --replay, files of receipts. Without any "
            "target: carry out the orders that are open.",
        ),
    ] = None,
    document: Annotated[
        list[str] | None, typer.Option("--document", metavar="ID", help="A document; may be given again.")
    ] = None,
    match: Annotated[
        str | None,
        typer.Option("--match", metavar="PATTERN", help="Documents at uris like this, as in .gitignore."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Documents with this owner among theirs.")
    ] = None,
    containing: Annotated[
        str | None,
        typer.Option(
            "--containing",
            metavar="-",
            help="Documents that contain a phrase, now or later; -: from standard input, a line each.",
        ),
    ] = None,
    source: SourceOption = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the --reveal file alone.")
    ] = "",
    by: ByOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what it would remove; change nothing.")
    ] = False,
    reveal: Annotated[
        Path | None,
        typer.Option(
            "--reveal",
            metavar="FILE",
            help="Write the requester's file: it shows which documents the receipt is about.",
        ),
    ] = None,
    lift: Annotated[
        str | None,
        typer.Option("--lift", metavar="ORDER", help="Take an order back: its documents may come again."),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Carry out the orders of these receipts, which an older ledger lacks."),
    ] = False,
) -> None:
    """Remove documents for good: points, rows and bytes, with a signed receipt, and keep them out."""
    from index.erase.target import Target

    target = Target((*(names or ()), *(document or ())), match, owner, _phrases(containing), source)
    named = bool(target.names or match is not None or owner is not None or containing is not None)
    with stoppable() as stop, opened(config, source) as workspace:
        from index.run import Run

        run = Run(workspace, "erase", stop=stop)
        if lift is not None:
            _only("--lift", named or replay)
            return _lift(console, workspace, lift, reason, by)
        if replay:
            _only("--replay", bool(document or match or owner or containing))
            return _replay(console, run, [Path(name) for name in names or ()])
        if not named:
            return _resume(console, run)
        if reveal is not None:
            outside_sources(workspace, reveal, "--reveal")
        since = workspace.ledger.log.head().size
        shown = _preview(workspace, target)
        if dry_run:
            return _show(console, shown, done=False)
        if not yes:
            _show(console, shown, done=None)
            _ask(shown)
        from index.erase.carry_out import carry_out
        from index.erase.place import place

        order = place(workspace, target, reason, by=by, reveal=reveal)
        console.say(f"Order {order.order_id}: {plural(order.documents, 'document')} out of search.")
        report = carry_out(run, order.order_id, since=since)
    console.data(report.json())
    _say(console, report)
    raise typer.Exit(report.exit_code)


def _only(option: str, others: bool) -> None:
    if others:
        raise typer.BadParameter("takes no other target.", param_hint=f"'{option}'")


def _phrases(containing: str | None) -> list[str]:
    if containing is None:
        return []
    from index.errors import ConfigError

    if containing != "-":
        raise ConfigError(
            "A phrase on the command line would stay in the shell's history: give --containing - and write "
            "the phrases to standard input, a line each. Nothing was erased."
        )
    found = [line.strip() for line in sys.stdin.read().splitlines() if line.strip()]
    if not found:
        raise ConfigError("Standard input holds no phrase. Nothing was erased.")
    return found


def _preview(workspace: Workspace, target: Target) -> Preview:
    from index.erase.target import preview

    return preview(workspace, target)


def _show(console: Console, preview: Preview, *, done: bool | None) -> None:
    """What an order would remove, and what not; as data where nothing else follows."""
    if done is not None:
        console.data(preview.json())
    items = list(preview.items())
    copies = f", {len(preview.copies):,} of them copies of the same bytes" if preview.copies else ""
    say = console.say if done is not None else warn
    say(f"To be erased: {plural(len(items), 'document')}{copies}, {plural(preview.chunks, 'chunk')}.")
    for document_id, source, uri in items[:_LISTED_MAX]:
        say(printable_line(f"  {source}:{uri}  {document_id}"))
    if len(items) > _LISTED_MAX:
        say(f"  and {len(items) - _LISTED_MAX:,} more")
    for holds in preview.holds.values():
        say(f"  A hold forbids it: {', '.join(hold.hold_id for hold in holds)}")
        break
    say("Not touched:")
    for sentence in preview.json()["not_covered"]:
        say(f"  {sentence}")
    if done is not None:
        say("Nothing was done.")


def _ask(preview: Preview) -> None:
    from index.errors import ConfigError

    if not _can_be_asked():
        raise ConfigError("Nobody can be asked here: give --yes to erase, or --dry-run. Nothing was erased.")
    count = plural(len(preview.documents) + len(preview.copies), "document")
    if not typer.confirm(f"Erase {count} for good?", err=True):
        raise typer.Exit(1)


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def _lift(console: Console, workspace: Workspace, order_id: str, reason: str, by: str) -> None:
    from index.erase.place import lift

    lifted = lift(workspace, order_id, reason, by=by)
    console.data({"order_id": lifted.order_id, "state": lifted.state.value, "by": lifted.lifted_by})
    console.say(f"Order {lifted.order_id} is lifted: the next sync indexes what the sources still hold.")


def _resume(console: Console, run: Run) -> None:
    from index.erase.carry_out import carry_out

    reports = [carry_out(run, order.order_id) for order in run.workspace.ledger.erasures.open()]
    _say_all(console, reports, "No order is open. Name documents to erase: freshkb erase URI")


def _replay(console: Console, run: Run, files: list[Path]) -> None:
    from index.erase.replay import replay

    from index.erase.carry_out import carry_out

    texts = [file.read_text("utf-8") for file in files]
    reports = [carry_out(run, order.order_id) for order in replay(run, texts)]
    _say_all(console, reports, "This ledger has carried out all of these orders.")


def _say_all(console: Console, reports: list[ErasureReport], none: str) -> None:
    console.data([report.json() for report in reports])
    for report in reports:
        _say(console, report)
    if not reports:
        console.say(none)
    raise typer.Exit(max((report.exit_code for report in reports), default=0))


def _say(console: Console, report: ErasureReport) -> None:
    order = report.order
    counts = f"{plural(order.documents, 'document')}, {plural(order.chunks, 'chunk')}"
    state = "is carried out" if report.done else "is open"
    console.say(f"Order {order.order_id} {state}: {counts}.")
    for place in report.places:
        console.say(f"  {place.place}: {place.claim}. {place.evidence}")
    console.say("Not covered:")
    for sentence in report.not_covered:
        console.say(f"  {sentence}")
    if report.receipt is not None:
        console.say(f"Receipt: {report.receipt}")
    if not report.done:
        warn(f"Order {order.order_id} is not carried out yet: {report.error}")
