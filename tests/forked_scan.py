"""The scan of files as a fork of this process: for tests that erase again and again, and would spend most
of their time on starting Python."""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from index.purge.apart import Search
from index.purge.scan import Scan, Trace


@contextmanager
def scanner() -> Iterator[Search]:
    """As `index.purge.apart.scanner`; it starts when it is asked."""
    yield found


def found(folders: Iterable[Path], traces: Iterable[Trace]) -> dict[Path, set[str]]:
    """As `index.purge.apart.found`. SQLite's locks are those of this process: the fork's end ends none."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Of threads, which do nothing in the fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        code = 1
        # What it would end may wait for threads, which are not here: OpenVINO's models do, and tests before
        # this one may have left some.
        gc.disable()
        try:
            held = Scan(list(traces)).folders(folders)
            with os.fdopen(writing, "w") as answer:
                json.dump({str(path): sorted(names) for path, names in held.items()}, answer)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as answered:
        said = answered.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == 0, f"the scan ended with {ended}"
    return {Path(path): set(names) for path, names in json.loads(said).items()}
