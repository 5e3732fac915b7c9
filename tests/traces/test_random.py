"""Many random traces; `python -m tests.traces` runs chosen ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.traces.operations import generate
from tests.traces.oracle import Reader
from tests.traces.traces import attempt, save
from tests.traces.trial import StoreKind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        soak = metafunc.config.getoption("--soak")
        # `make soak` has 500 traces on Edge besides.
        edge, qdrant = (3, 20) if soak else (2, 1)
        chosen = [("edge", seed) for seed in range(edge)] + [("qdrant", seed) for seed in range(qdrant)]
        metafunc.parametrize(("store", "seed"), chosen)
        metafunc.parametrize("length", [200 if soak else 50])


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
def test_the_index_equals_its_source_after_whatever_happens(
    store: StoreKind, seed: int, length: int, reader: Reader
) -> None:
    trace = generate(seed, length)
    outcome = attempt(trace, reader, store)
    if outcome.failure:
        path = Path(tempfile.gettempdir()) / f"freshkb-trace-{store}-{seed}.jsonl"
        save(path, seed, store, trace, outcome)
        pytest.fail(f"{outcome.failure}\nReplay it with: python -m tests.traces --shrink --replay {path}")
