"""The bytes of an attached file, as they come from a child: written and hashed, a block at a time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from index.errors import scratch_errors
from index.model import Failure
from index.parse.answers import failure_of
from index.parse.child import Child
from index.parse.sandbox import FILE_BYTES_MAX

_BLOCK = 1 << 20


def received(into: Path, answer: dict[str, Any], child: Child, seconds: float) -> str | Failure:
    """The sha256 hash, hex, of the bytes that follow an answer, which the file `into` has then; or the
    failure that the child answers with. Raises as `Child.receive` does, and ScratchError."""
    if (failure := failure_of(answer)) is not None:
        return failure
    size, deadline = answer["content"], time.monotonic() + seconds
    if type(size) is not int or not 0 <= size <= FILE_BYTES_MAX:
        raise ValueError("This is no size.")
    seen = hashlib.sha256()
    with _written(into) as write:
        for start in range(0, size, _BLOCK):
            block = child.read(min(_BLOCK, size - start), deadline)
            seen.update(block)
            write(block)
    return seen.hexdigest()


@contextmanager
def _written(into: Path) -> Iterator[Callable[[bytes], None]]:
    """Writes to the file. Only an error of its own is a ScratchError: a late child raises an OSError, too."""
    with scratch_errors(into.parent):
        file = into.open("wb")

    def write(block: bytes) -> None:
        with scratch_errors(into.parent):
            file.write(block)

    with closing(file):
        yield write
        with scratch_errors(into.parent):
            file.flush()
