"""Run traces by hand: ``python -m tests.traces --seed 7 --ops 500 --seeds 4 --shrink``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.traces.jobs import Trace, outcomes
from tests.traces.operations import generate
from tests.traces.traces import load, save


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.traces")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--ops", type=int, default=200, help="operations of a trace")
    options.add_argument("--seeds", type=int, default=1, help="so many seeds from the first one on")
    options.add_argument("--jobs", type=int, default=1, help="seeds that are tried side by side")
    options.add_argument("--store", choices=("edge", "qdrant"), default="edge")
    options.add_argument("--shrink", action="store_true", help="look for a shorter trace that fails")
    options.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()), help="for traces that fail")
    options.add_argument("--replay", type=Path, metavar="FILE", help="a trace that failed, instead of seeds")
    chosen = options.parse_args(arguments)
    warnings.filterwarnings("ignore", "Payload indexes have no effect in the local Qdrant", UserWarning)
    failures, traces, crashes = 0, 0, 0
    done, started = Counter[str](), time.monotonic()
    with outcomes(_traces(chosen), jobs=chosen.jobs, shorter=chosen.shrink) as found:
        for (seed, store, trace), outcome in found:
            traces += 1
            done.update(outcome.done)
            crashes += outcome.crashes
            seconds = time.monotonic() - started
            print(
                f"seed {seed}: {len(trace)} operations; {sum(done.values())} in {seconds:.0f} s", flush=True
            )
            if not outcome.failure:
                continue
            failures += 1
            path = chosen.out / f"freshkb-trace-{store}-{seed}.jsonl"
            save(path, seed, store, trace, outcome)
            print(*(trace if chosen.shrink else ()), outcome.failure, sep="\n")
            print(f"Replay it with: python -m tests.traces --shrink --replay {path}", flush=True)
    print(f"{sum(done.values())} operations and {crashes} crashes: {dict(done)}")
    print(f"{failures} of {traces} traces failed")
    return 1 if failures else 0


def _traces(chosen: argparse.Namespace) -> Iterator[Trace]:
    if chosen.replay is not None:
        yield load(chosen.replay)
        return
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        yield seed, chosen.store, generate(seed, chosen.ops)


if __name__ == "__main__":
    sys.exit(main())
