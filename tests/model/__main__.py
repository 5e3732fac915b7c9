"""Run traces by hand: ``python -m tests.model --seed 7 --ops 500 --seeds 4 --shrink``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from index.parse import Parser
from tests.model.operations import Operation, generate
from tests.model.trial import Reader, Trial


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.model")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--ops", type=int, default=200)
    options.add_argument("--seeds", type=int, default=1, help="so many seeds from the first one on")
    options.add_argument("--shrink", action="store_true", help="look for a shorter trace that fails")
    chosen = options.parse_args()
    failures, done, started = 0, Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, Parser(timeout_seconds=60) as parser:
        reader = Reader(parser, Path(scratch))
        for seed in range(chosen.seed, chosen.seed + chosen.seeds):
            trace = generate(seed, chosen.ops)
            found = attempt(trace, reader, done)
            if found and chosen.shrink:
                trace = shrink(trace, reader, found)
                found = attempt(trace, reader, done)
            if found:
                failures += 1
                print(f"--- seed {seed}", *trace, found, sep="\n", flush=True)
    print(f"{sum(done.values())} operations in {time.monotonic() - started:.0f} s, {failures} of", end=" ")
    print(f"{chosen.seeds} seeds failed: {dict(done)}")
    return 1 if failures else 0


def attempt(trace: Sequence[Operation], reader: Reader, done: Counter[str]) -> str:
    """How the trace fails; "" when it does not."""
    with tempfile.TemporaryDirectory() as home:
        trial = Trial(Path(home) / "kb", reader)
        try:
            trial.run(trace)
        except Exception:
            return traceback.format_exc(limit=-3)
        finally:
            done.update(trial.done)
    return ""


def shrink(trace: list[Operation], reader: Reader, found: str) -> list[Operation]:
    """Leave out what the failure does not need: halves, quarters, … single operations, until none can go."""
    size = max(len(trace) // 2, 1)
    while size:
        start, before = 0, len(trace)
        while start < len(trace):
            shorter = trace[:start] + trace[start + size :]
            now = attempt(shorter, reader, Counter())
            if now and kind(now) == kind(found):
                trace = shorter
            else:
                start += size
        size = size // 2 if size > 1 or len(trace) == before else 1
    return trace


def kind(found: str) -> str:
    """The place of a failure, without what differs from run to run."""
    return "\n".join(line for line in found.splitlines() if line.startswith("  File"))


if __name__ == "__main__":
    sys.exit(main())
