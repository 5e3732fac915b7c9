"""Whole commands by the wall clock, imports and model load included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Bench, Row, best
from benchmarks.workplace import configure, embedded_texts

#: Packages that no command imports that has nothing to parse, to embed or to orchestrate.
HEAVY = ("torch", "transformers", "sentence_transformers", "unstructured", "prefect")

#: The least that anyone has to do for these vectors: texts and precision come on stdin.
_ENCODE = """
import json, sys
import torch
from sentence_transformers import SentenceTransformer
task = json.load(sys.stdin)
model = SentenceTransformer(task["model"], local_files_only=True).to(getattr(torch, task["dtype"]))
model.encode(task["texts"], show_progress_bar=False)
"""

#: The same command in a process that tells afterwards which of the heavy packages it has imported.
_IMPORTS = f"""
import sys
from flows.cli import main
sys.argv[0] = "freshkb"
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sorted(sys.modules.keys() & {set(HEAVY)}), file=sys.stderr)
"""


def whole(bench: Bench) -> Iterator[Row]:
    """`freshkb sync` from nothing, against a process that only loads the model and encodes the same texts."""
    from index.embed.embedder import resolve_dtype
    from index.embed.identity import DEFAULT, identify

    with bench.folder() as folder:
        bench.corpus.write(folder / "documents")
        path = configure(folder, dtype="auto")
        texts = embedded_texts(configure(folder / "texts", folder / "documents"))
        identity = identify(DEFAULT, folder)
        task = {
            "model": str(identity.folder),
            "dtype": resolve_dtype("auto", identity),
            "texts": sorted(texts, key=len, reverse=True),
        }
        stdin = json.dumps(task)
        homes = iter(range(sys.maxsize))

        def ours() -> None:
            run(
                [freshkb(), "sync", "--config", str(path), "--quiet"],
                state_dir=folder / f"state-{next(homes)}",
            )

        def theirs() -> None:
            run([sys.executable, "-c", _ENCODE], stdin=stdin)

        mine, least = best(bench.scale.long_rounds, ours, theirs)
    yield Row(
        f"`freshkb sync` of {len(bench.corpus.documents)} new documents, against imports, model load, encode",
        mine / least,
        "×",
        1.3,
        "≤",
        f"{mine:.1f} s and {least:.1f} s; {len(texts)} chunks",
    )


def nothing(bench: Bench) -> Iterator[Row]:
    """`freshkb sync` when nothing has changed."""
    with bench.folder() as folder:
        bench.corpus.write(folder / "documents")
        path = configure(folder)
        embedded_texts(path)
        arguments = ["sync", "--config", str(path)]
        said = run([freshkb(), *arguments, "--json"]).stdout
        chunks = json.loads(said)["chunks"]
        if chunks["embedded"] or chunks["reused"]:
            raise RuntimeError(f"There was something to do: {said}")
        (took,) = best(2 * bench.scale.rounds, lambda: run([freshkb(), *arguments, "--quiet"]))
        told = run([sys.executable, "-c", _IMPORTS, *arguments, "--quiet"]).stderr.split()
    subject = f"`freshkb sync` with nothing to do, {len(bench.corpus.documents)} documents"
    yield Row(subject, took, " s", 0.4, "≤", "the best of several, the whole process")
    yield Row(
        "heavy packages that it imports",
        len(told),
        "",
        0,
        "≤",
        " ".join(told) or f"none of {', '.join(HEAVY)}",
    )


def freshkb() -> str:
    """The command of this environment."""
    return str(Path(sys.executable).with_name("freshkb"))


def run(
    command: Sequence[str], *, stdin: str = "", state_dir: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed (quarantined documents are a success), untouched by the environment's
    own settings. Raises RuntimeError with what it said."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FRESHKB_", "PREFECT_"))
    }
    if state_dir is not None:
        environment["FRESHKB_STATE_DIR"] = str(state_dir)
    done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(command[:3])} … ended with {done.returncode}: {done.stderr[-2000:]}")
    return done
