"""``python -m benchmarks.reading``: what is read of documents whose text is known, beside unstructured's own
`partition`. The documents are those of `tests.scores`, whose docstrings say what each score is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from index.freshness.properties import by_name
from index.model import Parsed
from index.parse import Parser, nlp
from tests.scores import KINDS, Kind, Scores, Truth, mean, score, written

SEEDS = range(1, 6)
COLUMNS = ("recall", "precision", "order", "headings", "cells", "title", "date")


def rows() -> Iterator[tuple[str, str, Scores | None]]:
    """(format, reader, its scores); None where it cannot read the format."""
    with Parser() as parser, tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            made = [one for seed in SEEDS if (one := written(kind, Path(folder), seed)) is not None]
            if made:
                yield name, "freshkb", mean([_ours(parser, kind, *one) for one in made])
                theirs = [_theirs(kind, *one) for one in made]
                yield name, "unstructured", mean([one for one in theirs if one]) if all(theirs) else None


def _ours(parser: Parser, kind: Kind, path: Path, known: Truth) -> Scores:
    parsed = parser.parse(path, path.suffix, timeout_seconds=120)
    if not isinstance(parsed, Parsed):
        raise RuntimeError(f"{path.name} was not read: {parsed.reason}")
    found = [(e.text, tuple(e.heading_path), e.kind == "Table") for e in parsed.elements]
    return score(kind, known, found, parsed.title, by_name(parsed.properties))


def _theirs(kind: Kind, path: Path, known: Truth) -> Scores | None:
    """Of unstructured, whose titles above an element are found by its parents, and whose tables are HTML."""
    os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
    from unstructured.partition.auto import partition

    # It would download its model.
    nlp.install()
    try:
        elements = partition(str(path), languages=[""])
    except (ImportError, ValueError):
        return None
    by_id = {element.id: element for element in elements}

    def above(element: Any) -> tuple[str, ...]:
        parent = by_id.get(element.metadata.parent_id)
        return () if parent is None else (*above(parent), parent.text)

    found = [(_table(e) or e.text, above(e), e.category == "Table") for e in elements]
    # It gives an element's metadata, and none of the document.
    return replace(score(kind, known, found, "", {}), title=None, date=None)


def _table(element: Any) -> str:
    from index.parse.readers.html import rows_of, tree

    root = tree(element.metadata.text_as_html or "")
    if root is None:
        return ""
    return "\n".join(" | ".join(cell.strip() for cell in row) for row in rows_of(root))


def table(found: Sequence[tuple[str, str, Scores | None]]) -> str:
    """The scores in Markdown, in percent."""
    lines = ["| format | reader | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, reader, scores in found:
        values = ["" if scores is None else _percent(scores.values()[column]) for column in COLUMNS]
        lines.append(f"| {name} | {reader} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    print(table(list(rows())))
