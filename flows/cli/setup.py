"""Commands that set up and examine: init, config, doctor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import (
    ConfigOption,
    Console,
    JsonOption,
    QuietOption,
    VerboseOption,
    load_config,
    opened,
)
from index.printable import printable, printable_line


class ConfigAction(StrEnum):
    show = "show"
    schema = "schema"
    check = "check"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write it.")] = Path(),
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a commented freshkb.yaml."""
    console = Console(quiet=quiet, verbose=verbose)
    from index.config import template
    from index.config.load import FILE_NAME
    from index.errors import ConfigError

    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except OSError as error:
        if path.exists():
            raise ConfigError(f"{path} exists already; nothing was written.") from None
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    console.say(f"Wrote {path}. Set the root of its source, then run: freshkb sync")


def configuration(
    action: Annotated[
        ConfigAction, typer.Argument(help="Print the effective settings or their schema; or check.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show the effective settings (secrets redacted), print their JSON Schema, or check the file."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    if action is ConfigAction.schema:
        import json

        from index.config import schema

        print(json.dumps(schema(), indent=2), flush=True)
        return
    loaded = load_config(config)
    if action is ConfigAction.check:
        console.data({"ok": True, "config": str(loaded.path)})
        console.say(f"{loaded.path}: no errors.")
    elif as_json:
        console.data(loaded.show())
    else:
        import yaml

        text = yaml.safe_dump(loaded.show(), sort_keys=False, allow_unicode=True)
        if printable(text) != text:
            # YAML has escapes of its own, which say the same.
            text = yaml.safe_dump(loaded.show(), sort_keys=False)
        print(text, end="", flush=True)


def doctor(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what is wrong here and how to mend it."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with opened(config) as mirror:
        from flows.orchestration import checks as prefect
        from index.doctor import examine

        checks = [*examine(mirror), *prefect(mirror.config.schedules)]
    ok = all(c.ok for c in checks)
    console.data({"ok": ok, "checks": [c.json() for c in checks]})
    width = max(len(c.name) for c in checks)
    for c in checks:
        console.say(f"{'ok ' if c.ok else 'BAD'} {c.name:<{width}}  {printable_line(c.detail)}")
    raise typer.Exit(0 if ok else 1)
