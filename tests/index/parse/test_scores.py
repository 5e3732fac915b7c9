"""What is read of documents whose text is known: a floor for each format."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.freshness.properties import by_name
from index.model import Parsed
from index.parse import Parser
from tests.scores import KINDS, Scores, mean, score, written

#: The least of each score: recall, precision, order, headings, cells, title, date.
FLOORS = {
    "Markdown": (1, 1, 1, 1, 1, 1, 1),
    "HTML": (1, 1, 1, 1, 1, 1, 1),
    "text, old code pages": (1, 1, 1, None, None, None, None),
    "PDF": (0.99, 0.98, 0.99, 1, 1, 1, None),
    "PDF, two columns": (0.99, 0.98, 0.99, 1, 1, 1, None),
    "Word": (1, 1, 1, 1, 1, 1, None),
    "OpenDocument": (1, 1, 1, 1, 1, None, None),
    "RTF": (1, 1, 1, 1, 1, 1, None),
    "EPUB": (1, 1, 1, 1, 1, 1, None),
    "mail": (1, 0.9, 1, 1, 1, 1, 1),
    "Excel": (1, 1, 1, None, 1, 1, None),
    "PowerPoint": (1, 1, 1, 1, None, 1, None),
}
SEEDS = (1, 3)


def found(name: str, folder: Path, parser: Parser, seed: int) -> Scores | None:
    made = written(KINDS[name], folder, seed)
    if made is None:
        return None
    path, known = made
    parsed = parser.parse(path, path.suffix, timeout_seconds=60)
    assert isinstance(parsed, Parsed), parsed.reason
    elements = [(e.text, tuple(e.heading_path), e.kind == "Table") for e in parsed.elements]
    return score(KINDS[name], known, elements, parsed.title, by_name(parsed.properties))


@pytest.mark.parametrize("name", KINDS)
def test_a_format_is_read_as_it_was_written(name: str, parser: Parser, tmp_path: Path, soak: bool) -> None:
    seeds = SEEDS if soak else SEEDS[:1]
    scores = [one for seed in seeds if (one := found(name, tmp_path, parser, seed)) is not None]
    if not scores:
        pytest.skip(f"{KINDS[name].needs} is missing")
    reached = mean(scores).values()
    least = dict(zip(reached, FLOORS[name], strict=True))
    assert [key for key, floor in least.items() if (floor is None) != (reached[key] is None)] == []
    missed = {key: (got, least[key]) for key, got in reached.items() if (got or 0) < (least[key] or 0)}
    assert missed == {}
