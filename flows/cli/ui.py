"""`freshkb ui`: the owners' page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console
from flows.cli.options import command
from flows.cli.workspace import opened

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@command(as_json=False, service=True)
def ui(
    console: Console,
    config: Path | None,
    host: Annotated[str, typer.Option("--host", metavar="H", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65535, help="0: any free one.")
    ] = 8765,
) -> None:
    """Serve the owners' page: read, attest, snooze, reassign, retire."""
    with opened(config) as workspace:
        from flows.ui.serve import serve
        from index.errors import ConfigError

        if host not in _LOOPBACK and workspace.config.ui.user_header is None:
            raise ConfigError(
                f"At {host} everybody who reaches this machine could answer as you. Name the header in which "
                "your proxy names its users, as ui.user_header; or leave --host away."
            )
        serve(workspace, host, port, lambda address: console.say(f"The owners' page: {address}"))
