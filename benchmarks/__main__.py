"""``python -m benchmarks [NAME…] [--corpus DIR] [--json]``: measure, and print one table.

Exits with 1 when a target was missed. Everything at full size takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    auditing,
    corpus,
    editing,
    embedding,
    erasing,
    footprint,
    parsing,
    planning,
    processes,
    purging,
    searching,
    source_fsspec,
    source_git,
    source_ingest,
    source_objects,
    source_sql,
    source_web,
)
from benchmarks.machine import Machine, describe
from benchmarks.measure import Bench, Measure, Row, Scale

#: The measures by name. Those that must not share their process with an imported torch come first: its many
#: objects slow Python's garbage collector down.
MEASURES: dict[str, Measure] = {
    "plan": planning.unchanged,
    "memory": planning.memory,
    "ingest": source_ingest.listed,
    "insert": editing.inserted,
    "headless": editing.without_headings,
    "rename": editing.renamed,
    "search": searching.large,
    "purge": purging.purged,
    "erase": erasing.erased,
    "verdicts": auditing.verdicts,
    "links": auditing.linked,
    "report": auditing.reported,
    "texts": auditing.texts,
    "objects": source_objects.listed,
    "git": source_git.listed,
    "pdf": parsing.pdf_text,
    "children": parsing.two_children,
    "small": parsing.small,
    "web": source_web.unchanged,
    "web-listing": source_web.listing,
    "nothing": processes.nothing,
    "cold": embedding.cold,
    "process": processes.whole,
    "sql": source_sql.listed,
    "footprint": footprint.footprint,
    "fsspec": source_fsspec.listed,
}


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    scale = Scale()
    try:
        documents = (
            corpus.folder(asked.corpus, scale.documents)
            if asked.corpus
            else corpus.installed(scale.documents)
        )
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    rows = measure(asked.names or list(MEASURES), Bench(documents, scale))
    with tempfile.TemporaryDirectory() as cache:
        machine = describe(Path(cache))
    if asked.json:
        found = {"machine": machine.json(), "corpus": str(documents), "rows": [row.json() for row in rows]}
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print(page(rows, machine, documents))
    return 1 if any(row.ok is False for row in rows) else 0


def measure(names: Sequence[str], bench: Bench) -> list[Row]:
    """The rows of these measures, in the order of the table. Says on stderr how far it is."""
    rows: list[Row] = []
    for name, work in MEASURES.items():
        if name in names:
            print(f"{name} … ", end="", file=sys.stderr, flush=True)
            start = time.perf_counter()
            rows.extend(work(bench))
            print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


def page(rows: Sequence[Row], machine: Machine, documents: corpus.Corpus) -> str:
    """The table, the machine and the corpus, in Markdown."""
    return f"{table(rows)}\n\nMachine: {machine}.\nCorpus: {documents}."


def table(rows: Sequence[Row]) -> str:
    head = ("measure", "reached", "target", "ok", "made of")
    lines = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and print one table.")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*MEASURES, []], help=", ".join(MEASURES))
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="Markdown documents to measure with")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout, and nothing else there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
