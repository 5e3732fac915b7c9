"""Progress on stderr while work goes on: bars, and a word where nothing moves."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from index.outcome import NoProgress, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from index.workspace import Workspace

#: Seconds after which a wait is worth a line in a log.
SLOW_SECONDS = 5.0
#: Columns below which a bar would take the place of the numbers.
WIDE_COLUMNS = 80
#: Columns of a count of millions, the time, a word and the gaps; and the fewest of a source's name.
NUMBERS_COLUMNS = 34
NAME_COLUMNS_MIN = 6


class Bars:
    """One bar a source, counting documents, with the chunks embedded so far, or what is waited for, beside
    it. Told from several threads."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._embedded = 0
        self._waits: list[str] = []

    def source(self, source: str, documents: int) -> None:
        if documents:
            self._embedded = 0
            self._task = self._bars.add_task(source, total=documents, doing="")
            self._show()

    def documents(self, count: int) -> None:
        if self._task is not None:
            self._bars.advance(self._task, count)

    def chunks(self, count: int) -> None:
        self._embedded += count
        self._show()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        self._waits.append(what)
        self._show()
        try:
            yield
        finally:
            self._waits.remove(what)
            self._show()

    def _show(self) -> None:
        if self._task is not None:
            doing = f"{self._waits[-1]} …" if self._waits else f"{self._embedded:,} chunks embedded"
            self._bars.update(self._task, doing=doing)


@contextmanager
def progress(workspace: Workspace, *, quiet: bool) -> Iterator[Progress]:
    """Bars for people; without a terminal, or with `quiet`, nothing but a word where it takes long."""
    if quiet or not sys.stderr.isatty():
        workspace.waiting = waiting(quiet=quiet)
        yield NoProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Rich
    from rich.table import Column

    console = Console(stderr=True)
    # Where the line is too short for all, names and words lose their ends, and no number does.
    name_columns = max(NAME_COLUMNS_MIN, min(30, console.width - NUMBERS_COLUMNS))
    name = Column(no_wrap=True, overflow="ellipsis", max_width=name_columns)
    words = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns: list[ProgressColumn | str] = [
        TextColumn("{task.description}", table_column=name),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[doing]}", table_column=words),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
    ]
    if console.width >= WIDE_COLUMNS:
        columns.insert(1, BarColumn(bar_width=console.width // 4))
    with Rich(*columns, console=console, transient=True, expand=True) as live:
        bars = Bars(live)
        workspace.waiting = bars.waiting
        yield bars


def waiting(*, quiet: bool) -> Callable[[str], AbstractContextManager[object]]:
    """Says what is waited for: on a terminal at once, and only as long; in a log once it takes long."""
    if quiet:
        return nullcontext
    return _on_terminal if sys.stderr.isatty() else _in_log


@contextmanager
def _on_terminal(what: str) -> Iterator[None]:
    text = f"{_sentence(what)} …"
    print(text, end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(f"\r{' ' * len(text)}\r", end="", file=sys.stderr, flush=True)


@contextmanager
def _in_log(what: str) -> Iterator[None]:
    said = threading.Timer(SLOW_SECONDS, print, [f"{_sentence(what)} …"], {"file": sys.stderr, "flush": True})
    said.daemon = True
    said.start()
    try:
        yield
    finally:
        said.cancel()


def _sentence(what: str) -> str:
    return what[:1].upper() + what[1:]
