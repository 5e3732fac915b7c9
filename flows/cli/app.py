"""All commands as one application: which there are, how they are called, and how they end."""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from flows.cli.console import json_text, warn
from flows.cli.options import Group
from flows.log_records import covered_traceback
from index.printable import is_unicode
from index.redact import redact

log = logging.getLogger("freshkb.cli")

#: Every command, in the order of the help: a module each, and in it a function or a group of that name.
COMMANDS = (
    "init",
    "config",
    "sources",
    "plan",
    "sync",
    "watch",
    "ui",
    "serve",
    "status",
    "ls",
    "show",
    "search",
    "find",
    "verify",
    "purge",
    "audit",
    "notify",
    "review",
    "hold",
    "erase",
    "receipts",
    "runs",
    "retry",
    "reindex",
    "backup",
    "log",
    "doctor",
)


class Commands(TyperGroup):
    """Errors become one clear message, or a line of JSON, and the exit code of the contract."""

    _as_json = False

    def main(self, args: Sequence[str] | None = None, *others: Any, **named: Any) -> Any:
        given = sys.argv[1:] if args is None else list(args)
        self._as_json = "--json" in (given[: given.index("--")] if "--" in given else given)
        return super().main(args, *others, **named)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with self._errors_shown():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        begun = time.perf_counter()
        with self._errors_shown():
            try:
                return super().invoke(ctx)
            finally:
                log.debug("Ended after %.2f s.", time.perf_counter() - begun)

    @contextmanager
    def _errors_shown(self) -> Iterator[None]:
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
            said = json_text({"error": {"code": code, "message": redact(message)}})
            print(said, file=sys.stderr, flush=True)
        else:
            warn(message if code == "interrupted" else f"Error: {message}")
        raise typer.Exit(exit_code)


class Command(TyperCommand):
    """An argument that is not a path is Unicode text: a query, a name, a note. Paths may be any bytes."""

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
        found = getattr(importlib.import_module(f"flows.cli.{name}"), name)
        if isinstance(found, Group):
            below = typer.Typer(help=found.help, no_args_is_help=True, rich_markup_mode=None)
            for verb, function in found.commands.items():
                below.command(verb, cls=Command)(function)
            app.add_typer(below, name=name)
        else:
            app.command(name, cls=Command)(found)
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
