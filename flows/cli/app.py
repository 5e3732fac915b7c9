"""What all commands share: their options, how they print, and how they end."""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from flows import logs
from flows.log_records import covered_traceback
from flows.stop import graceful
from index.printable import is_unicode, printable, printable_json
from index.redact import covered, redact

if TYPE_CHECKING:
    from index.config import Config
    from index.mirror import Mirror

log = logging.getLogger("freshkb.cli")

#: Every command and the function that carries it out, in the order of the help.
COMMANDS = {
    "init": "setup:init",
    "config": "setup:configuration",
    "plan": "syncing:plan",
    "sync": "syncing:sync",
    "watch": "running:watch",
    "serve": "running:serve",
    "status": "reading:status",
    "ls": "reading:ls",
    "show": "reading:show",
    "search": "reading:search",
    "verify": "syncing:verify",
    "audit": "freshness:audit",
    "review": "freshness:review",
    "runs": "reading:runs",
    "retry": "syncing:retry",
    "reindex": "syncing:reindex",
    "doctor": "setup:doctor",
}

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration; default: freshkb.yaml here or above."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else there.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Log what is done to stderr.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print no human text but errors.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only this source.", metavar="ID")]


class Commands(TyperGroup):
    """Errors become one clear message, or a line of JSON, and the exit code of the contract."""

    _as_json = False

    def main(self, args: Sequence[str] | None = None, *others: Any, **named: Any) -> Any:
        given = sys.argv[1:] if args is None else list(args)
        self._as_json = "--json" in (given[: given.index("--")] if "--" in given else given)
        return super().main(args, *others, **named)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with self._told():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        begun = time.perf_counter()
        with self._told():
            try:
                return super().invoke(ctx)
            finally:
                log.debug("Ended after %.2f s.", time.perf_counter() - begun)

    @contextmanager
    def _told(self) -> Iterator[None]:
        from connectors.base import ConnectorError, UnknownConnector
        from index.errors import FreshkbError, code_of

        try:
            yield
        except (typer.Exit, typer.Abort):
            raise
        except FreshkbError as error:
            self._fail(code_of(error), str(error), error.exit_code)
        except ConnectorError as error:
            self._fail(code_of(error), str(error), 2 if isinstance(error, UnknownConnector) else 1)
        except KeyboardInterrupt as error:
            self._fail("interrupted", str(error) or "Interrupted.", 130)
        except BrokenPipeError:
            # The reader of a pipe had enough (`freshkb ls | head`).
            _discard_output()
            raise typer.Exit(0) from None
        except OSError as error:
            _discard_output()
            said = f"{error.filename or 'The output'} cannot be used: {error.strerror or error}."
            self._fail("os_error", said, 1)
        except Exception as error:
            if not self._as_json:
                raise
            # Errors of a wrong call have no public class of their own.
            usage = getattr(error, "format_message", None)
            if usage is not None:
                self._fail("usage", usage(), 2)
            sys.stderr.write(covered_traceback(error))
            self._fail("internal_error", f"{type(error).__name__}: {error}", 1)

    def _fail(self, code: str, message: str, exit_code: int) -> NoReturn:
        if self._as_json:
            said = _json({"error": {"code": code, "message": redact(message)}})
            print(said, file=sys.stderr, flush=True)
        else:
            warn(message if code == "interrupted" else f"Error: {message}")
        raise typer.Exit(exit_code)


class Command(TyperCommand):
    """What is not a path is Unicode text: a query, a name, a note. Paths may be any bytes."""

    def invoke(self, ctx: Any) -> Any:
        for parameter in self.params:
            value = ctx.params.get(parameter.name)
            for text in value if isinstance(value, list | tuple) else [value]:
                if isinstance(text, str) and not is_unicode(text):
                    said = _not_unicode(text, parameter.name)
                    raise typer.BadParameter(said, ctx=ctx, param_hint=f"'{parameter.name}'")
        return super().invoke(ctx)


