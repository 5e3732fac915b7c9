"""A scan in a process of its own: the one that asks may have the ledger open, and closing a descriptor of its
file would end SQLite's locks. Traces travel through a pipe, so that no list of processes shows them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

from index.errors import FreshkbError
from index.purge.scan import Scan, Trace

#: As `found`.
Search = Callable[[Iterable[Path], Iterable[Trace]], dict[Path, set[str]]]


def found(folders: Iterable[Path], traces: Iterable[Trace]) -> dict[Path, set[str]]:
    """As from `Scan.folders`. Raises FreshkbError when a folder or a file cannot be read."""
    with scanner() as search:
        return search(folders, traces)


@contextmanager
def scanner() -> Iterator[Search]:
    """A process that starts now, beside the work of the caller, and can be asked to search once."""
    boot = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", f"{boot}; from index.purge.apart import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C at a terminal is for the parent.
        start_new_session=True,
    ) as child:
        try:
            yield partial(_answer, child)
        finally:
            child.kill()


def _answer(
    child: subprocess.Popen[str], folders: Iterable[Path], traces: Iterable[Trace]
) -> dict[Path, set[str]]:
    asked = {
        "folders": [str(folder) for folder in folders],
        "traces": [[trace.name, [piece.hex() for piece in trace.pieces]] for trace in traces],
    }
    said, err = child.communicate(json.dumps(asked))
    if child.returncode != 0:
        why = err.strip().splitlines()[-1:] or ["it was killed; is there enough memory?"]
        raise FreshkbError(f"The files could not be scanned: {why[0]}")
    return {Path(path): set(names) for path, names in json.loads(said).items()}


def main() -> None:
    """The child: folders and traces as JSON in stdin, files with the names of their traces in stdout."""
    # A core dump would hold the traces.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The scan needs it, and it takes longest to import.
    import_module("numpy")
    given = sys.stdin.read()
    if not given:
        # The parent was killed.
        return
    asked = json.loads(given)
    traces = [Trace(name, frozenset(map(bytes.fromhex, pieces))) for name, pieces in asked["traces"]]
    held = Scan(traces).folders(map(Path, asked["folders"]))
    json.dump({str(path): sorted(names) for path, names in held.items()}, sys.stdout)
