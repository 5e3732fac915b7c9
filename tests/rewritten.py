"""Test files as pytest runs them, with their asserts rewritten: once for all workers, each of which would
otherwise rewrite every file where Python may not write what it compiles."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any


def keep(file: Path) -> None:
    """Leave the rewritten file where pytest looks for it, unless it is there."""
    rewrite: Any = import_module("_pytest.assertion.rewrite")
    kept = rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(file, kept) is None and rewrite.try_makedirs(kept.parent):
        digest, code = rewrite._rewrite_test(file, None)
        rewrite._write_pyc(None, code, digest, kept)


def main() -> None:
    files = [p for p in Path(__file__).parent.rglob("*.py") if p.name.startswith(("test_", "conftest"))]
    with ProcessPoolExecutor() as processes:
        list(processes.map(keep, files, chunksize=8))


if __name__ == "__main__":
    main()
