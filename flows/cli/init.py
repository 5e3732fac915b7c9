"""`freshkb init`: set up a knowledge base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command


@command(as_json=False)
def init(
    console: Console,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write it.")] = Path(),
) -> None:
    """Write a commented freshkb.yaml."""
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
