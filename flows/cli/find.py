"""`freshkb find`: documents that contain a phrase."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import SourceOption, command
from flows.cli.workspace import knowledge_base, outside_sources
from index.printable import printable_line


@command()
def find(
    console: Console,
    config: Path | None,
    phrases: Annotated[
        list[str],
        typer.Argument(
            metavar="PHRASE...",
            help="Words in a row. -: phrases from standard input, a line each, which no shell history keeps.",
        ),
    ],
    exact: Annotated[bool, typer.Option("--exact", help="Look for these words and no others.")] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="Write each document's text to a file in this folder."),
    ] = None,
    source: SourceOption = None,
) -> None:
    """List every document whose text, title, path, owner or properties contain a phrase. Case, accents,
    spacing and punctuation do not count; every text is read."""
    from index.errors import ConfigError
    from index.phrase import Phrases

    if not exact:
        raise ConfigError(
            "Phrases are looked for exactly: freshkb find --exact PHRASE. By meaning: freshkb search"
        )
    given = _given(phrases)
    if not given:
        raise ConfigError("Standard input holds no phrase, so nothing was looked for.")
    try:
        wanted = Phrases(given)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    with knowledge_base(config, source) as kb:
        from index.model import State
        from index.search import find as finding

        looked = finding.find(kb.reader, wanted, source=source)
        if export is not None:
            looked = finding.export(looked, outside_sources(kb.workspace, export, "--export"))
        found = []
        for one in looked:
            document = one.document
            places = [*one.fields, *([plural(len(one.passages), "passage")] if one.passages else [])]
            state = "" if document.state is State.INDEXED else f" ({document.state.value})"
            console.say(
                f"{document.document_id}  {printable_line(f'{document.source}:{document.uri}')}{state}: "
                f"{', '.join(places)}"
            )
            found.append(one.json())
        unread = finding.unread(kb.workspace.ledger, source)
    console.data(found)
    console.say(f"{plural(len(found), 'document')} found." if found else "Nothing found.")
    if export is not None:
        console.say(f"Wrote {export}")
    if unread:
        warn(f"Of {plural(unread, 'document')} the index has no text: only names and properties were read.")


def _given(phrases: list[str]) -> list[str]:
    """The phrases, `-` replaced by the lines of standard input."""
    given = [phrase for phrase in phrases if phrase != "-"]
    if len(given) < len(phrases):
        if sys.stdin.isatty():
            warn("One phrase a line; end with Ctrl-D.")
        given += [line for line in sys.stdin.read().splitlines() if line.strip()]
    return given
