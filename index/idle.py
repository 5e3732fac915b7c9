"""Letting go what nothing has used for a while."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from index.cores import cores

#: Option of the GNU C library's `mallopt`.
_M_ARENA_MAX = -8


class Idle:
    """Calls `release`, in a thread of its own, once there was no `touch` for so many seconds; again after the
    next touch. `seconds` None: never.

    `release` decides what it can let go: something may be in use by then, whose end is another touch.
    """

    def __init__(
        self,
        seconds: float | None,
        release: Callable[[], object],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._release = release
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._touched = 0.0
        self._waiting = False
        """Whether there is a thread. There is none after a release."""

    def touch(self) -> None:
        """Count the time without use from now on."""
        if self._seconds is None:
            return
        with self._lock:
            self._touched = self._clock()
            if self._waiting:
                return
            # A daemon: an interpreter that ends does not wait for it. Where none can be started, the next
            # touch tries again.
            waiting = threading.Thread(target=self._wait, args=(self._seconds,), name="idle", daemon=True)
            with suppress(RuntimeError):
                waiting.start()
                self._waiting = True

    def _wait(self, seconds: float) -> None:
        while True:
            with self._lock:
                left = self._touched + seconds - self._clock()
                self._waiting = left > 0
            if left <= 0:
                break
            self._sleep(left)
        self._release()


def give_back() -> None:
    """Give memory that nothing holds any more back to the machine. The C library keeps it for later else."""
    gc.collect()
    if (trim := _malloc("malloc_trim")) is not None:
        trim(0)


def share_arenas() -> None:
    """From now on, have threads share an arena of the C library for each core, unless the environment says
    otherwise: of its eight for each, most hold memory that other threads could use. For all of the process,
    before it has threads."""
    if "MALLOC_ARENA_MAX" not in os.environ and (option := _malloc("mallopt")) is not None:
        option(_M_ARENA_MAX, max(2, cores()))


def _malloc(name: str) -> Callable[..., int] | None:
    """A function of the C library's allocator; None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
