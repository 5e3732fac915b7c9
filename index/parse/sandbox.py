"""The processes of a parsing child: how they get behind the walls, and how they are killed.

::

    parent ─pipe─▶ guard ─fork─▶ init (pid 1 of its namespace) ─fork─▶ worker ─▶ soffice, pandoc …

The guard does nothing but wait. When the pipe from the parent closes, because the parent stops the child or
is dead, it kills `init`, and the kernel kills all other processes of that namespace, daemons included. Where
the kernel allows no namespaces (macOS, some containers) there is no `init`, and the guard kills the worker's
process group and, on Linux, its session.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from index.parse.walls import kernel, walls
from index.parse.walls.walls import DOCUMENTS, PRIVATE, Wall

FILE_BYTES_MAX = 1 << 30
FILES_MAX = 256
PROCESSES_MAX = 256

#: Handed on to the child where set; the rest of the parent's environment is not, for it may hold secrets.
_INHERITED = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "PYPANDOC_PANDOC",
    "SYSTEMROOT",
    "PYTHONDONTWRITEBYTECODE",
)


def environment(private: str) -> dict[str, str]:
    """The child's environment: no secrets, no telemetry, no downloads, one order of sets in every run."""
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), private),
        **dict.fromkeys(("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "UNSTRUCTURED_DISABLE_NOTICE"), "1"),
        **dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONNOUSERSITE"), "1"),
        **dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS"), "1"),
        # Every arena of malloc reserves address space, which the memory limit counts.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONHASHSEED": "0",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


#: /proc/self/statm of the worker, opened before files went out of reach.
_statm: int | None = None


def enter(memory_bytes: int, folder: Path) -> list[Wall]:
    """Fork into the worker, and return in it alone, with the state of the walls.

    `folder` holds the folders that `walls` names. The process that called becomes the guard and ends with the
    worker's exit status, 128 + n after signal n. It empties the folder when the worker ends, and removes it
    when the parent hangs up.
    """
    # Folders above a child's readable paths are open to any user; its own folders lie in a private one.
    os.umask(0o022)
    user, reason = walls.another_user(folder)
    proc = os.open("/proc", os.O_RDONLY) if sys.platform == "linux" else -1
    apart = walls.attempt("namespaces", lambda: walls.unshare(user, proc))
    inner = os.fork()
    if inner:
        _stand_guard(inner, apart.built, folder)
    _die_with_parent()
    _be_killed_first()
    view = walls.attempt("file system", lambda: walls.narrow(folder, apart))
    own_user = walls.attempt("user", lambda: walls.give_up(user, reason, folder, proc))
    # A process that has become another user has forgotten it.
    _die_with_parent()
    if apart.built:
        worker = os.fork()
        if worker:
            _wait_as_init(worker, proc)
        _die_with_parent()
    os.setsid()
    _keep_statm(proc)
    # Otherwise the limit counts all processes of the user, and none of root.
    _limit(memory_bytes, processes=os.getuid() != 0 and (apart.built or user is not None))
    domain = walls.attempt("Landlock", lambda: walls.confine(folder))
    return [apart, view, own_user, domain]


def kill_leftovers() -> None:
    """Kill processes that a document left running. In the worker, between two documents."""
    # -1 means every process that this one can see, so it must be certain that those are the namespace's only:
    # the second process of a namespace is the worker, the second one of a machine is the kernel.
    if os.getpid() == 2 and os.getppid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


def allow_cpu(seconds: float) -> None:
    """Let the worker use this much processor time from now on; a limit for when the parent is dead."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def discard(folder: Path) -> None:
    """Remove a folder and all in it, however deep."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        # Deeper than Python has stack or descriptors.
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False, capture_output=True)


def open_up(folder: Path) -> None:
    """Have its owner list the folder of documents, so that it can be removed."""
    with contextlib.suppress(OSError):
        (folder / DOCUMENTS).chmod(0o700)


def resident_bytes() -> int:
    """Bytes of memory of this process; its peak where the system does not give the present value."""
    if _statm is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(os.pread(_statm, 200, 0).split()[1]) * resource.getpagesize()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _be_killed_first() -> None:
    """When the machine runs out of memory, a parser is killed before any process of the user."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _keep_statm(proc: int) -> None:
    global _statm
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            _statm = os.open("self/statm", os.O_RDONLY, dir_fd=proc)
        os.close(proc)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _limit(memory_bytes: int, *, processes: bool) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: FILE_BYTES_MAX,
        resource.RLIMIT_NOFILE: FILES_MAX,
        resource.RLIMIT_AS: memory_bytes,
    }
    if processes:
        limits[resource.RLIMIT_NPROC] = PROCESSES_MAX
    for kind, limit in limits.items():
        _, hard = resource.getrlimit(kind)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        # macOS refuses to limit address space.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def _stand_guard(worker: int, isolated: bool, folder: Path) -> NoReturn:
    waker, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The worker's end of the answers must be the only one, or the parent would not see it close.
    os.close(1)
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    # No events registered: poll reports the hang-up of the last writer only, and requests are the worker's.
    poll.register(0, 0)
    while True:
        pid, status = os.waitpid(worker, os.WNOHANG)
        if pid:
            break
        if any(descriptor == 0 for descriptor, _ in poll.poll()):
            _kill(worker, isolated)
            os.waitpid(worker, 0)
            # A killed parent cannot clear up.
            _end_with_discard(folder)
    if not isolated:
        _kill(worker, isolated)
    # The parent may lack the permission to look into another user's folders.
    open_up(folder)
    for name in (PRIVATE, DOCUMENTS):
        with contextlib.suppress(OSError, RecursionError):
            shutil.rmtree(folder / name)
    os._exit(_exit_code(status))


def _end_with_discard(folder: Path) -> NoReturn:
    open_up(folder)
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if folder.exists():
        # Deeper than Python has stack or descriptors. In a dead namespace no process can fork: exec.
        os.execvp("rm", ["rm", "-rf", "--", str(folder)])
    os._exit(0)


def _kill(worker: int, isolated: bool) -> None:
    """Kill the worker and its descendants. Where there are namespaces, the kernel does the second part."""
    members = [] if isolated else _session(worker)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(worker, signal.SIGKILL)
    if not isolated:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _session(leader: int) -> list[int]:
    """Processes of the leader's session that left its process group."""
    members = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The program's name, in brackets, may hold any character.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                members.append(int(entry.name))
    return members


def _wait_as_init(worker: int, proc: int) -> NoReturn:
    """Reap dead processes of the namespace; end with the worker, which ends all others."""
    # Held here, the pipe of answers would not close when the worker dies.
    for descriptor in (0, 1, proc):
        os.close(descriptor)
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(_exit_code(status))


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
