"""A scan in a process of its own: the one that asks may have the ledger open, and closing a descriptor of its
file would end SQLite's locks. Traces travel through a pipe, so that no list of processes shows them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from index.errors import FreshkbError
from index.purge.scan import Scan, Trace


def found(folders: Iterable[Path], traces: Iterable[Trace]) -> dict[Path, set[str]]:
    """As from `Scan.folders`. Raises FreshkbError when a folder or a file cannot be read."""
    boot = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}"
    asked = {
        "folders": [str(folder) for folder in folders],
        "traces": [[trace.name, [piece.hex() for piece in trace.pieces]] for trace in traces],
    }
    child = subprocess.run(
        [sys.executable, "-P", "-c", f"{boot}; from index.purge.apart import main; main()"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0:
        why = child.stderr.strip().splitlines()[-1:] or ["it was killed; is there enough memory?"]
        raise FreshkbError(f"The files could not be scanned: {why[0]}")
    return {Path(path): set(names) for path, names in json.loads(child.stdout).items()}


def main() -> None:
    """The child: folders and traces as JSON in stdin, files with the names of their traces in stdout."""
    # A core dump would hold the traces.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.load(sys.stdin)
    traces = [Trace(name, frozenset(map(bytes.fromhex, pieces))) for name, pieces in asked["traces"]]
    held = Scan(traces).folders(map(Path, asked["folders"]))
    json.dump({str(path): sorted(names) for path, names in held.items()}, sys.stdout)
