"""A parsing child, seen from the parent: its process, its two pipes, and its folder."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from index.errors import ParserError, scratch_errors
from index.parse import sandbox
from index.parse.walls import walls
from index.parse.walls.walls import Wall

#: Seconds to start a child and import a format's reader, on a machine that is busy with other things.
START_SECONDS_MAX = 180.0
#: Seconds to import another format's reader, before a child that has parsed documents is replaced.
AGAIN_SECONDS_MAX = 30.0
#: Bytes that a document may fill of the disk, and seconds between two checks of them.
FOLDER_BYTES_MAX = 2 << 30
LOOK_SECONDS = 0.5
#: Seconds that a child has to end after it closed its pipe.
END_SECONDS_MAX = 1.0
#: Bytes that a pipe usually holds.
_PIPE_BYTES = 64 << 10
#: Number of uncompiled modules from which compiling all of them pays for later children.
UNCOMPILED_MAX = 100

_NONSENSE = "The parser answered nonsense when it was started."

_compiling = threading.Lock()
_compiled = False

_BOOT = (
    "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from index.parse import worker; "
    "getattr(worker, sys.argv[2])()"
)


class Gone(Exception):
    """The child closed its end of the pipe."""


class TooLong(Exception):
    """The child announced an answer above the limit."""


class TooFull(Exception):
    """The child's folder holds more than the limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child keeps to."""

    timeout_seconds: float
    """For one document, where none is given with it."""
    memory_bytes: int
    """Address space of each of its processes."""
    output_bytes_max: int
    """Of one answer."""


