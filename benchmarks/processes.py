"""Whole commands by the wall clock, imports and model load included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.corpus import at_top
from benchmarks.measure import Bench, Row, best
from benchmarks.workplace import configure, embedded_texts

#: Packages that no command imports that has nothing to parse, to embed or to orchestrate.
HEAVY = ("torch", "transformers", "sentence_transformers", "unstructured", "prefect")

#: Of loading the model and `encode`, which computes in fp32. A processor that is fast in bf16 is to use it.
WITH_BF16, WITHOUT_BF16 = 4.0, 2.0

#: The usual way to these vectors; the texts come on stdin.
_ENCODE = """
import json, sys
from sentence_transformers import SentenceTransformer
task = json.load(sys.stdin)
model = SentenceTransformer(task["model"], local_files_only=True)
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
    """`freshkb sync` from nothing, against a process that only loads the model and encodes the same texts at
    the defaults; then a search, and a sync of one edited paragraph. The model was converted before."""
    from index.embed.embedder import resolve_dtype
    from index.embed.identity import DEFAULT, identify

    with bench.folder() as folder:
        bench.corpus.write(folder / "documents")
        path = configure(folder, dtype="auto")
        texts = embedded_texts(configure(folder / "texts", folder / "documents"))
        identity = identify(DEFAULT, folder)
        dtype = resolve_dtype("auto", identity)
        stdin = json.dumps({"model": str(identity.folder), "texts": sorted(texts, key=len, reverse=True)})
        states = (folder / f"state-{number}" for number in range(sys.maxsize))
        state = folder

        def freshkb_run(*arguments: str) -> None:
            run([freshkb(), *arguments, "--config", str(path), "--quiet"], state_dir=state)

        def ours() -> None:
            nonlocal state
            state = next(states)
            freshkb_run("sync")

        def theirs() -> None:
            run([sys.executable, "-c", _ENCODE], stdin=stdin)

        mine, usual = best(bench.scale.long_rounds, ours, theirs)
        (searched,) = best(
            bench.scale.rounds, lambda: freshkb_run("search", "how much annual leave is there")
        )
        name, text = next(iter(bench.corpus.documents.items()))
        prose = bench.corpus.prose(seed=4)

        def edited() -> None:
            changed = at_top(text, prose.paragraph(bench.corpus.paragraph_words))
            (folder / "documents" / name).write_text(changed, encoding="utf-8")
            freshkb_run("sync")

        (synced,) = best(bench.scale.rounds, edited)
    count = len(bench.corpus.documents)
    yield Row(
        f"`freshkb sync` of {count} new documents, against imports, model load, encode at its defaults",
        usual / mine,
        "×",
        WITH_BF16 if dtype == "bfloat16" else WITHOUT_BF16,
        "≥",
        f"{mine:.1f} s ({dtype}) and {usual:.1f} s; {len(texts)} chunks",
    )
    yield Row("`freshkb search` in them, whole process", searched, " s", 0.9, "≤", "the best of several")
    yield Row("`freshkb sync` of one edited paragraph, whole process", synced, " s", 1.5, "≤", "the same")


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
    settings = environment()
    if state_dir is not None:
        settings["FRESHKB_STATE_DIR"] = str(state_dir)
    done = subprocess.run(command, input=stdin, env=settings, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(command[:3])} … ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def environment() -> dict[str, str]:
    """This environment without its own settings."""
    # As installers do, the first command keeps compiled modules, also where the environment says not to.
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FRESHKB_", "PREFECT_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
