"""Programs in Python as processes that start at once: forks of one process that has imported everything.

`run` and `Popen` are those of `subprocess` for commands ``[sys.executable, …, "-c", program, *arguments]``
and ``[sys.executable, …, "-m", module, *arguments]``, with the same pipes, signals and exit codes. Where the
start itself is the point (what is imported, how Python is called), `subprocess` starts the process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: What most programs of tests import, and what takes them long.
LIBRARIES = (
    "alembic.command", "alembic.runtime.migration", "cryptography.hazmat.primitives.serialization.ssh",
    "pathspec", "rich.progress", "sqlalchemy.dialects.sqlite", "tokenizers", "typer.testing",
    "connectors.files", "flows.cli.app", "flows.orchestration", "flows.watch", "index.audit.report",
    "index.checkpoints.write", "index.erase.carry_out", "index.health.doctor", "index.health.status",
    "index.ledger.migrations", "index.parse.parser", "index.reindex", "index.search.find",
    "index.search.knowledge_base", "index.store.bm25", "index.store.edge.store", "index.sync.sync",
    "index.verify.compare", "index.verify.repair", "tests.embedders",
)  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent

#: Tests put others in its place.
PYTHON = sys.executable

PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL

_LENGTH = 8


# ── The process that forks ────────────────────────────────────────────────────────────────────────────


def serve(channel: socket.socket) -> Callable[[], object]:
    """In each fork, the program that it is to run. The process itself ends with the channel."""
    from flows.cli import app

    app.application()
    own = [path for path in sys.path if path not in ("", str(ROOT))]
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ctrl-C at a terminal is for the tests, whose end is the channel's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    statuses: dict[int, int] = {}
    """By the number of a fork, the pipe that hears how it ended."""
    with selectors.DefaultSelector() as ready:
        ready.register(channel, selectors.EVENT_READ)
        ready.register(heard, selectors.EVENT_READ)
        while True:
            named = {key.fileobj for key, _ in ready.select()}
            if heard in named:
                heard.recv(4096)
                _bury(statuses)
            if channel not in named:
                continue
            length, descriptors, _, _ = socket.recv_fds(channel, _LENGTH, 4)
            if not length:
                os._exit(0)
            order = json.loads(_read(channel, int(length)))
            for name in order["libraries"]:
                importlib.import_module(name)
            if sys.platform == "linux":
                threads = list(Path("/proc/self/task").iterdir())
                assert len(threads) == 1, "a process with threads cannot be forked safely"
            gc.freeze()
            *streams, status = descriptors
            if not (pid := os.fork()):
                break
            for descriptor in streams:
                os.close(descriptor)
            statuses[pid] = status
            channel.sendall(pid.to_bytes(_LENGTH))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for end in (heard, told, channel):
        end.close()
    for each in (status, *statuses.values()):
        os.close(each)
    return _become(order, streams, own)


def _read(channel: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        if not (part := channel.recv(length - len(parts))):
            raise EOFError("the process that forks has ended")
        parts += part
    return parts


def _bury(statuses: dict[int, int]) -> None:
    """Tell of each fork that has ended how it did."""
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        os.write(statuses[pid], str(os.waitstatus_to_exitcode(status)).encode())
        os.close(statuses.pop(pid))


def _become(order: dict[str, Any], streams: Sequence[int], own: Sequence[str]) -> Callable[[], object]:
    """The program of the order, for this process, which is now as if it had been started with it."""
    if order["session"]:
        os.setsid()
    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    tempfile.tempdir = None
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    errors = str(sys.stdout.errors)
    sys.stdin = os.fdopen(0, encoding="utf-8", errors=errors, closefd=False)
    sys.stdout, sys.stderr = _writing(1, errors), _writing(2, "backslashreplace")
    command = order["command"]
    start = next(number for number, each in enumerate(command) if each in ("-c", "-m"))
    if "ignore" in command[:start]:
        warnings.simplefilter("ignore")
    kind, program, *arguments = command[start:]
    sys.argv = [kind, *arguments]
    sys.path[:] = ["", *filter(None, os.environ.get("PYTHONPATH", "").split(":")), *own]
    importlib.invalidate_caches()
    if kind == "-m":
        return lambda: runpy.run_module(program, run_name="__main__", alter_sys=True)
    return lambda: exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


class Ending:
    """The end of a fork. All that was imported need not be taken down, as Python does at its end: it takes
    longer than most programs."""

    def __init__(self) -> None:
        # What is registered first is called last, when threads have ended.
        atexit.register(self._leave)
        self._code = 0

    def of(self, program: Callable[[], object]) -> None:
        try:
            program()
        except SystemExit as end:
            if end.code is not None and not isinstance(end.code, int):
                print(end.code, file=sys.stderr)
            self._code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            self._code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1

    def _leave(self) -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            # As Python does.
            self._code = self._code or 120
        if self._code < 0:
            signal.signal(-self._code, signal.SIG_DFL)
            os.kill(os.getpid(), -self._code)
        os._exit(self._code & 0xFF)


def _writing(descriptor: int, errors: str) -> Any:
    lines = descriptor == 2 or os.isatty(descriptor)
    return os.fdopen(
        descriptor, "w", buffering=1 if lines else -1, encoding="utf-8", errors=errors, closefd=False
    )


# ── The side of the tests ─────────────────────────────────────────────────────────────────────────────

_BOOT = """
import sys
sys.path[0] = {root!r}
from tests.forks import Ending
ending = Ending()
import socket
from importlib import import_module
from tests.forks import LIBRARIES, serve
for name in LIBRARIES:
    import_module(name)
