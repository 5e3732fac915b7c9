"""A row of the table, the sizes of what is measured, and clocks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.corpus import Corpus


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything; the defaults are what the targets are about."""

    documents: int = 250
    rounds: int = 5
    """Of cheap measures; those that take minutes have `long_rounds`."""
    long_rounds: int = 2
    files: int = 100_000
    rows: int = 1_000_000
    edits: int = 50
    paragraphs: int = 300
    renamed: int = 100
    chunks: int = 100_000
    searches: int = 60
    pages: int = 600
    books: int = 12
    """PDFs that have these pages together, where several children read them."""
    small: int = 20_000
    many: int = 3_000
    """Documents that a sync takes no more memory for than for `documents`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    measure: str
    reached: float
    unit: str
    target: float | None = None
    """None: measured, and nothing is demanded of it."""
    sense: Literal["≥", "≤"] = "≤"
    detail: str = ""
    """The parts of the figure."""

    @property
    def ok(self) -> bool | None:
        if self.target is None:
            return None
        return self.reached >= self.target if self.sense == "≥" else self.reached <= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """measure, reached, target, ok, detail: as the table shows them."""
        target = "" if self.target is None else f"{self.sense} {_number(self.target)}{self.unit}"
        verdict = {True: "yes", False: "NO", None: ""}[self.ok]
        return self.measure, f"{_number(self.reached)}{self.unit}", target, verdict, self.detail

    def json(self) -> dict[str, Any]:
        return {
            "measure": self.measure,
            "reached": self.reached,
            "target": self.target,
            "sense": self.sense,
            "unit": self.unit.strip(),
            "ok": self.ok,
            "detail": self.detail,
        }


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Bench:
    """The input of a measure."""

    corpus: Corpus
    scale: Scale

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="freshkb-bench-") as name:
            yield Path(name).resolve()


Measure = Callable[[Bench], Iterator[Row]]


def seconds(work: Callable[[], object]) -> float:
    """How long this took by the wall clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best(rounds: int, *works: Callable[[], object]) -> tuple[float, ...]:
    """The shortest time of each, in seconds. They take turns, so that a slow moment of the machine does not
    fall on one of them alone, and every other round goes backwards, because the later one runs warmer."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        order = list(enumerate(works))
        for index, work in order if number % 2 == 0 else reversed(order):
            times[index].append(seconds(work))
    return tuple(min(found) for found in times)
