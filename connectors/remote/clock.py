"""Whether a later change of a document could get the modification time that it has now.

Servers keep times in seconds or less, and their clocks are not ours. A version is told from any later one by
its time once the server's clock is past that time. WebDAV says what that clock is; for the others, ours is
trusted to an hour. A version that was looked at before, and is the same two seconds later, has an older time
whatever the clocks say.
"""

from __future__ import annotations

import time

#: Nanoseconds in which two changes may get the same time: with fractions of a second, and in whole seconds
#: (every other one on FAT, and one for a server's clock that is told in whole seconds).
FINE = 20_000_000
COARSE = 3_000_000_000
#: Nanoseconds that a server's clock may differ from ours.
SKEW = 3_600_000_000_000
#: Versions that are remembered.
MOST_SEEN = 50_000


class Clock:
    """The times of one server's documents."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}
        """uri → its token, and when it was first seen, by a clock that never goes back. Recent ones alone."""

    def saw(self, uri: str, token: str | None, modified_at: int | None) -> None:
        """This document was looked at, and had this version."""
        if token is None or modified_at is None or abs(time.time_ns() - modified_at) > SKEW:
            return
        known = self._seen.get(uri)
        if known is None and len(self._seen) >= MOST_SEEN:
            return
        if known is None or known[0] != token:
            self._seen[uri] = token, time.monotonic_ns()

    def ambiguous(self, uri: str, token: str | None, modified_at: int | None, now: int | None) -> bool:
        """Whether a change from now on may leave the token as it is; `now` is the server's clock, or None."""
        if modified_at is None:
            return False
        grain = FINE if modified_at % 1_000_000_000 else COARSE
        if now is not None:
            return abs(now - modified_at) <= grain
        if abs(time.time_ns() - modified_at) > SKEW:
            return False
        known = self._seen.get(uri)
        return known is None or known[0] != token or time.monotonic_ns() - known[1] <= grain


def just_now(modified_at: int | None, now: int | None) -> bool:
    """Whether a document was modified so recently that its writer may not be done."""
    return modified_at is not None and abs((now or time.time_ns()) - modified_at) <= COARSE
