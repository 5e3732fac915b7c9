"""The cost of finding out that nothing has changed."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import synthetic
from benchmarks.measure import Bench, Row, best
from benchmarks.processes import run
from benchmarks.workplace import SOURCE, configure, workspace, write_configuration
from index.sync.plan import Plan
from index.sync.sync import plan_of

FILES_PER_FOLDER = 100

_PLAN = "import sys; from benchmarks.planning import report_peak; report_peak(sys.argv[1])"


def unchanged(bench: Bench) -> Iterator[Row]:
    """A plan over real files against one pass of scandir and stat over the same tree, both warm."""
    count = bench.scale.files
    with bench.folder() as folder, workspace(configure(folder)) as knowledge_base:
        root = folder / "documents"
        _tree(root, count)
        synthetic.record_all(knowledge_base, SOURCE)
        seen: list[int] = []
        ours, theirs = best(
            bench.scale.rounds,
            lambda: seen.append(_nothing_to_do(plan_of(knowledge_base, SOURCE)).unchanged),
            lambda: seen.append(_stat_all(root)),
        )
    if set(seen) != {count}:
        raise RuntimeError(f"Of {count} files not all were seen: {sorted(set(seen))}.")
    yield Row(
        f"plan for {count:,} unchanged files, against scandir and stat of the same tree",
        ours / theirs,
        "×",
        4,
        "≤",
        f"{ours:.2f} s and {theirs:.2f} s",
    )


def memory(bench: Bench) -> Iterator[Row]:
    """Peak memory of a process that plans for very many unchanged documents."""
    count = bench.scale.rows
    with bench.folder() as folder:
        path = write_configuration(folder, {"type": synthetic.TYPE, "documents": count})
        with workspace(path) as knowledge_base:
            synthetic.record_all(knowledge_base, SOURCE)
        peak, number, took = run([sys.executable, "-c", _PLAN, str(path)]).stdout.split()
    if int(number) != count:
        raise RuntimeError(f"The plan saw {number} of {count} documents.")
    yield Row(
        f"plan with {count:,} documents in the ledger, nothing changed: peak memory",
        int(peak) / 1e9,
        " GB",
        1,
        "≤",
        f"the whole process; {float(took):.1f} s",
    )


def report_peak(path: str) -> None:
    """Plan, and print peak memory in bytes, documents and seconds. Runs in a process of its own."""
    with workspace(Path(path)) as knowledge_base:
        found: list[Plan] = []
        (took,) = best(1, lambda: found.append(_nothing_to_do(plan_of(knowledge_base, SOURCE))))
    print(peak_bytes(), found[0].unchanged, took)


def peak_bytes() -> int:
    """Linux counts what a process was started from into its ru_maxrss, and forgets that in VmHWM."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _nothing_to_do(planned: Plan) -> Plan:
    if planned.items or not planned.complete:
        raise RuntimeError(f"There was something to do: {planned.counts()}, {planned.error}")
    return planned


def _tree(root: Path, count: int) -> None:
    for first in range(0, count, FILES_PER_FOLDER):
        folder = root / f"{first // 10_000:03}" / f"{first // FILES_PER_FOLDER:05}"
        folder.mkdir(parents=True)
        for number in range(first, min(first + FILES_PER_FOLDER, count)):
            (folder / f"page-{number:07}.md").write_text(f"# Page {number}\n")


def _stat_all(top: Path) -> int:
    """The least that looking at every file takes."""
    found = 0
    folders: list[str] = [str(top)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    found += 1
    return found
