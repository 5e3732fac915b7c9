"""How a command that is at work is stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flows import logs
from flows.stop import graceful


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
