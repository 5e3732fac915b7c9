"""Many short random traces; `python -m tests.model` runs long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.parse import Parser
from tests.model.operations import generate
from tests.model.trial import Reader, Trial


@pytest.fixture(scope="session")
def reader(parser: Parser, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(parser, tmp_path_factory.mktemp("reader"))


def test_the_same_seed_gives_the_same_trace() -> None:
    assert generate(3, 100) == generate(3, 100)
    assert generate(3, 100)[:50] == generate(3, 50)
    assert generate(3, 100) != generate(4, 100)


@pytest.mark.parametrize("seed", range(20))
def test_the_index_equals_its_source_after_whatever_happens(
    seed: int, tmp_path: Path, reader: Reader
) -> None:
    trace = generate(seed, 50)
    try:
        Trial(tmp_path / "kb", reader).run(trace)
    except Exception as error:
        error.add_note("\n".join(["", f"seed {seed}:", *map(str, trace)]))
        raise
