"""The cost of looking at a repository of git: requests, seconds and memory of a listing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Bench, Row
from benchmarks.planning import peak_bytes
from benchmarks.processes import run
from tests.connectors.git.origin import Origin
from tests.connectors.git.servers import HttpServer

FILES_PER_FOLDER = 100
#: Commits that each change a document.
COMMITS = 1_000

_LIST = "import sys; from benchmarks.source_git import report_listing; report_listing(*sys.argv[1:])"


def listed(bench: Bench) -> Iterator[Row]:
    """Listings over HTTP, each in a process of its own: the first, and one of the same commit."""
    count = bench.scale.files
    with bench.folder() as folder:
        origin = Origin(folder / "docs.git")
        names = [f"{number // FILES_PER_FOLDER:04}/page-{number:07}.md" for number in range(count)]
        origin.add({name: f"Page {name}.\n".encode() for name in names})
        for number in range(COMMITS):
            name = names[number * 97 % count]
            origin.add({name: f"Page {name}, edited {number}.\n".encode()})
        origin.flush()
        subprocess.run(["git", "-C", str(origin.path), "repack", "-adq"], check=True)
        server = HttpServer(folder)
        try:
            command = [sys.executable, "-c", _LIST, f"{server.url}/docs.git", str(folder / "cache")]
            first = run(command).stdout.split()
            server.requests.clear()
            peak, number_listed, took = run(command).stdout.split()
            asked = len(server.requests)
        finally:
            server.close()
    if {int(first[1]), int(number_listed)} != {count}:
        raise RuntimeError(f"The listing had {number_listed} of {count} files.")
    yield Row(
        f"first listing of {count:,} files of git, {COMMITS:,} commits: seconds",
        float(first[2]),
        " s",
        detail=f"peak memory of the process {int(first[0]) / 1e6:.0f} MB; the clone takes a part of the time",
    )
    yield Row(
        f"listing of {count:,} unchanged files of git: seconds",
        float(took),
        " s",
        detail=f"peak memory of the process {int(peak) / 1e6:.0f} MB",
    )
    yield Row(
        "requests for 1,000 unchanged files of git",
        asked * 1_000 / count,
        "",
        detail=f"{asked} for {count:,}, as for any number: both for the head",
    )


def report_listing(url: str, cache: str) -> None:
    """List, and print peak memory in bytes, files and seconds. Runs in a process of its own."""
    from connectors.base import Context, connector_class

    kind = connector_class("git")
    settings = kind.settings_model.model_validate({"repository": url})
    connector = kind(settings, Context("bench", Path("/"), 1, cache=Path(cache)))
    start = time.perf_counter()
    count = sum(1 for _ in connector.list())
    print(peak_bytes(), count, time.perf_counter() - start)
