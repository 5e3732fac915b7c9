"""Whether anybody is still writing a file.

A copy that is under way may stand still for a while, and a whole reading in that while gives half a document.
So a file has to have been left alone for some time, and nobody may have it open to write, where that can be
told.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

#: Seconds for which a file has to be left alone.
QUIET_SECONDS = 2.0


def seconds_until_quiet(info: os.stat_result) -> float:
    """0 when the file was left alone for long enough; at most QUIET_SECONDS. By its change time, which nobody
    can set: a copy may come with an old modification time."""
    return max(0.0, min(QUIET_SECONDS, info.st_ctime_ns / 1e9 + QUIET_SECONDS - time.time()))


def open_to_write(file: int) -> bool:
    """Whether somebody has this file, open to be read here, open to write. False where it cannot be told: on
    other systems than Linux, on network mounts, and of files that belong to others."""
    if sys.platform != "linux":
        return False
    try:
        # Whoever opens the file to write while the lease stands waits for its end, and this process gets
        # a signal, which must be one that is ignored.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def same(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether it is the same file, and nothing was written to it between."""
    return os.path.samestat(before, after) and (before.st_size, before.st_mtime_ns) == (
        after.st_size,
        after.st_mtime_ns,
    )
