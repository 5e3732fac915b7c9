"""The rest of a listing, on disk: so that its source can be asked for documents before it is read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from connectors.base import Entry
from index.errors import scratch_errors

_STARTED = Entry("", None, None, None, None)


def spooled(entries: Iterable[Entry], folder: Path) -> Iterator[Entry]:
    """The same entries, all of which are taken in before this returns. Raises ScratchError."""
    found = _spooled(entries, folder)
    next(found)
    return found


def _spooled(entries: Iterable[Entry], folder: Path) -> Iterator[Entry]:
    with ExitStack() as stack:
        with scratch_errors(folder):
            # It has no name, and is gone when it is closed.
            file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii", dir=folder))
        for entry in entries:
            said = None if entry.properties is None else dict(entry.properties)
            line = json.dumps([*entry._replace(properties=said)])
            with scratch_errors(folder):
                file.write(f"{line}\n")
        with scratch_errors(folder):
            file.seek(0)
        yield _STARTED
        for line in file:
            yield Entry(*json.loads(line))
