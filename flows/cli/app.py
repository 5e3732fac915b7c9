"""What all commands share: their options, how they print, and how they end."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from index.config import Config
    from index.mirror import Mirror

app = typer.Typer(
    name="freshkb",
    help="Keeps a vector knowledge base equal to its sources, and says what has gone stale.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration; default: freshkb.yaml here or in a parent."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else there.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Log what is done to stderr.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print no human text but errors.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only this source.", metavar="ID")]


class Console:
    """Where a command's words and data go."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        level = logging.DEBUG if verbose else logging.WARNING
        logging.basicConfig(
            stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
        )
        logging.getLogger("freshkb").setLevel(level)

    def say(self, text: str = "") -> None:
        """Human text."""
        if not self.quiet:
            print(text, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def data(self, value: object) -> None:
        """The command's JSON, when it was asked for."""
        if self.as_json:
            json.dump(value, sys.stdout, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
            print(flush=True)

    def line(self, value: Mapping[str, Any]) -> None:
        """One JSON object on a line of its own."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False), flush=True)


def warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fail(message: str, code: int) -> NoReturn:
    warn(message)
    raise typer.Exit(code)


@contextmanager
def reported() -> Iterator[None]:
    """Errors that are ours become one clear message and the exit code of the contract."""
    from connectors.base import ConnectorError, UnknownConnector
    from index.errors import FreshkbError

    try:
        yield
    except UnknownConnector as error:
        fail(f"Error: {error}", 2)
    except FreshkbError as error:
        fail(f"Error: {error}", error.exit_code)
    except ConnectorError as error:
        fail(f"Error: {error}", 1)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
    except BrokenPipeError:
        # The reader of a pipe had enough (`freshkb ls | head`); Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def load_config(path: Path | None) -> Config:
    from index.config import load

    return load(path, os.environ, Path.cwd())


@contextmanager
def opened(path: Path | None, source: str | None = None) -> Iterator[Mirror]:
    """The configured knowledge base; errors are reported. Raises ConfigError for an unknown source."""
    with reported():
        from index.errors import ConfigError
        from index.mirror import Mirror

        with Mirror(load_config(path)) as mirror:
            known = {s.id for s in mirror.config.sources}
            if source is not None and source not in known and source not in mirror.ledger.counts():
                raise ConfigError(
                    f"There is no source {source!r}; there are: {', '.join(sorted(known)) or 'none'}."
                )
            yield mirror


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that the batch in hand is finished; a second Ctrl-C ends at
    once, which leaves no more than a crash would."""
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()
        warn("Stopping after the batch in hand …")

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
