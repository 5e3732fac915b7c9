"""The options that all commands share, and the decorator that adds them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.console import Console

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration; default: freshkb.yaml here or above."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else there.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Log what is done to stderr.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print no human text but errors.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only this source.", metavar="ID")]

ByOption = Annotated[
    str, typer.Option("--by", metavar="WHO", help="Who decides or attests it; default: the login name.")
]

KeyOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--key", metavar="FILE", help="A key (PEM) that may have signed, besides our own; may be given again."
    ),
]


def moment(text: str) -> datetime:
    """What a DATE on the command line names: a day from its beginning (UTC), or a moment, in its own zone
    where it has one. Raises BadParameter."""
    from index.freshness.dates import read_date

    dated = read_date(text)
    if dated is None:
        raise typer.BadParameter(
            f"{text!r} is no date. Write it as in 2030-01-31, or with a time, as in 2030-01-31T18:00+02:00."
        )
    return dated if isinstance(dated, datetime) else datetime(*dated.timetuple()[:3], tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands below a command, by their names."""

    help: str
    commands: Mapping[str, Callable[..., None]]


def command(
    *, as_json: bool = True, service: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command with the options that all share: of its function, `console` is the one that they ask for, and
    `config` the file that --config names. Without `as_json` it has no --json; a `service` runs until it is
    stopped, and logs what it does."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = dict(inspect.signature(function, eval_str=True).parameters)
        del own["console"]
        shared: dict[str, tuple[object, object]] = (
            {"config": (ConfigOption, None)} if own.pop("config", None) else {}
        )
        shared |= {"as_json": (JsonOption, False)} if as_json else {}
        shared |= {"verbose": (VerboseOption, False), "quiet": (QuietOption, False)}

        def run(**given: Any) -> None:
            asked = {name: given.pop(name) for name in ("as_json", "verbose", "quiet") if name in given}
            function(console=Console(**asked, service=service), **given)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [parameter.replace(kind=keyword) for parameter in own.values()]
        for name, (option, default) in shared.items():
            parameters.append(inspect.Parameter(name, keyword, default=default, annotation=option))
        # The signature that typer makes options of.
        vars(run)["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {}
        run.__doc__ = function.__doc__
        return run

    return decorate
