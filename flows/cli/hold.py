"""`freshkb hold`: legal holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import Console, plural
from flows.cli.options import ByOption, Group, command
from flows.cli.workspace import opened
from index.printable import printable_line

if TYPE_CHECKING:
    from index.hold import HoldSummary

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]


@command()
def place(
    console: Console,
    config: Path | None,
    reason: ReasonOption,
    uris: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TARGET]...", help="Documents, as `ls` and `search` print them."),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option("--match", metavar="PATTERN", help="Documents at uris like this, as in .gitignore."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="ID", help="All documents of this source; with another target only its."
        ),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="O", help="Documents with this owner among theirs.")
    ] = None,
    matter: Annotated[str, typer.Option("--matter", metavar="NUMBER", help="Number of the matter.")] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="The last day; without it until it is released.")
    ] = "",
    by: ByOption = "",
) -> None:
    """Place a hold on documents, also on those that come to match it."""
    with opened(config, source) as workspace:
        from index.hold import Target, alike
        from index.hold import place as place_hold

        target = Target(uris or (), match, owner, source)
        placed = place_hold(workspace, target, reason, matter=matter, until=until, by=by)
        others = alike(workspace, placed)
    console.data([placed.json()])
    name = placed.hold.hold_id
    console.say(f"Hold {name} stands on {plural(placed.documents, 'document')}.")
    if not placed.documents:
        console.say("No document matches it now; those that come to match it will be held.")
    if others:
        console.say(f"The same is held already by {', '.join(others)}: each has to be released.")


@command()
def list_holds(
    console: Console,
    config: Path | None,
    ended: Annotated[bool, typer.Option("--all", help="Also those that are released or over.")] = False,
) -> None:
    """List the holds that stand, in the order of placing."""
    with opened(config) as workspace:
        from index.hold import summaries

        found = summaries(workspace, ended=ended)
    if console.as_json:
        return console.data([each.json() for each in found])
    for each in found:
        console.say(_line(each))
    console.say(plural(len(found), "hold"))


@command()
def release(
    console: Console,
    config: Path | None,
    hold_id: Annotated[str, typer.Argument(metavar="HOLD_ID", help="As `hold list` prints it.")],
    reason: ReasonOption,
    by: ByOption = "",
) -> None:
    """Release a hold: what its sources no longer have is removed by the next sync."""
    with opened(config) as workspace:
        from index.hold import release as release_hold

        released, waiting = release_hold(workspace, hold_id, reason, by=by)
    console.data([released.json()])
    console.say(f"Hold {released.hold.hold_id} is released, of {plural(released.documents, 'document')}.")
    if waiting:
        gone = "is gone at its source" if waiting == 1 else "are gone at their sources"
        console.say(
            f"{plural(waiting, 'document')} of it {gone}: the next sync removes what is still missing."
        )


#: Of which people read no parts of a second.
_INSTANTS = ("placed_at", "until", "released_at")


def _line(summary: HoldSummary) -> str:
    """Id, documents, target, matter, person and dates, then the reason."""
    hold = summary.hold
    found = {name: f"{at[:19]}Z" for name, at in summary.json().items() if name in _INSTANTS and at}
    matter = f", matter {hold.matter}" if hold.matter else ""
    end = f", until {found['until']}" if hold.until and summary.stands else ""
    if hold.released_at:
        end = (
            f", released by {hold.released_by or 'unknown'} at {found['released_at']}: {hold.release_reason}"
        )
    elif not summary.stands:
        end = f", ended at {found['until']}"
    within = f" of {hold.source}" if hold.source and hold.kind.value != "source" else ""
    about = f"{hold.kind} {summary.target}{within}{matter}, by {hold.placed_by or 'unknown'}"
    said = f"{about} at {found['placed_at']}{end}. {hold.reason}"
    return printable_line(f"{hold.hold_id:<10} {summary.documents:>7,}  {said}")


hold = Group(
    "Keep documents from being removed: place, list and release legal holds.",
    {"place": place, "list": list_holds, "release": release},
)
