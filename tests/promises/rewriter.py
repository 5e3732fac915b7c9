"""A program of its own that rewrites files: ``python rewriter.py ROOT KEPT SEED NUMBER``. After every `ROUND`
it waits for a byte on its standard input, so that there is time for a reader between the first and the last.

Before a version is written, it is kept whole in KEPT/whole, under the hash of its bytes. A rewrite that took
longer than a reader waits has stood still somewhere in the middle, because the processor was taken away: from
outside, the states it went through look as whole as any. These are kept in KEPT/paused.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

#: Bytes of one write: so few that a rewrite takes a good part of the time.
PIECE = 16
ROUND = 5
#: Seconds that a reader waits for a file to hold still, less what a clock's tick may hide.
PATIENCE = 0.015


def version(name: str, number: int, lines: int) -> bytes:
    text = "".join(f"This is line {line:03} of version {number:04} of {name}.\n\n" for line in range(lines))
    return text.encode()


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


def truncated(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        for piece in pieces(data):
            file.write(piece)


def overwritten(path: Path, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        for piece in pieces(data):
            file.write(piece)
        file.truncate()


def set_back(path: Path, data: bytes) -> None:
    info = path.stat()
    overwritten(path, data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def replaced(path: Path, data: bytes) -> None:
    new = path.with_name(".new")
    truncated(new, data)
    new.rename(path)


def appended(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(data[path.stat().st_size :])


def mapped(path: Path, data: bytes) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        for start, piece in zip(range(0, len(data), PIECE), pieces(data), strict=True):
            memory[start : start + PIECE] = piece
        memory.flush()


WAYS = {way.__name__: way for way in (truncated, overwritten, set_back, replaced, appended, mapped)}


def lines_of(way: str, number: int) -> int:
    """All versions are equally long, but of a file whose time is set back, and of one that grows."""
    return 20 + number % 100 if way == "set_back" else 60


def between(way: str, old: bytes, new: bytes) -> Iterator[bytes]:
    """The states of the file while it is rewritten."""
    for end in range(0, len(new), PIECE):
        yield new[:end] + (b"" if way == "truncated" else old[end:])


def keep(folder: Path, data: bytes) -> None:
    (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)


def rewrite(root: Path, kept: Path, seed: int, number: int) -> None:
    chance = random.Random(seed)
    files = [path for path in sorted(root.iterdir()) if path.stem in WAYS]
    for count in range(1, number + 1):
        path = chance.choice(files)
        way, old = path.stem, path.read_bytes()
        new = version(path.name, count, lines_of(way, count))
        new = old + version(path.name, count, 1) if way == "appended" else new
        keep(kept / "whole", new)
        started = time.monotonic()
        WAYS[way](path, new)
        if time.monotonic() - started > PATIENCE and way not in ("replaced", "appended"):
            for state in between(way, old, new):
                keep(kept / "paused", state)
        time.sleep(chance.choice((0, 0, 0.005, 0.03)))
        if count % ROUND == 0:
            sys.stdin.buffer.read(1)


if __name__ == "__main__":
    rewrite(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
