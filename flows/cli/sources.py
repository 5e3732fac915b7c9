"""`freshkb sources`: sources checked, sampled and added."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.console import Console, warn
from flows.cli.options import Group, command
from flows.cli.progress import waiting
from flows.cli.source_text import check_lines, sample_lines
from flows.cli.workspace import load_config, opened

if TYPE_CHECKING:
    from index.sources.add import Addition
    from index.sources.check import Checked

#: Problems of a source that are shown.
_PROBLEMS_MAX = 20


@command()
def check(
    console: Console,
    config: Path | None,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Sources by their ids; without, all of them."),
    ] = None,
) -> None:
    """Say whether each source can be listed, how many documents it has, and what is known of them. Nothing is
    written."""
    loaded = load_config(config)
    from index.disk.private import umask_of
    from index.sources.check import check as check_source

    chosen = [loaded.source(name).id for name in ids] if ids else [source.id for source in loaded.sources]
    found = []
    with umask_of(loaded.state_dir):
        for source in dict.fromkeys(chosen):
            with waiting(quiet=console.quiet)(f"listing {source}"):
                found.append(check_source(loaded, source))
            _show(console, found[-1])
    console.data([checked.json() for checked in found])
    raise typer.Exit(0 if all(checked.ok for checked in found) else 1)


@command()
def sample(
    console: Console,
    config: Path | None,
    source: Annotated[str, typer.Argument(metavar="ID", help="The source.")],
    size: Annotated[
        int, typer.Option("-k", min=1, max=1000, help="Documents; drawn from the whole listing.")
    ] = 10,
) -> None:
    """Read some documents of a source as a sync would, and show what the index would have of them. Nothing is
    written."""
    with opened(config) as workspace:
        from index.sources.sample import sample as sample_source

        with waiting(quiet=console.quiet)(f"reading {source}"):
            found = sample_source(workspace, source, size)
    console.data(found.json())
    for line in sample_lines(found):
        console.say(line)
    for error in found.errors:
        warn(f"{source}: {error}")
    failed = any(document.failed for document in found.documents)
    raise typer.Exit(1 if found.errors else 3 if failed else 0)


@command()
def add(
    console: Console,
    config: Path | None,
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="The connector; without, it is asked for.")
    ] = None,
    source_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The name of the source.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A key of the source; a secret as '${VARIABLE}'. May be given again, for a list, too.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    untried: Annotated[bool, typer.Option("--untried", help="Add it without trying it.")] = False,
) -> None:
    """Add a source to the configuration: asks for what is not given, tries it, and writes nothing else."""
    from flows.cli.source_dialogue import Dialogue
    from index.sources.add import addition, sources_in, write

    cwd = Path.cwd()
    dialogue = Dialogue(console, sources_in(config, os.environ, cwd), answers=not yes)
    block = dialogue.block(type_name, source_id, settings or [])
    added = addition(config, os.environ, cwd, block)
    console.say(f"To be added to {added.path}:\n\n{added.block}")
    checked = _tried(console, added, block, untried)
    tried = checked is None or checked.ok
    if not tried and yes:
        warn(f"{added.path} is as it was. With --untried the source is added all the same.")
        written = False
    else:
        question = "Add it?" if tried else "It cannot be listed completely. Add it all the same?"
        written = dialogue.confirmed(question, default=tried)
    if written:
        write(added)
        console.say(f"Added to {added.path}. Next: freshkb sync --source {added.source}")
    elif not yes:
        console.say(f"{added.path} is as it was.")
    console.data(
        {
            "source": added.source,
            "config": str(added.path),
            "added": written,
            "block": block,
            "unset": list(added.unset),
            "check": checked.json() if checked else None,
        }
    )
    raise typer.Exit(0 if tried or written else 1)


def _tried(console: Console, added: Addition, block: dict[str, Any], untried: bool) -> Checked | None:
    """The check of the new source; None where it was not tried."""
    if added.unset:
        names = ", ".join(added.unset)
        warn(
            f"Not tried, because {names} is not set. Set it: every command of freshkb needs it from then on."
        )
        return None
    if untried:
        return None
    from index.disk.private import umask_of
    from index.sources.check import check as check_source

    with (
        umask_of(added.config.state_dir),
        waiting(quiet=console.quiet)(f"listing {added.source}"),
    ):
        checked = check_source(added.config, added.source, block)
    _show(console, checked)
    return checked


def _show(console: Console, checked: Checked) -> None:
    for line in check_lines(checked):
        console.say(line)
    for problem in checked.problems[:_PROBLEMS_MAX]:
        warn(f"{checked.source}: {problem}")
    if (more := len(checked.problems) - _PROBLEMS_MAX) > 0:
        warn(f"{checked.source}: and {more:,} more; --json has them all.")


sources = Group(
    "Look at sources and add them: whether they can be listed, and what the index would have of them.",
    {"check": check, "add": add, "sample": sample},
)