class Child:
    """A child process, its two pipes, its private folder and its standard error."""

    def __init__(self, command: Sequence[str], limits: Limits) -> None:
        self.limits = limits
        with scratch_errors(tempfile.gettempdir()):
            self.folder = Path(tempfile.mkdtemp(prefix="freshkb-parse-"))
        # The file of standard error lies beside them.
        private = self.folder / walls.PRIVATE
        self.documents = 0
        self.resident_bytes = 0
        self.walls: list[Wall] = []
        try:
            for name in (walls.PRIVATE, walls.VIEW):
                (self.folder / name).mkdir(0o755)
            # Its files can be opened, and not listed.
            (self.folder / walls.DOCUMENTS).mkdir(0o311)
            with (self.folder / "stderr").open("ab") as errors:
                self.process = subprocess.Popen(
                    [*command, json.dumps({**asdict(limits), "folder": str(self.folder)})],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=sandbox.environment(str(private)),
                    cwd=private,
                    start_new_session=True,
                    bufsize=0,
                )
        except OSError as error:
            sandbox.discard(self.folder)
            raise ParserError(f"The parser could not be started: {error}.") from error
        assert self.process.stdin is not None and self.process.stdout is not None
        self._requests, self._answers = self.process.stdin, self.process.stdout
        self._unread = bytearray()
        self._poll = select.poll()
        self._poll.register(self._answers.fileno(), select.POLLIN)

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None

    def hand(self, document: BinaryIO, format: str, **asked: Any) -> Path:
        """Send a document, of a format by its name; to be answered after those that were sent before. `asked`
        is the rest of the request, for another answer than its elements.

        It is copied to the folder that the child may read and no other process writes. Returns the copy. Some
        helper programs go by its suffix; the rest of its name no other document can guess. Raises ParserError
        when the child has ended.
        """
        path = self.folder / walls.DOCUMENTS / f"{secrets.token_hex(8)}.{format}"
        with scratch_errors(path.parent):
            try:
                with path.open("xb") as copy:
                    # The child's user may be another one, and is then the only member of the folder's group.
                    os.fchmod(copy.fileno(), 0o640)
                    shutil.copyfileobj(document, copy, 1 << 20)
            except FileNotFoundError as error:
                # Its guard has emptied the folder, and is about to end.
                raise ParserError("The parser ended before it was handed a document.") from error
            except OSError:
                path.unlink(missing_ok=True)
                raise
        self._send({"path": str(path), "format": format, **asked})
        return path

    def load_everything(self) -> None:
        """Have all readers imported. Raises ParserError when one cannot be."""
        self._send({})
        self.expect_loaded()

    def forget(self) -> None:
        """In a forked process: leave the child to its parent."""
        for pipe in (self._requests, self._answers):
            pipe.close()
        # Nothing waits for a process that is none of its own.
        self.process.returncode = 0

    def _send(self, request: dict[str, Any]) -> None:
        data = json.dumps(request).encode()
        # A dead child is found when its answer is awaited.
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(len(data).to_bytes(4, "big") + data)

    def expect_ready(self) -> None:
        self.walls = [Wall(**wall) for wall in self._expect("ready")["walls"]]

    def expect_loaded(self) -> None:
        """Wait until what the next document needs is imported. Raises ParserError when it cannot be."""
        uncompiled = self._expect("loaded").get("uncompiled", 0)
        if type(uncompiled) is not int:
            raise ParserError(_NONSENSE)
        if uncompiled > UNCOMPILED_MAX and not self.documents:
            _compile_once()

    def receive(self, seconds: float, size_max: int) -> dict[str, Any]:
        """The next answer. Raises TimeoutError, Gone, TooLong, TooFull, or ValueError when it is no
        answer."""
        deadline = time.monotonic() + seconds
        size = int.from_bytes(self.read(4, deadline), "big")
        if size > size_max:
            raise TooLong
        data = self.read(size, deadline)
        try:
            answer = json.loads(data)
        except RecursionError:
            raise ValueError("An answer is not deep.") from None
        if not isinstance(answer, dict):
            raise ValueError("An answer is an object.")
        return answer

    def await_end(self) -> None:
        """Wait a moment for a child that is about to end by itself, so that `stop` reports its own exit
        status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS_MAX)

    def stop(self) -> str:
        """Close the pipe, at which the guard kills everything. Returns how the child ended, in words."""
        status = self.process.poll()
        self._requests.close()
        try:
            ended = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            ended = self.process.wait()
        self._answers.close()
        sandbox.open_up(self.folder)
        sandbox.discard(self.folder)
        code = ended if status is None else status
        # Negative: the guard itself was killed.
        killed = -code if code < 0 else code - 128
        return f"signal {killed}" if killed > 0 else f"exit status {code}"

    def _expect(self, key: str) -> dict[str, Any]:
        seconds = AGAIN_SECONDS_MAX if self.documents else START_SECONDS_MAX
        try:
            answer = self.receive(seconds, 1 << 20)
        except TimeoutError:
            raise ParserError(f"The parser did not start within {seconds:g} s.") from None
        except (ValueError, TooLong, TooFull):
            raise ParserError(_NONSENSE) from None
        except Gone:
            raise ParserError(f"The parser could not be started. {self._said()}".rstrip()) from None
        if "broken" in answer:
            raise ParserError(f"The parser is not installed correctly: {answer['broken']}.")
        if key not in answer:
            raise ParserError(f"The parser answered out of turn: expected {key!r}, got {sorted(answer)}.")
        return answer

    def _said(self) -> str:
        """The end of what the child wrote to standard error."""
        with (self.folder / "stderr").open("rb") as errors:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
            return errors.read().decode("utf-8", "replace").strip()

    def read(self, size: int, deadline: float) -> bytes:
        """The next bytes of the pipe, which come before this instant of the monotonic clock. Those behind
        them that are there already are read along: of small documents, the answers of several."""
        data, descriptor = self._unread, self._answers.fileno()
        while len(data) < size:
            left = deadline - time.monotonic()
            ready = left > 0 and self._poll.poll(min(left, LOOK_SECONDS) * 1000)
            if not ready:
                # First: a document that fills the disk is late as well, and this says why.
                if _disk_bytes(self.folder) > FOLDER_BYTES_MAX:
                    raise TooFull
                if left <= 0:
                    raise TimeoutError
                continue
            block = os.read(descriptor, min(max(size - len(data), _PIPE_BYTES), 1 << 20))
            if not block:
                raise Gone
            data += block
        taken = bytes(data[:size])
        del data[:size]
        return taken


def _disk_bytes(folder: Path) -> int:
    """Bytes in the folder, as far as they can be seen."""
    found, folders = 0, [str(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                # Each name takes some room, however empty the file.
                found += 512 * entry.stat(follow_symlinks=False).st_blocks + 256
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return found


def command(function: str) -> Sequence[str]:
    """The command line that runs a function of the worker's module."""
    return (sys.executable, "-P", "-s", "-c", _BOOT, json.dumps(_import_path()), function)


def _compile_once() -> None:
    global _compiled
    with _compiling:
        if not _compiled:
            _compiled = True
            compile_all()


def compile_all() -> None:
    """Compile and keep the modules that children import, where the installer did not.

    A child may not write there. The process of this function has no walls, and reads no document.
    """
    if not os.access(Path(__file__).parent, os.W_OK):
        return
    with tempfile.TemporaryDirectory(prefix="freshkb-compile-") as folder:
        subprocess.run(
            command("load_everything"),
            env=sandbox.environment(folder) | {"PYTHONDONTWRITEBYTECODE": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            # For the children, which may be another user.
            umask=0o022,
        )


def _import_path() -> list[str]:
    """The import path of this process, for the child, whose own folder is empty and private."""
    return [str(Path(entry).absolute()) for entry in sys.path]
