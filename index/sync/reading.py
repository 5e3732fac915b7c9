"""A document that a parser reads, between its fetching and its work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from index.model import Failure, Parsed
from index.sync.source import Source
from index.sync.work import Work


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that a parser reads: `work` waits for it, `drop` does not. One of them is called."""

    content: Path
    """Its bytes, to be removed."""
    size: int
    elements: Future[Parsed | Failure]
    finish: Callable[[Parsed | Failure], Work]
    source: Source

    def work(self) -> Work:
        try:
            return self.finish(self.source.parsed(self.elements))
        finally:
            self.content.unlink(missing_ok=True)

    def drop(self) -> None:
        """Have it not read, where that has not begun."""
        self.elements.cancel()
        self.content.unlink(missing_ok=True)
