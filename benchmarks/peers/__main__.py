"""``python -m benchmarks.peers [--corpus DIR]``: `freshkb sync` beside the recipe.

Both are whole processes from nothing, over the same files, with the same weights of one model: documents
read, cut, embedded, stored and recorded. They take turns. The first run of each is not measured: freshkb's
prepares the model for this machine, and both warm the disk. Exits with 1 when the target was missed, with 2
when there is nothing to compare with.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import corpus
from benchmarks.__main__ import page
from benchmarks.machine import describe
from benchmarks.measure import Bench, Row, Scale, best
from benchmarks.processes import freshkb, run
from benchmarks.workplace import configure
from index.embed.identity import DEFAULT, identify

#: The interpreter of the recipe's own environment, which `make bench-peers` sets up.
PEERS = Path(".venv-peers/bin/python")
RECIPE = Path(__file__).with_name("recipe.py")
TARGET = 4.0


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        if not PEERS.exists():
            raise ValueError(f"There is no {PEERS} to compare with; set it up with: make bench-peers")
        documents = corpus.folder(asked.corpus, asked.documents) if asked.corpus else None
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    bench = Bench(documents or corpus.installed(asked.documents), Scale(long_rounds=asked.rounds))
    row = beside_the_recipe(bench)
    with tempfile.TemporaryDirectory() as cache:
        print(page([row], describe(Path(cache)), bench.corpus))
    return 0 if row.ok else 1


def beside_the_recipe(bench: Bench) -> Row:
    """How many times as fast the sync is."""
    with bench.folder() as folder:
        bench.corpus.write(folder / "documents")
        model = identify(DEFAULT, folder).folder
        said: dict[str, str] = {}
        runs = 0

        def ours() -> None:
            path = configure(_new(), folder / "documents", dtype="auto")
            said["ours"] = run([freshkb(), "sync", "--config", str(path), "--json"]).stdout

        def theirs() -> None:
            arguments = (folder / "documents", model, _new())
            said["theirs"] = run([str(PEERS.absolute()), str(RECIPE), *map(str, arguments)]).stdout

        def _new() -> Path:
            nonlocal runs
            runs += 1
            home = folder / f"run-{runs}"
            home.mkdir()
            return home

        ours()
        theirs()
        mine, other = best(bench.scale.long_rounds, ours, theirs)
    chunks = json.loads(said["ours"])["chunks"]["embedded"], json.loads(said["theirs"])["chunks"]
    return Row(
        f"`freshkb sync` of {len(bench.corpus.documents)} new documents, against LangChain's index()",
        other / mine,
        "×",
        TARGET,
        "≥",
        f"{mine:.1f} s for {chunks[0]:,} chunks and {other:.1f} s for {chunks[1]:,}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="freshkb beside its peers."
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="Markdown documents to measure with")
    parser.add_argument("--documents", type=int, default=Scale().documents, metavar="N", help="most of them")
    parser.add_argument("--rounds", type=int, default=Scale().long_rounds, metavar="N", help="runs of each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
