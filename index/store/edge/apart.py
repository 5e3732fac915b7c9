"""An embedded collection that may be damaged, examined in a process of its own.

A damaged file can make the engine panic, allocate without end, loop, or end its process with a signal. The
child sets its own limits, and an alarm that the kernel keeps, whatever the engine does meanwhile.

The child reads every point, and hands them on to a parent that asks for them, which then need not read them
again. A pipe as large as a page lies between them: the parent works on a page while the child reads the next.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import mmap
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json, to_json

from index.errors import StoreDamaged, StoreError
from index.model import Point
from index.store.base import Each
from index.store.edge.ahead import ALL, memory, read_ahead

#: Seconds that one step may take: to load a collection, to read a page of it, to wait for the lock.
STEP_SECONDS = 120
#: Memory beside twice that of the files: seven times what 100,000 points take. Never more than most of the
#: machine.
MEMORY_BYTES = 2 << 30
#: To which a file may grow beside twice what there is. In a sound collection files grow by megabytes.
FILE_BYTES = 256 << 20
#: Address space for each core, beside memory and twice the files: threads reserve far more than they use.
MAPPED_BYTES = 1 << 30
_NO_MEMORY = f"(os error {errno.ENOMEM})"
#: Seconds between two checks whether the parent is to stop.
LOOK_SECONDS = 0.05
#: Bytes that are read from the child at once, and that may wait in its pipe: the most that Linux grants.
PORTION_BYTES = 1 << 20


def examine(path: Path, collection: str, stop: threading.Event | None, each: Each | None = None) -> list[str]:
    """Faults of the collection in this store, as from `VectorStore.faults`. The store's lock must be free for
    the child to take.

    Raises StoreDamaged when the collection cannot be read, StoreError when the check itself fails.
    """
    boot = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}"
    code = f"{boot}; from index.store.edge.apart import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(path), collection, "points" if each else ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Ctrl-C at a terminal is for the parent, which stops it.
        start_new_session=True,
    )
    assert child.stdout is not None and child.stderr is not None
    _widen(child.stdout)
    answer: dict[str, Any] = {}
    with child:
        try:
            for line in _lines(child.stdout):
                if stop is not None and stop.is_set():
                    child.kill()
                    return []
                if line is None:
                    continue
                answer = from_json(line)
                if each is not None and "points" in answer:
                    each([Point(name, payload) for name, payload in answer["points"]])
            # Nothing but what it says of its imports: later it is directed to the null device.
            err = child.stderr.read().decode(errors="replace")
        except BaseException:
            child.kill()
            raise
    return _understood(path / collection, child.returncode, answer, err)


def _widen(pipe: IO[bytes]) -> None:
    """Give a pipe room for `PORTION_BYTES`, where the system has that."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PORTION_BYTES)


def _lines(stream: IO[bytes]) -> Iterator[bytes | None]:
    """Whole lines of a pipe until its end; None after `LOOK_SECONDS` without any."""
    held = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(LOOK_SECONDS):
                yield None
                continue
            portion = os.read(stream.fileno(), PORTION_BYTES)
            if not portion:
                return
            *whole, rest = portion.split(b"\n")
            if not whole:
                held += rest
                continue
            yield bytes(held + whole[0])
            yield from whole[1:]
            held = bytearray(rest)


def _understood(folder: Path, code: int, said: Mapping[str, Any], err: str) -> list[str]:
    if code == 0 and "end" not in said:
        if "damaged" in said:
            raise StoreDamaged(said["damaged"])
        if "error" in said:
            raise StoreError(said["error"])
        found: list[str] = said["faults"]
        return found
    if code == -signal.SIGKILL or code > 0:
        why = err.strip().splitlines()[-1:] or ["it was killed; is there enough memory?"]
        raise StoreError(f"The vector store in {folder} could not be examined: {why[0]}")
    ends = {0: said.get("end"), -signal.SIGALRM: "took no end"}
    end = ends.get(code) or f"ends the process ({signal.Signals(-code).name})"
    if not _granted(needs := _needs(folder.parent)):
        megabytes = needs[resource.RLIMIT_DATA] >> 20
        raise StoreError(
            f"The vector store in {folder} could not be examined: to read it {end}, and the limits of this "
            f"process, or of the machine, are below what that may need, {megabytes:,} MB of memory among it. "
            "Raise them (see: ulimit -a), and run the command again."
        )
    raise StoreDamaged(
        f"The vector store in {folder} is damaged: to read it {end}. Build it anew with: freshkb verify "
        "--repair",
        deadly=True,
    )


def main() -> None:
    """The child: store, collection and whether points are asked for as arguments. Lines of JSON: some points
    each, and the answer."""
    path, collection, points = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    _limit(path)
    read_ahead(path / collection / "shard", ALL)
    # Of objects without circles, looking for some takes a fifth of the time.
    gc.disable()
    from index.store.edge.store import EdgeStore
    from index.store.examine import faults

    # The message of a panic is in its exception, too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    answer: dict[str, object]
    try:
        store = EdgeStore(path)
        answer = {"faults": faults(store, collection, _alarm, _hand_on if points else None)}
        store.close()
    except StoreDamaged as error:
        answer = {"damaged": str(error)}
    except BaseException as error:
        answer = {"error": str(error) or type(error).__name__}
        if isinstance(error, MemoryError) or _NO_MEMORY in str(error):
            may = resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20
            answer = {"end": f"takes more than {may:,} MB of memory"}
    _say(answer)
    # A damaged collection may not even be closed; nothing was written to it.
    os._exit(0)


def _hand_on(points: Sequence[Point]) -> None:
    # The parent may take its time.
    signal.alarm(0)
    _say({"points": [(point.id, point.payload) for point in points]})


def _say(value: Mapping[str, object]) -> None:
    sys.stdout.buffer.write(to_json(value) + b"\n")
    sys.stdout.buffer.flush()


def _alarm() -> bool:
    """Before each step: end this process unless the next one is taken in time."""
    signal.alarm(STEP_SECONDS)
    return False


def _needs(path: Path) -> dict[int, int]:
    """What reading the collection may need, and a damaged one not exceed, by the number of the limit."""
    length, size = _sizes(path)
    data = max(1 << 30, min(MEMORY_BYTES + 2 * size, memory() * 3 // 4))
    needs = {resource.RLIMIT_DATA: data, resource.RLIMIT_FSIZE: 2 * size + FILE_BYTES}
    # The first does not count mapped files. Of a damaged length the engine makes a file of that length, or
    # files without end, and has all their holes read.
    if sys.platform == "linux":
        needs[resource.RLIMIT_AS] = data + 2 * length + MAPPED_BYTES * (os.cpu_count() or 1)
    return needs


def _granted(needs: Mapping[int, int]) -> bool:
    """Whether a child of this process gets as much: if not, its end is no sign of damage."""
    for kind, most in needs.items():
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY and hard < most:
            return False
    try:
        mmap.mmap(-1, needs[resource.RLIMIT_DATA]).close()
    except OSError:
        return False
    return True


def _limit(path: Path) -> None:
    for kind, most in _needs(path).items():
        _, hard = resource.getrlimit(kind)
        may = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (may, may))
    # No other process may open a collection of which it makes such a file, so the signal must end this one:
    # Python ignores it.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    # Truncated mapped files end it with a signal: no core dump, which would hold texts.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _sizes(path: Path) -> tuple[int, int]:
    """Bytes of the files, with their holes and without. Other collections may be dropped meanwhile: the lock
    is not held yet."""
    length = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                found = Path(folder, name).stat()
                length, size = length + found.st_size, size + found.st_blocks * 512
    return length, size
