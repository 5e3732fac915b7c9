"""Traces tried one after another, or side by side in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from index.parse import Parser
from tests.memory import roomy_memory
from tests.traces.operations import Operation
from tests.traces.oracle import Reader
from tests.traces.traces import Outcome, attempt, shrink
from tests.traces.trial import StoreKind

Trace = tuple[int, StoreKind, Sequence[Operation]]
"""Seed, store and operations."""


@contextmanager
def outcomes(
    traces: Iterable[Trace], *, jobs: int, shorter: bool
) -> Iterator[Iterator[tuple[Trace, Outcome]]]:
    """Each trace with its outcome, in order; `shorter`: those that fail as short as they still fail."""
    tried = partial(_tried, shorter=shorter)
    with tempfile.TemporaryDirectory(dir=roomy_memory()) as scratch:
        if jobs == 1:
            with Parser(timeout_seconds=60) as parser:
                yield map(partial(tried, reader=Reader(parser, Path(scratch))), traces)
        else:
            with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (scratch,)) as pool:
                yield pool.map(tried, traces)


_readers: list[Reader] = []
"""The reader of a process that tries its traces beside others."""


def _begin(scratch: str) -> None:
    parser = Parser(timeout_seconds=60, children_max=1)
    _readers.append(Reader(parser, Path(tempfile.mkdtemp(dir=scratch))))


def _tried(trace: Trace, *, shorter: bool, reader: Reader | None = None) -> tuple[Trace, Outcome]:
    seed, store, operations = trace
    again = partial(attempt, reader=reader or _readers[0], store=store)
    outcome = again(operations)
    if outcome.failure and shorter:
        operations, outcome = shrink(operations, outcome, again)
    return (seed, store, operations), outcome
