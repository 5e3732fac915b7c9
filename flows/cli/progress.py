"""Progress bars on stderr, for people: none without a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.outcome import Progress, Quiet

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Bars:
    """One bar a source, counting documents, with the chunks embedded so far beside it."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._embedded = 0

    def source(self, source: str, documents: int) -> None:
        if documents:
            self._embedded = 0
            self._task = self._bars.add_task(source, total=documents, chunks=0)

    def documents(self, count: int) -> None:
        if self._task is not None:
            self._bars.advance(self._task, count)

    def chunks(self, count: int) -> None:
        if self._task is not None:
            self._embedded += count
            self._bars.update(self._task, chunks=self._embedded)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    if quiet or not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Rich

    with Rich(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("documents, {task.fields[chunks]} chunks embedded"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        yield Bars(bars)
