"""How a command, a service or a flow is stopped: it is asked, and finishes the batch in hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def graceful(stop: threading.Event, asked: Callable[[int], None] | None = None) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stop`, and `asked` is called with the signal's number, each time; a second
    Ctrl-C raises KeyboardInterrupt at once, which leaves no more than a crash would.

    Signals reach the main thread only: elsewhere this does nothing. Prefect has handlers of its own, which
    would break the batch off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()
        if asked is not None:
            asked(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
