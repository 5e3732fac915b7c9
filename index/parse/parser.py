"""The parent's side of parsing: one child at a time, watched by the clock."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from index.errors import ParserError, scratch_errors
from index.model import Diagnostic, Element, Failure, Parsed
from index.parse import sandbox
from index.parse.formats import format_of, suffix_of
from index.parse.sandbox import Wall

#: Seconds to start a child and import a format's reader, on a machine that is busy with other things.
START_SECONDS_MAX = 180.0
#: Seconds to import another format's reader, before a child that has parsed documents is given up.
AGAIN_SECONDS_MAX = 30.0
#: Documents that one child parses before another takes its place: libraries leak.
DOCUMENTS_MAX = 1000
#: Bytes that a document may fill of the disk, and seconds between two looks at how many it has filled.
FOLDER_BYTES_MAX = 2 << 30
LOOK_SECONDS = 0.5
#: Seconds that a child has to end after it closed its pipe.
END_SECONDS_MAX = 1.0
#: Characters of a reason.
REASON_MAX = 400
#: Findings of one document.
FINDINGS_MAX = 20

_BOOT = "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from index.parse.worker import main; main()"


class Parser:
    """Parses documents in a child process that can be killed.

    A child is started when a document needs it, kept for the next one, and replaced when it failed, was
    killed or has grown. Threads may share a parser; they wait for each other.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 60.0,
        memory_bytes: int = 2 << 30,
        output_bytes_max: int = 32 << 20,
        command: Sequence[str] | None = None,
    ) -> None:
        """`timeout_seconds` is for one document, imports apart; `memory_bytes` is the address space of each
        process of the child; `command` starts another worker than ours, which speaks the same protocol."""
        self.timeout_seconds = timeout_seconds
        self.memory_bytes = memory_bytes
        self.output_bytes_max = output_bytes_max
        self._command = command or (sys.executable, "-P", "-s", "-c", _BOOT, json.dumps(_import_path()))
        self._child: _Child | None = None
        self._lock = threading.Lock()

    @property
    def isolated(self) -> bool | None:
        """Whether the child has no network and a process table of its own; None before there was one."""
        return None if self._child is None else self._child.isolated

    def walls(self) -> list[Wall]:
        """What became of each wall around a child. Raises ParserError when none can be started."""
        with self._lock:
            return self._running().walls

    def warm(self) -> None:
        """Start a child that has everything imported. Raises ParserError when something cannot be."""
        with self._lock:
            self._loaded()

    def parse(self, path: Path, name: str, timeout_seconds: float | None = None) -> Parsed | Failure:
        """The elements of the file at `path`, whose format the suffix of `name`, its uri, tells. A timeout
        given here is for this document.

        Raises ParserError when the installation is at fault and not the document.
        """
        if format_of(name) is None:
            return Failure("Documents of this type are not supported.")
        limit = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._lock, contextlib.ExitStack() as stack:
            try:
                document = stack.enter_context(path.open("rb"))
            except OSError as error:
                return Failure(f"The document could not be read: {error.strerror}.", transient=True)
            child = self._loaded(document, name)
            with self._losing(child):
                try:
                    answer = child.receive(limit, self.output_bytes_max)
                    result = _result(answer)
                    child.resident_bytes = int(answer.get("resident_bytes", 0))
                except TimeoutError:
                    self._stop()
                    return Failure(f"Parsing took longer than the limit of {limit:g} s.")
                except _TooLong:
                    self._stop()
                    return Failure("The document holds more text than the limit allows.")
                except _TooFull:
                    self._stop()
                    size = f"{FOLDER_BYTES_MAX >> 20:,} MiB"
                    return Failure(f"The document filled more than {size} of temporary storage.")
                except _Gone:
                    child.await_end()
                    return Failure(f"The document made the parser crash ({self._stop()}).")
                except (ValueError, KeyError, TypeError, AttributeError):
                    self._stop()
                    return Failure("The document made the parser answer nonsense.")
            child.forget()
            child.documents += 1
            grown = child.resident_bytes > self.memory_bytes // 2
            if answer.get("worn") or grown or child.documents >= DOCUMENTS_MAX:
                self._stop()
        return result

    def close(self) -> None:
        """Kill the child and everything it started. May be called twice; the parser can be used again."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Parser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> _Child:
        """The child, started where there is none or where it died in its sleep."""
        if self._child is not None and self._child.dead:
            self._stop()
        if self._child is None:
            limits = {
                "timeout_seconds": self.timeout_seconds,
                "memory_bytes": self.memory_bytes,
                "output_bytes_max": self.output_bytes_max,
            }
            self._child = _Child(self._command, limits)
            with self._losing(self._child):
                self._child.expect_ready()
        return self._child

    def _loaded(self, document: BinaryIO | None = None, name: str = "") -> _Child:
        """The child, once it has the document and has imported what it needs; for none, everything."""
        child = self._running()
        try:
            return self._asked(child, document, name)
        except ParserError:
            if not child.documents:
                raise
        # A document may have taken it over, and this one shall not suffer from that.
        return self._asked(self._running(), document, name)

    def _asked(self, child: _Child, document: BinaryIO | None, name: str) -> _Child:
        with self._losing(child):
            child.send({} if document is None else {"path": child.take(document, name), "name": name})
            child.expect_loaded()
        return child

    @contextlib.contextmanager
    def _losing(self, child: _Child) -> Any:
        """After any exception the conversation with the child is out of step, and its state unknown."""
        try:
            yield
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> str:
        """End the child; in words, how it ended."""
        child, self._child = self._child, None
        return "" if child is None else child.stop()


class _Gone(Exception):
    """The child closed its end of the pipe."""


class _TooLong(Exception):
    """The child announced an answer above the limit."""


class _TooFull(Exception):
    """The child's folder holds more than the limit."""


