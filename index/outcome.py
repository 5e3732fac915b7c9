"""The outcome of a run: counts while it goes, a report at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

#: What becomes of documents in a sync.
DONE = ("added", "updated", "moved", "deleted", "expired", "touched")


class Seconds(dict[str, float]):
    """How long each step took: fetch, parse (with cutting into chunks), embed, write."""

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Count the seconds of the block as this step's."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add({step: time.perf_counter() - begun})

    def add(self, other: Mapping[str, float]) -> None:
        for step, seconds in other.items():
            self[step] = self.get(step, 0.0) + seconds

    def __str__(self) -> str:
        return ", ".join(f"{s} {self.get(s, 0.0):.2f} s" for s in ("fetch", "parse", "embed", "write"))


@dataclass(slots=True)
class Counts:
    """Counts of a batch, a source or a run: documents by outcome, chunks by the origin of their vectors."""

    documents: Counter[str] = field(default_factory=Counter)
    chunks: Counter[str] = field(default_factory=Counter)
    seconds: Seconds = field(default_factory=Seconds)

    def add(self, other: Counts) -> None:
        self.documents.update(other.documents)
        self.chunks.update(other.chunks)
        self.seconds.add(other.seconds)

    @property
    def words(self) -> str:
        return f"{in_words(self.documents)}; chunks: {in_words(self.chunks)}"

    def __str__(self) -> str:
        return f"{self.words}; {self.seconds}"


def in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"


class Progress(Protocol):
    """Callbacks on a sync's progress, called from the thread that runs it."""

    def source(self, source: str, documents: int) -> None: ...
    def documents(self, count: int) -> None: ...
    def chunks(self, count: int) -> None: ...


class NoProgress:
    """Callbacks that do nothing."""

    def source(self, source: str, documents: int) -> None: ...
    def documents(self, count: int) -> None: ...
    def chunks(self, count: int) -> None: ...


@dataclass(slots=True)
class SourceReport:
    """The outcome of a run for one source. Quarantined, skipped and held count all such documents now."""

    source: str
    complete: bool = True
    counts: Counts = field(default_factory=Counts)
    unchanged: int = 0
    refused: int = 0
    plan_hash: str | None = None
    error: str | None = None
    locked: bool = False
    """Whether another process was writing it, so that nothing was done."""
    reasons: tuple[str, ...] = ()
    """Why removals were refused."""
    by_state: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    withheld: int = 0
    """Listed documents that an order to erase keeps out, as planned; the counts have those that were found
    meanwhile."""
    findings: tuple[str, ...] = ()
    """Sentences about folders that are left out for good, and files that could not be moved on."""

    def json(self) -> dict[str, Any]:
        done = self.counts.documents
        return {
            "source": self.source,
            "complete": self.complete,
            **{name: done[name] for name in DONE},
            "unchanged": self.unchanged,
            **{name: self.by_state.get(name, 0) for name in ("quarantined", "skipped", "held")},
            "refused": self.refused,
            "withheld": self.withheld + done["withheld"],
            "plan_hash": self.plan_hash,
            "error": self.error,
        }


@dataclass(slots=True)
class RunReport:
    run_id: str
    sources: list[SourceReport] = field(default_factory=list)
    seconds: float = 0.0
    documents: int = 0
    """Documents in the index now: all that a search can find."""
    chunks_total: int = 0
    interrupted: bool = False
    error: str | None = None
    """Faults of the index as a whole."""

    @property
    def outcome(self) -> str:
        if self.interrupted:
            return "interrupted"
        if self.error or any(s.error and not s.locked for s in self.sources):
            return "failed"
        if any(s.refused or s.locked for s in self.sources):
            return "refused"
        return "partial" if any(s.by_state.get("quarantined") for s in self.sources) else "done"

    @property
    def exit_code(self) -> int:
        return {"interrupted": 130, "failed": 1, "refused": 4, "partial": 3, "done": 0}[self.outcome]

    def json(self) -> dict[str, Any]:
        chunks = sum((s.counts.chunks for s in self.sources), Counts().chunks)
        return {
            "run_id": self.run_id,
            "seconds": round(self.seconds, 3),
            "sources": [source.json() for source in self.sources],
            "chunks": {name: chunks[name] for name in ("embedded", "reused", "deleted")}
            | {"total": self.chunks_total},
            "documents": self.documents,
        }
