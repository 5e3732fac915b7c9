"""An embedded collection that may be damaged, examined in a process of its own.

A damaged file can make the engine panic, allocate without end, loop, or end its process with a signal. The
child sets its own limits, and an alarm that the kernel keeps, whatever the engine does meanwhile.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from index.errors import StoreDamaged, StoreError

#: Seconds that one step may take: to load a collection, to read a page of it, to wait for the lock.
STEP_SECONDS = 120
#: Memory beside the files: thirty times what 100,000 points take, and never more than most of the machine.
MEMORY_BYTES = 8 << 30
#: Seconds between two checks whether the parent is to stop.
LOOK_SECONDS = 0.05


def examine(path: Path, collection: str, stop: threading.Event | None) -> list[str]:
    """Faults of the collection in this store, as from `VectorStore.faults`. The store's lock must be free for
    the child to take.

    Raises StoreDamaged when the collection cannot be read, StoreError when the check itself fails.
    """
    boot = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}"
    code = f"{boot}; from index.store.edge.apart import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(path), collection],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C at a terminal is for the parent, which stops it.
        start_new_session=True,
    )
    with child:
        while True:
            try:
                out, err = child.communicate(timeout=LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if stop is not None and stop.is_set():
                    child.kill()
                    return []
            except BaseException:
                child.kill()
                raise
    return _understood(path / collection, child.returncode, out, err)


def _understood(folder: Path, code: int, out: str, err: str) -> list[str]:
    if code == 0:
        said = json.loads(out)
        if "damaged" in said:
            raise StoreDamaged(said["damaged"])
        if "error" in said:
            raise StoreError(said["error"])
        found: list[str] = said["faults"]
        return found
    if code == -signal.SIGKILL or code > 0:
        why = err.strip().splitlines()[-1:] or ["it was killed; is there enough memory?"]
        raise StoreError(f"The vector store in {folder} could not be examined: {why[0]}")
    end = "took no end" if code == -signal.SIGALRM else f"ends the process ({signal.Signals(-code).name})"
    raise StoreDamaged(
        f"The vector store in {folder} is damaged: to read it {end}. Build it anew with: freshkb verify "
        "--repair",
        deadly=True,
    )


def main() -> None:
    """The child: store and collection as arguments, one line of JSON as the answer."""
    path, collection = Path(sys.argv[1]), sys.argv[2]
    _limit(path)
    from index.store.edge.store import EdgeStore
    from index.store.examine import faults

    # The message of a panic is in its exception, too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    answer: dict[str, object]
    try:
        store = EdgeStore(path)
        answer = {"faults": faults(store, collection, _alarm)}
        store.close()
    except StoreDamaged as error:
        answer = {"damaged": str(error)}
    except BaseException as error:
        answer = {"error": str(error) or type(error).__name__}
    print(json.dumps(answer), flush=True)
    # A damaged collection may not even be closed; nothing was written to it.
    os._exit(0)


def _alarm() -> bool:
    """Before each step: end this process unless the next one is taken in time."""
    signal.alarm(STEP_SECONDS)
    return False


def _limit(path: Path) -> None:
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    limit = max(1 << 30, min(MEMORY_BYTES + 2 * _size(path), pages * page * 3 // 4))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    # Truncated mapped files end it with a signal: no core dump, which would hold texts.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _size(path: Path) -> int:
    """Bytes on disk. Other collections may be dropped meanwhile: the lock is not held yet."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                size += Path(folder, name).stat().st_blocks * 512
    return size
