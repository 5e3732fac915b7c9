"""`freshkb backup`: ledger and store as one consistent copy."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural
from flows.cli.options import command
from flows.cli.workspace import opened, outside_sources


class BackupAction(StrEnum):
    create = "create"
    restore = "restore"


@command()
def backup(
    console: Console,
    config: Path | None,
    action: Annotated[BackupAction, typer.Argument(help="Make a backup; or make the knowledge base of one.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The backup; new or empty for create.")],
    encrypt: Annotated[
        bool,
        typer.Option(
            "--encrypt", help="Encrypt it by a passphrase: FRESHKB_BACKUP_PASSPHRASE, or asked for."
        ),
    ] = False,
    recipient: Annotated[
        str | None,
        typer.Option("--recipient", metavar="AGE1...", help="Encrypt it for this public key of age's."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option("--identity", metavar="FILE", help="Restore with the key in this file of age's."),
    ] = None,
) -> None:
    """Copy ledger and store into a folder, while runs go on; or restore such a copy where there is none."""
    from index.errors import ConfigError

    creates = action is BackupAction.create
    if creates and identity is not None:
        raise ConfigError("--identity opens a backup: it belongs to `backup restore`.")
    if not creates and (encrypt or recipient):
        raise ConfigError("--encrypt and --recipient belong to `backup create`; a restore finds out itself.")
    if encrypt and recipient:
        raise ConfigError("A backup is encrypted by a passphrase or for a recipient: leave one option out.")
    with opened(config) as workspace:
        from flows.cli.progress import waiting
        from index.backup.create import create
        from index.backup.restore import restore

        workspace.waiting = waiting(quiet=console.quiet)
        if creates:
            outside_sources(workspace, folder, "backup create DIR")
            passphrase = _passphrase(new=True) if encrypt else None
            done = create(workspace, folder, recipient=recipient, passphrase=passphrase)
            said = f"Wrote {folder}"
        else:
            done = restore(workspace, folder, passphrase=_passphrase, identity=identity)
            said = f"Restored {folder}"
    console.data(done.json())
    console.say(f"{said}: {plural(done.documents, 'document')}, {plural(done.points, 'point')}.")


def _passphrase(*, new: bool = False) -> str:
    """The passphrase, from the environment or the terminal; a new one is asked for twice."""
    from index.config.load import PASSPHRASE
    from index.errors import ConfigError

    given = os.environ.get(PASSPHRASE)
    if given is None and sys.stdin.isatty():
        given = str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    if not given:
        raise ConfigError(f"The backup's passphrase is missing: set {PASSPHRASE}.")
    return given
