"""Where log lines go, and how they look: the one place that sets up logging.

Each room of the house has a logger below ``freshkb`` (``freshkb.sync``, ``freshkb.store`` …). A line has the
time (RFC 3339, UTC), the level, the logger and what happened::

    2026-06-01T12:00:00.123Z INFO freshkb.sync: handbook: 32 of 250 documents: 32 added; …

Lines are about ids and counts. Warnings and errors besides say what a person is told of the same trouble.
They go to stderr, and nowhere else: Prefect keeps its own log, and learns none of them.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime

from flows.log_records import cover
from index.printable import printable, printable_line

#: Set for the processes of flow runs by a `freshkb serve` that is to say more.
VERBOSE = "FRESHKB_VERBOSE"

LOGGER = "freshkb"


class Line(logging.Formatter):
    """One record, one line; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = f"{at.replace('+00:00', 'Z')} {record.levelname} {record.name}"
        line = f"{head}: {printable_line(record.getMessage())}"
        if record.exc_info:
            line = f"{line}\n{printable(self.formatException(record.exc_info))}"
        return line


class Stderr(logging.Handler):
    """The stderr of the moment at which a line comes."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def set_up(*, verbose: bool = False, quiet: bool = False, service: bool = False) -> None:
    """From now on the lines of this process are those that were asked for: of a service what it does, of
    another command what needs attention; `verbose` all, `quiet` errors only."""
    cover()
    handler = Stderr()
    handler.setFormatter(Line())
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    # Prefect sets up the root logger, and would print each line once more.
    logger.propagate = False
    usual = logging.INFO if service else logging.WARNING
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else usual)


def set_up_flow() -> None:
    """For a process that no command set up: one that runs a flow on a schedule."""
    cover()
    if not logging.getLogger(LOGGER).handlers:
        set_up(verbose=bool(os.environ.get(VERBOSE)), service=True)
        dress_others()


def hush_prefect(*, verbose: bool = False) -> None:
    """For this process and those that it starts, before Prefect is imported: on stderr it says what needs
    attention, since what flow runs came to is among our own lines. Its server hears what it always does."""
    if verbose:
        os.environ[VERBOSE] = "1"
    else:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")


def dress_others() -> None:
    """Let what Prefect and other libraries say on stderr look like ours, once Prefect is imported."""
    from prefect.logging.handlers import PrefectConsoleHandler

    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.setFormatter(Line())


def line(logger: str, message: str) -> str:
    """An INFO line for a signal handler, which must not use the loggers: their locks may be taken."""
    record = logging.LogRecord(f"{LOGGER}.{logger}", logging.INFO, "", 0, message, (), None)
    return Line().format(record)
