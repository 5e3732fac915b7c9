"""Files that are read ahead: the system is told which will be read, and reads them at the disk's own pace.

The engine has the system let go of a shard's files when it closes them, and reads points in no order: of a
verify of 100,000 chunks, waiting for the disk was a third.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: Bytes of one call; of more, Linux reads the beginning alone.
PORTION_BYTES = 1 << 20
#: The name of the thread in which files are read ahead beside searches.
AHEAD = "freshkb-store-ahead"
#: Files of a shard that hold texts, vectors, and the postings of words: each question reads some of each.
ASKED = (
    "segments/*/payload_storage/*.dat",
    "segments/*/vector_storage/*.dat",
    "segments/*/vector_index-*/*.dat",
)
#: All files of points.
ALL = ("segments/**/*.dat",)


def read_ahead(shard: Path, patterns: Iterable[str]) -> None:
    """Have Linux read these files, unless they would take more than a quarter of the memory."""
    if sys.platform != "linux":
        return
    with suppress(OSError):  # The engine may remove a segment, and an erasure the shard, while it is listed.
        files = [path for pattern in patterns for path in shard.glob(pattern)]
        if sum(path.stat().st_blocks * 512 for path in files) > memory() // 4:
            return
        for path in files:
            with path.open("rb") as file:
                for at in range(0, os.fstat(file.fileno()).st_size, PORTION_BYTES):
                    os.posix_fadvise(file.fileno(), at, PORTION_BYTES, os.POSIX_FADV_WILLNEED)


def memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
