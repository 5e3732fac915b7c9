"""Where tests keep their files: in memory, where there is room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

#: Where files are in memory, and how much room the tests want there.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 6 << 30


def roomy_memory() -> str | None:
    """The folder of files in memory; None, for the usual temporary folder, where there is not enough room.

    The tests would otherwise mostly wait for a disk that flushes, hundreds of times in each of them. Power
    cuts are not tested: a process that is killed has not lost what it wrote, flushed or not.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        return str(MEMORY)
    return None
