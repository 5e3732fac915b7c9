"""The walls around a parsing child, set up by the child itself before it reads anything foreign.

::

    parent ─pipe─▶ guard ─fork─▶ init (pid 1 of its namespace) ─fork─▶ worker ─▶ soffice, pandoc …

The guard does nothing but wait. When the pipe from the parent closes, because the parent has had enough or
is dead, it kills `init`, and the kernel kills whatever else lives in that namespace, processes that made
themselves daemons included. Where the kernel allows no namespaces (macOS, some containers) there is no
`init`, and the guard kills the worker's process group and, on Linux, its session.

Four walls stand around what a document could take over. Each is built as far as the machine allows, whether or
not the others are, and `enter` says of each what became of it.

=============  ===========================================================================================
namespaces     No network, no process but the child's own, no shared memory: nothing to connect to, to
               signal or to trace. By root as it is, by others in a user namespace, which can have no other
               one in it.
file system    A view in which nothing is but programs, libraries and fonts (`installation`), read-only, the
               document, and the private folder. What is elsewhere cannot be named: neither read, nor
               changed in its permissions, nor, if it is a socket, connected to. Needs the namespaces.
Landlock       The same limits once more, by a mechanism that needs no privilege and works in containers
               that forbid namespaces; TCP, abstract sockets, and signals and tracing out of it, too.
user           Root becomes a user that no other process has, without groups and capabilities; the guard
               remains root, to kill it. Others stay who they are, without capabilities. In both cases no
               program that is started can gain any.
=============  ===========================================================================================

Python may be installed where only root gets to, such as below ``/root``. The view of the file system has its
own folders above an installation, so that the other user gets there all the same. Without that view the
child stays root where the other user could not read what it needs, with no capability, and says so: it needs
what root owns, and Landlock keeps it from the rest. A capability to read everything would have been the
alternative; it is worth more to whoever takes the child over.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from index.parse import installation, kernel, landlock, namespaces, privileges

#: Folders inside the child's own: its home, which it may write, the document, and where its view is built.
PRIVATE, DOCUMENTS, VIEW = "home", "documents", "view"

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


#: /proc/self/statm of the worker, opened before files went out of reach.
_statm: int | None = None


@dataclass(frozen=True, slots=True)
class Wall:
    name: str
    built: bool
    detail: str
    """How it is built, or why it could not be."""


def enter(memory_bytes: int, folder: Path) -> list[Wall]:
    """Fork into the worker, and return in it alone: what became of the walls.

    `folder` holds the three folders that are named above. The process that called becomes the guard and ends
    with the worker's exit status, 128 + n after signal n. It empties `folder` when the worker ends, and removes
    it when the parent hangs up.
    """
    user, reason = _another_user(folder)
    apart = _attempt("namespaces", lambda: _unshare(user))
    inner = os.fork()
    if inner:
        _stand_guard(inner, apart.built, folder)
    _die_with_parent()
    _be_killed_first()
    proc = os.open("/proc", os.O_RDONLY) if sys.platform == "linux" else None
    view = _attempt("file system", lambda: _narrow(folder, apart))
    given_up = _attempt("user", lambda: _give_up(user, reason, folder))
    # A process that has become another user has forgotten it.
    _die_with_parent()
    if apart.built:
        worker = os.fork()
        if worker:
            _wait_as_init(worker, proc)
        _die_with_parent()
    os.setsid()
    _keep_statm(proc)
    # Elsewhere all processes of the user count, and nothing counts for root.
    _limit(memory_bytes, processes=os.getuid() != 0 and (apart.built or user is not None))
    return [apart, view, given_up, _attempt("Landlock", lambda: _confine(folder))]


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
    if _statm is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(os.pread(_statm, 200, 0).split()[1]) * resource.getpagesize()


# ── Walls ─────────────────────────────────────────────────────────────────────────────────────────────────


def _attempt(name: str, build: Callable[[], str]) -> Wall:
    if sys.platform != "linux":
        return Wall(name, False, "this system has none")
    try:
        return Wall(name, True, build())
    except kernel.NotBuilt as error:
        return Wall(name, False, str(error))
    except OSError as error:
        return Wall(name, False, f"{error.filename or name}: {error.strerror}")


def _another_user(folder: Path) -> tuple[int | None, str]:
    """The user that root is to become, and that its folder is open to; or None, and why root stays root."""
    try:
        user = privileges.another_user()
    except kernel.NotBuilt as error:
        return None, str(error)
    if user is not None:
        # What the parent puts into it will be for the group, which is that user's as well.
        for path, mode in ((folder, 0o710), (folder / DOCUMENTS, 0o2750)):
            os.chown(path, -1, user)
            path.chmod(mode)
    return user, ""


def _unshare(user: int | None) -> str:
    try:
        namespaces.unshare(users=False)
    except PermissionError:
        # In a user namespace of its own, root could become nobody else.
        if user is not None:
            raise
        namespaces.unshare(users=True)
    return "processes, network and shared memory of its own"


def _narrow(folder: Path, apart: Wall) -> str:
    if not apart.built:
        raise kernel.NotBuilt("it needs the namespaces")
    try:
        namespaces.show_only(installation.paths(), folder / DOCUMENTS, folder / PRIVATE, folder / VIEW)
    finally:
        os.chdir(folder / PRIVATE)
    return "programs and libraries, the document, and a folder of its own"


def _give_up(user: int | None, reason: str, folder: Path) -> str:
    try:
        if user is not None:
            privileges.check(user, [*installation.indispensable(), folder.parent])
            os.chown(folder / PRIVATE, user, user)
            privileges.become(user)
        elif reason:
            raise kernel.NotBuilt(reason)
    finally:
        privileges.give_up_capabilities()
    return f"{os.getuid()}, without capabilities"


def _confine(folder: Path) -> str:
    readable = [*installation.paths(), folder / DOCUMENTS]
    version = landlock.restrict([
        *((path, landlock.READ) for path in readable),
        *((path, landlock.USE) for path in namespaces.DEVICES),
        (folder / PRIVATE, landlock.WRITE),
    ])  # fmt: skip
    return f"version {version}"


# ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────


def _die_with_parent() -> None:
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _be_killed_first() -> None:
    """Should the machine run out of memory, a parser goes before anything of the user's."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _keep_statm(proc: int | None) -> None:
    global _statm
    if proc is not None:
        with contextlib.suppress(OSError):
            _statm = os.open("self/statm", os.O_RDONLY, dir_fd=proc)
        os.close(proc)


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
            _end_with_discard(folder)
    if not isolated:
        _kill(worker, isolated)
    # The parent may lack the permission to look into another user's folders.
    for name in (PRIVATE, DOCUMENTS):
        with contextlib.suppress(OSError, RecursionError):
            shutil.rmtree(folder / name)
    os._exit(_exit_code(status))


def _end_with_discard(folder: Path) -> NoReturn:
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if folder.exists():
        # Deeper than Python has stack or descriptors. Whose namespace has died can start no other process.
        os.execvp("rm", ["rm", "-rf", "--", str(folder)])
    os._exit(0)


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


def _wait_as_init(worker: int, *held: int | None) -> NoReturn:
    """Reap what the namespace's dead leave behind, and end, and everything with it, when the worker does."""
    # Held here, the pipe of answers would not close when the worker dies.
    for descriptor in (0, 1, *held):
        if descriptor is not None:
            os.close(descriptor)
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(_exit_code(status))


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
