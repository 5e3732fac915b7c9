"""`freshkb backup`: ledger and store as one consistent copy."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import Group, KeyOption, command
from flows.cli.workspace import opened, outside_sources

if TYPE_CHECKING:
    from index.backup.manifest import Manifest


@command()
def create(
    console: Console,
    config: Path | None,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
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
) -> None:
    """Copy ledger and store into a folder, while runs go on."""
    from index.errors import ConfigError

    if encrypt and recipient:
        raise ConfigError("A backup is encrypted by a passphrase or for a recipient: leave one option out.")
    with opened(config) as workspace:
        from flows.cli.progress import waiting
        from index.backup.create import create as make

        workspace.waiting = waiting(quiet=console.quiet)
        outside_sources(workspace, folder, "backup create DIR")
        passphrase = _passphrase(new=True) if encrypt else None
        manifest = make(workspace, folder, recipient=recipient, passphrase=passphrase)
        console.data(manifest.json())
        _say(console, "Wrote", folder, manifest)


@command()
def restore(
    console: Console,
    config: Path | None,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The backup.")],
    identity: Annotated[
        Path | None,
        typer.Option("--identity", metavar="FILE", help="The key of its recipient, in a file of age's."),
    ] = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            "--replay",
            metavar="RECEIPT",
            help="Have its order to erase in force from the beginning; may be given again.",
        ),
    ] = None,
    key: KeyOption = None,
) -> None:
    """Make the knowledge base of a backup, where there is none."""
    with opened(config) as workspace:
        from flows.cli.progress import waiting
        from index.backup.restore import restore as make
        from index.erase.receipt import read
        from index.signed.key import read_public

        workspace.waiting = waiting(quiet=console.quiet)
        done = make(
            workspace,
            folder,
            passphrase=_passphrase,
            identity=identity,
            receipts=[read(path) for path in replay or ()],
            keys=[read_public(path) for path in key or ()],
        )
        console.data(done.json())
        _say(console, "Restored", folder, done.manifest)
        if done.lost:
            lost = plural(done.lost, "entry", "entries")
            warn(f"{lost} of the log, which its anchors know, are lost. See: freshkb log verify")
        if done.orders:
            named = ", ".join(order.order_id for order in done.orders)
            console.say(f"In force again: {named}. They are carried out by the next erase, purge or sync.")


def _say(console: Console, done: str, folder: Path, manifest: Manifest) -> None:
    documents, points = plural(manifest.documents, "document"), plural(manifest.points, "point")
    console.say(f"{done} {folder}: {documents}, {points}.")


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


backup = Group(
    "Copy ledger and store into a folder, while runs go on; and restore such a copy.",
    {"create": create, "restore": restore},
)