ending.of(serve(socket.socket(fileno={channel})))
"""


class _Forking:
    """The test's side of the process that forks. It is started for the first program."""

    def __init__(self) -> None:
        self._channel: socket.socket | None = None
        self._lock = threading.Lock()

    def start(self) -> socket.socket:
        if self._channel is None:
            self._channel, theirs = socket.socketpair()
            clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "FRESHKB_"))}
            process = subprocess.Popen(
                [PYTHON, "-c", _BOOT.format(root=str(ROOT), channel=theirs.fileno())],
                env=clean | {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
            atexit.register(self._end, process)
        return self._channel

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if self._channel is not None:
            self._channel.close()
        process.wait()

    def fork(self, order: dict[str, Any], streams: Sequence[int]) -> int:
        """The number of the new process. The last stream hears how it ends."""
        body = json.dumps(order).encode()
        with self._lock:
            channel = self.start()
            try:
                socket.send_fds(channel, [str(len(body)).rjust(_LENGTH).encode()], streams)
                channel.sendall(body)
                return int.from_bytes(_read(channel, _LENGTH))
            except BaseException:
                # The next one would hear the answer to this.
                channel.close()
                self._channel = None
                raise


_FORKING = _Forking()


class Popen(subprocess.Popen[Any]):
    """A fork; with pipes, signals and exit codes as of any other process."""

    def __init__(self, args: Sequence[str], *, libraries: Sequence[str] = (), **options: Any) -> None:
        assert args[0] == PYTHON, args
        self._libraries = libraries
        super().__init__(args, **options)

    def _execute_child(self, args: Sequence[str], *more: Any) -> None:
        _, prepare, _, _, cwd, env, _, _, _, *streams, _, gid, gids, uid, umask, new_session, _ = more
        assert prepare is None and gid is gids is uid is None, "only `subprocess` can do this"
        taken, _, _, printed, _, complained = streams
        if umask == -1:
            umask = os.umask(0)
            os.umask(umask)
        order = {
            "command": [os.fspath(arg) for arg in args[1:]],
            "cwd": os.fspath(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
            "umask": umask,
            "session": new_session,
            "libraries": list(self._libraries),
        }
        self._status, status = os.pipe()
        try:
            own = [number if own == -1 else own for number, own in enumerate((taken, printed, complained))]
            self.pid = _FORKING.fork(order, [*own, status])
            self._child_created = True
        finally:
            os.close(status)
            popen: Any = self
            popen._close_pipe_fds(*streams)

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        """(process, status); (0, 0) while it goes on."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._status, selectors.EVENT_READ)
            if not ready.select(0 if wait_flags else None):
                return 0, 0
        code = int(os.read(self._status, 20))
        os.close(self._status)
        return self.pid, -code if code < 0 else code << 8

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and (ended := self._try_wait(os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode


def run(
    args: Sequence[str],
    *,
    input: str | None = None,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """As `subprocess.run`."""
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with Popen(args, **options) as process:
        try:
            said, complained = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, said, complained)
    if check:
        done.check_returncode()
    return done
