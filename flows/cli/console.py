"""Where a command's words and data go."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from flows import logs
from index.printable import printable, printable_json
from index.redact import covered, redact

log = logging.getLogger("freshkb.cli")


class Console:
    """Where a command's words and data go."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False, service: bool = False
    ) -> None:
        """`service`: a command that runs until it is stopped, and logs what it does."""
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
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
            print(json_text(value, indent=2 if sys.stdout.isatty() else None), flush=True)

    def line(self, value: Mapping[str, Any]) -> None:
        """One JSON object on a line of its own."""
        if self.as_json:
            print(json_text(value), flush=True)


def warn(text: str) -> None:
    print(printable(redact(text)), file=sys.stderr, flush=True)


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which unprintable characters are escaped, too."""
    return printable_json(covered(json.dumps(value, ensure_ascii=False, indent=indent)))


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
