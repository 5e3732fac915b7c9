"""A program of its own that rewrites files: ``python rewriter.py ROOT KEPT SEED NUMBER``.

Each line of its standard input names a file, which it then rewrites in a burst, many times without pause. It
ends when it has rewritten NUMBER times, or when there are no more lines.

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

#: Bytes of one write: so few that a rewrite takes a millisecond, and is nearly always under way.
PIECE = 8
#: Rewrites of a burst, at most: longer than a reader waits for a file to hold still.
BURST = 60
#: Seconds that a reader waits for a file to hold still, less what a clock's tick may hide.
PATIENCE = 0.008


def version(way: str, number: int, old: bytes = b"") -> bytes:
    """All versions of a file are equally long, but of one whose time is set back, and of one that grows."""
    lines = range(1 if old and way == "appended" else 100)
    text = "".join(f"This is line {line:03} of version {number:05} of {way}.\n\n" for line in lines)
    return (old if way == "appended" else b"") + text.encode() + b"\n" * (number if way == "set_back" else 0)


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


def between(way: str, old: bytes, new: bytes) -> Iterator[bytes]:
    """The states of the file while it is rewritten."""
    for end in range(0, len(new), PIECE):
        yield new[:end] + (b"" if way == "truncated" else old[end:])


def keep(folder: Path, data: bytes) -> None:
    (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)


def rewrite(path: Path, kept: Path, number: int) -> None:
    way, old = path.stem, path.read_bytes()
    new = version(way, number, old)
    keep(kept / "whole", new)
    started = time.monotonic()
    WAYS[way](path, new)
    if time.monotonic() - started > PATIENCE and way not in ("replaced", "appended"):
        for state in between(way, old, new):
            keep(kept / "paused", state)


def main(root: Path, kept: Path, seed: int, number: int) -> None:
    chance, done = random.Random(seed), 0
    while done < number:
        path = root / sys.stdin.readline().strip()
        if path == root:
            return
        for _ in range(chance.randint(1, BURST)):
            done += 1
            rewrite(path, kept, done)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
