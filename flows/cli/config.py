"""`freshkb config`: the settings in force."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.workspace import load_config
from index.printable import printable


class ConfigAction(StrEnum):
    show = "show"
    schema = "schema"
    check = "check"


@command()
def config(
    console: Console,
    config: Path | None,
    action: Annotated[
        ConfigAction, typer.Argument(help="Print the effective settings or their schema; or check.")
    ],
) -> None:
    """Show the effective settings (secrets redacted), print their JSON Schema, or check the file."""
    if action is ConfigAction.schema:
        import json

        from index.config import schema

        print(json.dumps(schema(), indent=2), flush=True)
        return
    loaded = load_config(config)
    if action is ConfigAction.check:
        from index.people import directory_of

        directory_of(loaded)
        console.data({"ok": True, "config": str(loaded.path)})
        console.say(f"{loaded.path}: no errors.")
    elif console.as_json:
        console.data(loaded.show())
    else:
        import yaml

        text = yaml.safe_dump(loaded.show(), sort_keys=False, allow_unicode=True)
        if printable(text) != text:
            # YAML has escapes of its own, which say the same.
            text = yaml.safe_dump(loaded.show(), sort_keys=False)
        print(text, end="", flush=True)