class _Child:
    """One child process, its two pipes, its private folder and what it wrote to standard error."""

    def __init__(self, command: Sequence[str], settings: dict[str, Any]) -> None:
        with scratch_errors(tempfile.gettempdir()):
            self.folder = Path(tempfile.mkdtemp(prefix="freshkb-parse-"))
        # Beside them lies what was written to standard error.
        private = self.folder / sandbox.PRIVATE
        self.documents = 0
        self.resident_bytes = 0
        self.walls: list[Wall] = []
        try:
            for name in (sandbox.PRIVATE, sandbox.DOCUMENTS, sandbox.VIEW):
                (self.folder / name).mkdir(0o755)
            with (self.folder / "stderr").open("ab") as errors:
                self.process = subprocess.Popen(
                    [*command, json.dumps({**settings, "folder": str(self.folder)})],
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

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None

    @property
    def isolated(self) -> bool:
        return any(wall.built for wall in self.walls if wall.name == "namespaces")

    def take(self, document: BinaryIO, name: str) -> str:
        """Copy the document to where the child may read it and nothing else writes. Its path."""
        path = self.folder / sandbox.DOCUMENTS / f"document{suffix_of(name)}"
        document.seek(0)
        with scratch_errors(path.parent), path.open("xb") as copy:
            # The child's user may be another one, and is then the only member of the folder's group.
            os.fchmod(copy.fileno(), 0o640)
            shutil.copyfileobj(document, copy, 1 << 20)
        return str(path)

    def forget(self) -> None:
        """Remove the copy."""
        for path in (self.folder / sandbox.DOCUMENTS).iterdir():
            path.unlink()

    def send(self, request: dict[str, Any]) -> None:
        data = json.dumps(request).encode()
        # When the child is gone, waiting for its answer will tell.
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(len(data).to_bytes(4, "big") + data)

    def expect_ready(self) -> None:
        self.walls = [Wall(**wall) for wall in self._expect("ready")["walls"]]

    def expect_loaded(self) -> None:
        self._expect("loaded")

    def receive(self, seconds: float, size_max: int) -> dict[str, Any]:
        """The next answer. Raises TimeoutError, _Gone, _TooLong, _TooFull, or ValueError when it is none."""
        deadline = time.monotonic() + seconds
        size = int.from_bytes(self._read(4, deadline), "big")
        if size > size_max:
            raise _TooLong
        data = self._read(size, deadline)
        try:
            answer = json.loads(data)
        except RecursionError:
            raise ValueError("An answer is not deep.") from None
        if not isinstance(answer, dict):
            raise ValueError("An answer is an object.")
        return answer

    def await_end(self) -> None:
        """Wait a moment for a child that is about to end by itself, so that it can be told how it did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS_MAX)

    def stop(self) -> str:
        """Close the pipe, at which the guard kills everything; in words, how the child ended."""
        status = self.process.poll()
        self._requests.close()
        try:
            ended = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            ended = self.process.wait()
        self._answers.close()
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
        except (ValueError, _TooLong, _TooFull):
            raise ParserError("The parser answered nonsense when it was started.") from None
        except _Gone:
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

    def _read(self, size: int, deadline: float) -> bytes:
        descriptor = self._answers.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not poll.poll(min(left, LOOK_SECONDS) * 1000):
                if _disk_bytes(self.folder) > FOLDER_BYTES_MAX:
                    raise _TooFull
                continue
            block = os.read(descriptor, min(size - len(data), 1 << 20))
            if not block:
                raise _Gone
            data += block
        return bytes(data)


def _result(answer: dict[str, Any]) -> Parsed | Failure:
    """What the child says of the document. Raises ValueError, KeyError, TypeError or AttributeError when that
    makes no sense: a document may have taken the child over."""
    if "failure" in answer:
        return Failure(_sentence(answer["failure"]), transient=bool(answer.get("transient")))
    parsed = answer["parsed"]
    elements = tuple(
        Element(e["text"], e["kind"], tuple(e["heading_path"]), e["page"]) for e in parsed.pop("elements")
    )
    findings = [_diagnostic(f) for f in parsed.pop("findings")[:FINDINGS_MAX]]
    found = Parsed(elements=elements, findings=findings, **parsed)
    texts = [found.title, found.content_type, found.language or ""]
    for element in elements:
        texts += (element.text, element.kind, *element.heading_path)
    for text in texts:
        # Raises UnicodeEncodeError, which is a ValueError, for half a character.
        str.encode(text)
    if not all(element.page is None or isinstance(element.page, int) for element in elements):
        raise ValueError("These are no pages.")
    if not all(_is_property(value) for value in {**found.properties}.values()):
        raise ValueError("These are no properties.")
    return found


def _sentence(said: str) -> str:
    return "".join(c if c.isprintable() else " " for c in said[:REASON_MAX])


def _diagnostic(found: dict[str, Any]) -> Diagnostic:
    line = None if found["line"] is None else int(found["line"])
    return {"code": _sentence(found["code"]), "line": line, "reason": _sentence(found["reason"])}


def _is_property(value: Any) -> bool:
    """Whether it is what `index.properties` says."""
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not value if isinstance(value, dict) else True


def _disk_bytes(folder: Path) -> int:
    """What lies in the folder, as far as it can be seen."""
    found, folders = 0, [str(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                # Each name takes some room, however empty the file.
                found += 512 * entry.stat(follow_symlinks=False).st_blocks + 256
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return found


def _import_path() -> list[str]:
    """Where the child finds what this process imports; its own folder is empty and private."""
    return [str(Path(entry).absolute()) for entry in sys.path]
