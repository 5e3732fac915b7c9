"""`freshkb log`: what happened, and whether it was rewritten."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import Group, KeyOption, command
from flows.cli.workspace import opened
from index.printable import printable_line

if TYPE_CHECKING:
    from index.ledger import LogCheck, LogEntry
    from index.signed.key import PublicKey
    from index.workspace import Workspace


@command()
def show(
    console: Console,
    config: Path | None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")] = 20,
) -> None:
    """List the newest entries, with the names that their documents have now."""
    with opened(config) as workspace:
        entries = workspace.ledger.log.newest(limit)
        names = _names(workspace, entries)
    console.data([_shown(entry, names) for entry in entries])
    if not console.as_json:
        for entry in entries:
            console.say(_line(entry, names))


@command()
def verify(
    console: Console,
    config: Path | None,
    export: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Check this export, and no ledger.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="A signed checkpoint of the export; needs --key."),
    ] = None,
    key: KeyOption = None,
    restored: Annotated[
        list[str] | None,
        typer.Option(
            "--restored",
            metavar="ID",
            help="A restore of an older backup that is known, as it is named here; may be given again.",
        ),
    ] = None,
) -> None:
    """Find every entry that was altered, dropped, moved or cut off, by the log's chain and its anchors."""
    from index import checkpoints
    from index.signed.key import read_public

    trusted = [read_public(path) for path in key or ()]
    if export is not None:
        found = _of_export(export, checkpoint, trusted)
    elif checkpoint is not None:
        raise typer.BadParameter("belongs to an export: log verify FILE", param_hint="--checkpoint")
    else:
        with opened(config) as workspace:
            found = checkpoints.verify(workspace, trusted, restored or ())
            if not workspace.config.log.anchors and not console.as_json:
                warn("Without log.anchors, a log whose end was cut off, or that was made anew, looks sound.")
    console.data(found.json())
    for problem in found.problems:
        console.say(f"  {problem.seq or '-'}: {problem.problem}")
    for loss in found.lost:
        console.say(f"  {loss.seq or '-'}: known: {loss.problem}")
    count = "no problem" if found.ok else plural(len(found.problems), "problem")
    console.say(f"{plural(found.entries, 'entry', 'entries')}: {count}.")
    raise typer.Exit(0 if found.ok else 1)


@command()
def export(console: Console, config: Path | None) -> None:
    """Print all entries as JSON Lines, oldest first: subjects are keyed hashes."""
    with opened(config) as workspace:
        # As they are hashed, byte for byte: they are ASCII.
        for line in workspace.ledger.log.export():
            sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@command()
def checkpoint(console: Console, config: Path | None) -> None:
    """Print the log's signed checkpoint, and write it to the anchors now."""
    with opened(config) as workspace:
        from index import checkpoints
        from index.errors import AnchorError

        ledger = workspace.ledger
        made = checkpoints.checkpoint_of(ledger, ledger.log.head())
        note = made.signed(checkpoints.signing_key(workspace))
        errors = checkpoints.write(workspace, appended=True)
    console.data({"origin": made.origin, "size": made.size, "root": made.root.hex(), "checkpoint": note})
    if not console.as_json:
        sys.stdout.write(note)
        sys.stdout.flush()
    if errors:
        raise AnchorError(" ".join(errors))


def _of_export(export: Path, checkpoint: Path | None, trusted: list[PublicKey]) -> LogCheck:
    from index.checkpoints import verify_export

    if checkpoint is not None and not trusted:
        raise typer.BadParameter("needs the key that has signed it: --key FILE", param_hint="--checkpoint")
    # What is no text is no entry and no checkpoint, and said to be none.
    note = checkpoint.read_text("utf-8", errors="replace") if checkpoint is not None else None
    with export.open(encoding="utf-8", errors="replace") as lines:
        return verify_export(lines, note, trusted)


def _names(workspace: Workspace, entries: list[LogEntry]) -> dict[str, str]:
    """{document id: source and uri}, of the subjects that are documents, also deleted ones."""
    from index.model import State

    subjects = {entry.subject for entry in entries if entry.source}
    found = workspace.ledger.documents.find(document_ids=subjects, states=list(State)) if subjects else []
    return {document.document_id: f"{document.source}:{document.uri}" for document in found}


def _shown(entry: LogEntry, names: dict[str, str]) -> dict[str, object]:
    from index.model import rfc3339

    return {
        "seq": entry.sequence,
        "at": rfc3339(entry.at),
        "action": entry.action,
        "source": entry.source,
        "subject": entry.subject,
        "document": names.get(entry.subject),
        "run": entry.run_id,
        "actor": entry.actor,
        "facts": dict(entry.facts),
    }


def _line(entry: LogEntry, names: dict[str, str]) -> str:
    about = names.get(entry.subject) or ":".join(filter(None, (entry.source, entry.subject)))
    facts = "".join(f"  {name}={value}" for name, value in entry.facts.items())
    said = f"{entry.sequence:>7}  {entry.at:%Y-%m-%dT%H:%M:%SZ}  {entry.action:<19} {about}"
    return printable_line(f"{said}  {entry.actor}{facts}")


log = Group(
    "Show what happened, and check that the log of it was not rewritten.",
    {"show": show, "verify": verify, "export": export, "checkpoint": checkpoint},
)
