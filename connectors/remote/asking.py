"""One question asked until the server answers it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from connectors.remote.server import Dropped, Server

#: Seconds before a question is asked again.
PAUSES = (0.2, 1.0, 4.0)
#: Seconds that a server may ask to be left alone for; a run that would wait longer comes again later instead.
LONGEST_WAIT = 60.0

Answer = TypeVar("Answer")


def ask(server: Server, question: Callable[[], Answer]) -> Answer:
    """The answer. When the connection drops or the server is busy, the question is asked again over a new
    connection, after a pause. Raises Dropped when that has been done often enough; other troubles at once."""
    for pause in PAUSES:
        try:
            return question()
        except Dropped as dropped:
            server.close()
            if dropped.after is not None and dropped.after > LONGEST_WAIT:
                raise Dropped(
                    f"{dropped}, and asks to come again in {dropped.after:,.0f} seconds"
                ) from dropped
            time.sleep(max(pause, dropped.after or 0.0))
    try:
        return question()
    except Dropped:
        server.close()
        raise
