"""Traces can be repeated, kept, replayed and made shorter; and faults that are put in are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import index.sync.apply
import index.sync.diff
import index.sync.sync
from connectors.base import Listing
from index.store.base import Session
from tests.traces.__main__ import main
from tests.traces.operations import ALWAYS, STRETCH, WEIGHTS, generate
from tests.traces.oracle import Reader
from tests.traces.traces import attempt, load


def test_the_same_seed_gives_the_same_trace() -> None:
    assert generate(3, 300) == generate(3, 300)
    assert generate(3, 300)[:50] == generate(3, 50)
    assert generate(3, 100) != generate(4, 100)


def test_each_stretch_leaves_out_other_operations_and_all_happen_somewhere() -> None:
    trace = generate(1, 5 + 10 * STRETCH)[5:]
    stretches = [{o.name for o in trace[i : i + STRETCH]} for i in range(0, len(trace), STRETCH)]
    assert all(ALWAYS <= names < set(WEIGHTS) for names in stretches)
    assert set().union(*stretches) == set(WEIGHTS)


def test_the_same_trace_has_the_same_outcomes_each_time(reader: Reader, soak: bool) -> None:
    first, second = (attempt(generate(7, 200 if soak else 30), reader) for _ in range(2))
    assert not first.failure, first.failure
    assert len(first.log) > 10
    assert first.log == second.log


def _forgets(session: Session, ids: Sequence[str]) -> None:
    """Deletes all but one, and does not look whether it worked."""
    session.delete(ids[1:])


def test_a_trace_that_fails_is_kept_shrinks_and_can_be_replayed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "freshkb-trace-edge-4.jsonl"
    with monkeypatch.context() as fault:
        fault.setattr(index.sync.apply, "remove", _forgets)
        assert main(["--seed", "4", "--ops", "8", "--shrink", "--out", str(tmp_path)]) == 1
        said = capsys.readouterr().out
        assert "the ledger does not know this point" in said and f"--replay {path}" in said
        seed, store, trace = load(path)
        assert (seed, store) == (4, "edge")
        # Something is written, and deleted after a sync; the one at the end of every trace does the rest.
        assert 0 < len(trace) <= 4
        assert set(trace) < set(generate(4, 8))
        assert "the ledger does not know this point" in path.read_text().splitlines()[-1]
        assert "the ledger does not know this point" in attempt(trace, reader).failure
    assert main(["--replay", str(path)]) == 0


def _nothing(*_: Any) -> int:
    return 0


#: Each with the length of traces of which some find it, and those seeds of the first ones.
FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], int, tuple[int, ...]]] = {
    "obsolete points are forgotten": (
        lambda m: m.setattr(index.sync.apply, "remove", _forgets), 10, (0, 3, 4),
    ),
    "nothing is recovered": (lambda m: m.setattr(index.sync.sync, "recover", _nothing), 15, (13, 16)),
    "no listing admits to be incomplete": (
        lambda m: m.setattr(Listing, "complete", True), 20, (3, 15, 18),
    ),
    "renamed documents are new ones": (
        lambda m: m.setattr(index.sync.diff, "pair_moves", lambda *_: []), 10, (8,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_put_in_is_found(
    fault: str, monkeypatch: pytest.MonkeyPatch, reader: Reader, soak: bool
) -> None:
    put_in, length, finding = FAULTS[fault]
    put_in(monkeypatch)
    # Should these traces do something else one day, others find it.
    seeds = range(20) if soak else (*finding, *range(20))
    assert any(attempt(generate(seed, 60 if soak else length), reader).failure for seed in seeds)
