"""Try a trace, make one that fails shorter, and keep it as a file that can be replayed.

A file holds a JSON object a line: the request, each operation, and the end.
"""

from __future__ import annotations

import json
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.traces.operations import Operation
from tests.traces.oracle import Reader
from tests.traces.trial import StoreKind, Trial


@dataclass(slots=True)
class Outcome:
    failure: str = ""
    """Where and how it failed; "" when it did not."""
    log: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    crashes: int = 0

    @property
    def place(self) -> str:
        """Where it failed, without what differs from run to run."""
        return "\n".join(line for line in self.failure.splitlines() if line.startswith("  File"))


def attempt(trace: Sequence[Operation], reader: Reader, store: StoreKind = "edge") -> Outcome:
    # Beside what the reader keeps: the tests have that in memory.
    with tempfile.TemporaryDirectory(prefix="freshkb-trace-", dir=reader.scratch) as home:
        trial = Trial(Path(home) / "kb", reader, store)
        failure = ""
        try:
            trial.run(trace)
        except Exception:
            failure = traceback.format_exc(limit=-3)
    return Outcome(failure, trial.log, trial.done, trial.crashes)


def shrink(
    trace: Sequence[Operation], found: Outcome, again: Callable[[Sequence[Operation]], Outcome]
) -> tuple[list[Operation], Outcome]:
    """Leave out what the failure does not need: halves, quarters, … single operations, until none can go."""
    left, size = list(trace), max(len(trace) // 2, 1)
    while size:
        start, before = 0, len(left)
        while start < len(left):
            shorter = left[:start] + left[start + size :]
            now = again(shorter)
            if now.failure and now.place == found.place:
                left, found = shorter, now
            else:
                start += size
        size = size // 2 if size > 1 or len(left) == before else 1
    return left, found


def save(path: Path, seed: int, store: StoreKind, trace: Sequence[Operation], found: Outcome) -> None:
    asked = {"seed": seed, "store": store, "operations": len(trace)}
    rows = [asked, *map(asdict, trace), {"failure": found.failure, "log": found.log}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def load(path: Path) -> tuple[int, StoreKind, list[Operation]]:
    asked, *rows, _ = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return asked["seed"], asked["store"], [Operation(**row) for row in rows]
