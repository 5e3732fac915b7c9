"""The parent's side of parsing: several children, each with a line of documents.

A document is handed to a child while the child still reads the one before, as long as they are small: so no
child waits for its parent. Another child is started once those that run have no room for a document.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from index.cores import cores
from index.disk.fork import forget_in_children
from index.idle import Idle
from index.model import Enclosed, Failure, Parsed
from index.parse import child as children
from index.parse import formats
from index.parse.answers import enclosed_of
from index.parse.child import Child, Limits
from index.parse.content import received
from index.parse.line import LINE_BYTES, Job, Line
from index.parse.walls.walls import Wall

#: Children at once, however many cores there are: one that has imported every reader holds 190 MB.
CHILDREN_MAX = 4


class Parser:
    """Parses documents in child processes that can be killed.

    A child is started when documents need it, kept for the next ones, and replaced when it failed, was
    killed or has grown. Threads may share a parser.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 60.0,
        memory_bytes: int = 2 << 30,
        output_bytes_max: int = 32 << 20,
        command: Sequence[str] | None = None,
        children_max: int | None = None,
        release_after: float | None = None,
    ) -> None:
        """`timeout_seconds` is for one document, imports apart; `memory_bytes` is the address space of each
        process of a child; `command` starts another worker than ours, which speaks the same protocol.
        `children_max` None: as many as this process has cores, up to `CHILDREN_MAX`. Children are let go once
        none has come to rest for `release_after` seconds; None: they are kept until `close`."""
        self.limits = Limits(timeout_seconds, memory_bytes, output_bytes_max)
        self.children_max = children_max or min(cores(), CHILDREN_MAX)
        self._command = command or children.command("main")
        self._walls: list[Wall] | None = None
        self._release_after = release_after
        self._begin()
        forget_in_children(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        """Held to read or change the rest; notified when a line ends."""
        self._queue: deque[Job] = deque()
        self._unfinished_bytes = 0
        """Of the documents in the queue and in the lines."""
        self._resting: list[Child] = []
        self._idle = Idle(self._release_after, self.release)
        self._lines = 0
        """Threads with a child each. There is none while there is nothing to do."""
        self._closing = False

    @property
    def isolated(self) -> bool | None:
        """Whether a child has no network and a process table of its own; None before the first child."""
        if self._walls is None:
            return None
        return any(wall.built for wall in self._walls if wall.name == "namespaces")

    def walls(self) -> list[Wall]:
        """The state of each wall around a child. Raises ParserError when no child can be started."""
        child = self._taken() or self._started()
        self._rest(child)
        return child.walls

    def warm(self) -> None:
        """Start a child that has everything imported. Raises ParserError when something cannot be."""
        child = self._taken() or self._started()
        try:
            child.load_everything()
        except BaseException:
            child.stop()
            raise
        self._rest(child)

    def submit(
        self, path: Path, format: str, timeout_seconds: float | None = None
    ) -> Future[Parsed | Failure]:
        """The elements of the file at `path`, once they are there; the file stays until then. `format` is as
        `formats.of` gives it: a suffix such as ``.md``. A timeout given here is for this document.

        The future raises ParserError when the installation is at fault and not the document.
        """
        result: Future[Parsed | Failure] = Future()
        known = formats.BY_SUFFIX.get(format)
        if known is None:
            result.set_result(Failure(formats.why_unsupported(format)))
            return result
        return self._submitted(Job(path, known, self._limit(timeout_seconds), result))

    def enclosed(
        self, path: Path, format: str, timeout_seconds: float | None = None
    ) -> Future[Enclosed | Failure]:
        """The files that are attached to the mail at `path`, else as `submit`."""
        result: Future[Enclosed | Failure] = Future()
        job = Job(
            path, formats.BY_SUFFIX[format], self._limit(timeout_seconds), result, {"asked": "enclosed"}
        )
        job.answered = lambda answer, *_: enclosed_of(answer)
        return self._submitted(job)

    def content(
        self, path: Path, format: str, number: int, into: Path, timeout_seconds: float | None = None
    ) -> Future[str | Failure]:
        """The sha256 hash, hex, of the attached file of this number, once the file `into` has its bytes, at
        most `sandbox.FILE_BYTES_MAX`; else as `submit`. It goes before documents that wait."""
        result: Future[str | Failure] = Future()
        asked = {"asked": "content", "number": number}
        limit, answered = self._limit(timeout_seconds), partial(received, into)
        job = Job(path, formats.BY_SUFFIX[format], limit, result, asked, answered)
        return self._submitted(job, next=True)

    def _limit(self, timeout_seconds: float | None) -> float:
        return self.limits.timeout_seconds if timeout_seconds is None else timeout_seconds

    def _submitted(self, job: Job, *, next: bool = False) -> Future[Any]:
        with self._changed:
            (self._queue.appendleft if next else self._queue.append)(job)
            self._unfinished_bytes += job.bytes
            full = self._unfinished_bytes > self._lines * LINE_BYTES
            if full and self._lines < self.children_max:
                # A daemon: an interpreter that ends does not wait for a document.
                threading.Thread(target=self._serve, name="parse", daemon=True).start()
                # Not if none could be started: `close` would wait for it.
                self._lines += 1
        return job.result

    def parse(self, path: Path, format: str, timeout_seconds: float | None = None) -> Parsed | Failure:
        """The result of `submit`, waited for."""
        return self.submit(path, format, timeout_seconds).result()

    def close(self) -> None:
        """Kill the children and everything they started, once each is through with the document that it
        reads. May be called twice; the parser can be used again."""
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: not self._lines)
            self._closing = False
        self.release()

    def release(self) -> None:
        """Kill the children that read nothing. The next document starts another."""
        with self._changed:
            resting, self._resting = self._resting, []
        for child in resting:
            child.stop()

    def forget(self) -> None:
        """In a forked process: the children, and the threads that serve them, are its parent's."""
        for child in self._resting:
            child.forget()
        self._begin()

    def __enter__(self) -> Parser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ── Children and their lines ──────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        """Keep one child busy until there is nothing to do."""
        line = Line(self._started, self._taken())
        while self._fill(line):
            done = line.advance()
            with self._changed:
                self._unfinished_bytes -= done.bytes

    def _fill(self, line: Line) -> bool:
        """Move documents from the queue to a line that has room for them. False, and the line is over, when
        there are none."""
        with self._changed:
            if self._closing:
                given_up = [*line.give_up(), *self._queue]
                self._queue.clear()
                for job in given_up:
                    job.result.cancel()
                    self._unfinished_bytes -= job.bytes
            while self._queue and line.has_room(self._queue[0]):
                line.append(self._queue.popleft())
            if line:
                return True
            if line.child is not None:
                self._rest(line.child)
            self._lines -= 1
            self._changed.notify_all()
            return False

    def _taken(self) -> Child | None:
        """A child that is alive, taken from the resting ones."""
        while True:
            with self._changed:
                child = self._resting.pop() if self._resting else None
            if child is None or not child.dead:
                return child
            child.stop()

    def _rest(self, child: Child) -> None:
        with self._changed:
            self._resting.append(child)
        self._idle.touch()

    def _started(self) -> Child:
        child = Child(self._command, self.limits)
        try:
            child.expect_ready()
        except BaseException:
            child.stop()
            raise
        self._walls = child.walls
        return child
