"""The walls around a parsing child, set up by the child itself before it reads anything foreign.

::

    parent ─pipe─▶ guard ─fork─▶ init (pid 1 of its namespace) ─fork─▶ worker ─▶ soffice, pandoc …

The guard does nothing but wait. When the pipe from the parent closes, because the parent has had enough or
is dead, it kills `init`, and the kernel kills whatever else lives in that namespace, processes that made
themselves daemons included. Where the kernel allows no namespaces (macOS, some containers) there is no
`init`, and the guard kills the worker's process group and, on Linux, its session; the network is then not
cut off either.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

FILE_BYTES_MAX = 1 << 30
FILES_MAX = 256
PROCESSES_MAX = 256

#: Handed on to the child where set; nothing else of the parent's environment is, for it may hold secrets.
_INHERITED = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "PYPANDOC_PANDOC",
    "SYSTEMROOT",
)


def environment(private: str) -> dict[str, str]:
    """The child's environment: no secrets, no telemetry, no downloads, one order of sets in every run."""
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), private),
        **dict.fromkeys(("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "UNSTRUCTURED_DISABLE_NOTICE"), "1"),
        **dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONNOUSERSITE"), "1"),
        **dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS"), "1"),
        # Every arena of malloc reserves address space, which is what the memory limit counts.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONHASHSEED": "0",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


def enter(memory_bytes: int, folder: Path) -> bool:
    """Fork into the worker, and return in it alone: whether it has namespaces of its own.

    The process that called becomes the guard and ends with the worker's exit status, 128 + n after signal n.
    It removes `folder` when the parent hangs up.
    """
    isolated = _unshare()
    worker = os.fork()
    if worker:
        _stand_guard(worker, isolated, folder)
    _die_with_parent()
    if isolated:
        inner = os.fork()
        if inner:
            _wait_as_init(inner)
        _die_with_parent()
    os.setsid()
    _limit(memory_bytes, isolated)
    return isolated


def kill_leftovers() -> None:
    """Kill what a document left running. In the worker, between two documents."""
    # -1 means every process that this one can see, so it must be certain that those are the namespace's only:
    # the second process of a namespace is the worker, the second one of a machine is the kernel.
    if os.getpid() == 2 and os.getppid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


def allow_cpu(seconds: float) -> None:
    """Let the worker use this much processor time from now on; for when nobody is left to watch the clock."""
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


def resident_bytes() -> int:
    """Memory that this process holds; its peak where the system does not tell the present."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _unshare() -> bool:
    """Leave the network and the process table; without root by way of a user namespace."""
    if sys.platform != "linux":
        return False
    uid, gid = os.getuid(), os.getgid()
    for flags in (_CLONE_NEWPID | _CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNET):
        if _libc().unshare(flags) == 0:
            if flags & _CLONE_NEWUSER:
                Path("/proc/self/setgroups").write_text("deny")
                Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
                Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
            return True
    return False


def _die_with_parent() -> None:
    if sys.platform == "linux":
        libc = _libc()
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _limit(memory_bytes: int, isolated: bool) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: FILE_BYTES_MAX,
        resource.RLIMIT_NOFILE: FILES_MAX,
        resource.RLIMIT_AS: memory_bytes,
    }
    if isolated and os.getuid():
        # Elsewhere all processes of the user count, and nothing counts for root.
        limits[resource.RLIMIT_NPROC] = PROCESSES_MAX
    for kind, limit in limits.items():
        _, hard = resource.getrlimit(kind)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        # macOS refuses to limit address space.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
    if sys.platform == "linux":
        # Should the machine run out of memory, a parser goes before anything of the user's.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _stand_guard(worker: int, isolated: bool, folder: Path) -> NoReturn:
    waker, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The worker's end of the answers must be the only one, or the parent would not see it close.
    os.close(1)
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    # No events asked for: only the hang-up of the last writer is told, and the requests are the worker's.
    poll.register(0, 0)
    while True:
        pid, status = os.waitpid(worker, os.WNOHANG)
        if pid:
            break
        if any(descriptor == 0 for descriptor, _ in poll.poll()):
            _kill(worker, isolated)
            os.waitpid(worker, 0)
            # A parent that was killed cannot clear up after itself.
            discard(folder)
            os._exit(0)
    if not isolated:
        _kill(worker, isolated)
    os._exit(_exit_code(status))


def _kill(worker: int, isolated: bool) -> None:
    """Kill the worker and what it started. Where there are namespaces, the kernel does the second part."""
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
            # The name of the program, in brackets, may hold anything.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                members.append(int(entry.name))
    return members


def _wait_as_init(worker: int) -> NoReturn:
    """Reap what the namespace's dead leave behind, and end, and everything with it, when the worker does."""
    # Held here, the pipe of answers would not close when the worker dies.
    for descriptor in (0, 1):
        os.close(descriptor)
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(_exit_code(status))


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