def _not_unicode(text: str, name: str | None) -> str:
    said = f"{text!r} is not UTF-8 text."
    if name in ("uri", "uris"):
        from connectors.paths import encode

        said += f" Of a document with such a name, `freshkb ls` prints the uri: {encode(text)}"
    return said


def _discard_output() -> None:
    """Of what could not be written Python would complain once more at exit."""
    with suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def application(*asked: str) -> typer.Typer:
    """The command line with all commands; with only the one that is asked for, because each takes 2 ms."""
    app = typer.Typer(
        name="freshkb",
        help="Keeps a vector knowledge base equal to its sources, and says what has gone stale.",
        cls=Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    # A group of one command is a group only with a callback.
    app.callback()(_program)
    for name in [name for name in asked if name in COMMANDS] or COMMANDS:
        module, _, function = COMMANDS[name].partition(":")
        app.command(name, cls=Command)(getattr(importlib.import_module(f"flows.cli.{module}"), function))
    return app


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"freshkb {version('freshkb')}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None: ...


class Console:
    """Where a command's words and data go."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False, service: bool = False
    ) -> None:
        """`service`: a command that runs until it is stopped, and logs what it does."""
        self.as_json = as_json
        self.quiet = quiet
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Half a character, which a broken title may hold, is written as JSON escapes it.
            sys.stdout.reconfigure(
                encoding="utf-8" if as_json else sys.stdout.encoding, errors="backslashreplace"
            )
        logs.set_up(verbose=verbose, quiet=quiet, service=service)
        log.debug("Python %s, process %d.", sys.version.split()[0], os.getpid())

    def say(self, text: str = "") -> None:
        """Human text."""
        if not self.quiet:
            print(printable(covered(text)), file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def data(self, value: object) -> None:
        """The command's JSON, when it was asked for."""
        if self.as_json:
            print(_json(value, indent=2 if sys.stdout.isatty() else None), flush=True)

    def line(self, value: Mapping[str, Any]) -> None:
        """One JSON object on a line of its own."""
        if self.as_json:
            print(_json(value), flush=True)


def warn(text: str) -> None:
    print(printable(redact(text)), file=sys.stderr, flush=True)


def _json(value: object, indent: int | None = None) -> str:
    """JSON in which unprintable characters are escaped, too."""
    return printable_json(covered(json.dumps(value, ensure_ascii=False, indent=indent)))


def load_config(path: Path | None) -> Config:
    from index.config import load

    config = load(path, os.environ, Path.cwd())
    ledger = config.ledger.partition(":")[0]
    log.debug(
        "Configuration: %d sources, ledger %s, store %s.", len(config.sources), ledger, config.index.store
    )
    return config


@contextmanager
def opened(path: Path | None, source: str | None = None) -> Iterator[Mirror]:
    """The configured knowledge base. Raises ConfigError for a source that is and was not configured."""
    config = load_config(path)
    from index.disk.private import umask_of
    from index.mirror import Mirror

    with umask_of(config.state_dir), Mirror(config) as mirror:
        if source is not None:
            from index.origin import chosen_sources

            chosen_sources(mirror, [source])
        yield mirror


class Stop(threading.Event):
    """Set when a command is asked to end."""

    by: int | None = None
    """The signal that asked first."""


@contextmanager
def stoppable(*, service: bool = False) -> Iterator[Stop]:
    """A `Stop` that Ctrl-C and SIGTERM set, so that the batch in hand is finished; a second Ctrl-C ends at
    once, which leaves no more than a crash would. A service says so in its log."""
    stop = Stop()

    def asked(number: int) -> None:
        stop.by = stop.by or number
        # Not through `sys.stderr`: the signal may have come in the middle of a line to it.
        said = "Stopping after the batch in hand …"
        os.write(2, f"{logs.line('cli', said) if service else said}\n".encode())

    with graceful(stop, asked):
        yield stop


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
