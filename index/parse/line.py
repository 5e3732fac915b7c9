"""The line of documents of one child: handed to it ahead of their turn, and settled one by one.

A document that is ahead in a line may end the child, or take it over. Those after it are then handed to
another child, and lose nothing but time: each has the whole of its own limit, which begins when the child
says that the reader of its format is imported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from index.errors import FreshkbError, ParserError, ScratchError
from index.model import Failure, Parsed
from index.parse import child as children
from index.parse.answers import resident_bytes_of, result_of
from index.parse.child import Child, Gone, TooFull, TooLong
from index.parse.formats import Format

#: Bytes of the documents in a line, a single one apart, and the least that counts for one: 16 small documents
#: are ahead, a long one has its child for itself.
LINE_BYTES = 64 << 10
_DOCUMENT_BYTES_MIN = LINE_BYTES // 16
#: Documents that one child parses before another takes its place: libraries leak. One that has grown is
#: replaced before. To start one costs as much as some hundred small documents.
DOCUMENTS_MAX = 4000


def elements(answer: dict[str, Any], child: Child, limit: float) -> Parsed | Failure:
    return result_of(answer)


@dataclass(slots=True, eq=False)
class Job:
    """A document to be parsed, or a mail that is asked for its attachments."""

    path: Path
    format: Format
    limit: float
    """Seconds."""
    result: Future[Any]
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The rest of the request."""
    answered: Callable[[dict[str, Any], Child, float], Any] = elements
    """(answer, child, limit) to the result. Raises as `result_of` and `Child.receive` do."""
    bytes: int = 0
    """Its share of `LINE_BYTES`."""
    copy: Path | None = field(default=None, init=False)
    """The file that the child of the line was handed; None while it was handed none."""

    def __post_init__(self) -> None:
        try:
            size = self.path.stat().st_size
        except OSError:
            size = 0
        self.bytes = min(max(size, _DOCUMENT_BYTES_MIN), LINE_BYTES)


class Line:
    """Documents in the order in which one child reads them. For one thread."""

    def __init__(self, start: Callable[[], Child], child: Child | None = None) -> None:
        """`start` gives another child when there is none, or none any more."""
        self.child = child
        self._start = start
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def has_room(self, job: Job) -> bool:
        return not self._jobs or sum(j.bytes for j in self._jobs) + job.bytes <= LINE_BYTES

    def append(self, job: Job) -> None:
        self._jobs.append(job)

    def give_up(self) -> list[Job]:
        """Leave all documents, and end a child that has any. Returns them."""
        left = list(self._jobs)
        if any(job.copy for job in left):
            self._stop()
        self._jobs.clear()
        return left

    def advance(self) -> Job:
        """Settle the first document of the line, and take it out. Those after it are handed to the child
        before it is waited for."""
        job = self._jobs[0]
        if job.result.set_running_or_notify_cancel():
            try:
                job.result.set_result(self._settled(job))
            except BaseException as error:
                # The conversation with the child is out of step, and its state unknown.
                self._stop()
                job.result.set_exception(error)
        elif job.copy is not None:
            # The child has begun to read what nobody waits for.
            self._stop()
        self._jobs.popleft()
        return job

    def _settled(self, job: Job) -> Any:
        try:
            child = self._loaded(job)
        except OSError as error:
            return Failure(f"The document could not be read: {error.strerror}.", transient=True)
        try:
            answer = child.receive(job.limit, child.limits.output_bytes_max)
            result = job.answered(answer, child, job.limit)
            child.resident_bytes = resident_bytes_of(answer)
        except TimeoutError:
            self._stop()
            return Failure(f"Parsing took longer than the limit of {job.limit:g} s.")
        except TooLong:
            self._stop()
            return Failure("The document holds more text than the limit allows.")
        except TooFull:
            self._stop()
            size = f"{children.FOLDER_BYTES_MAX >> 20:,} MiB"
            return Failure(f"The document filled more than {size} of temporary storage.")
        except Gone:
            child.await_end()
            return Failure(f"The document made the parser crash ({self._stop()}).")
        except (FreshkbError, OSError, MemoryError):
            # This machine is at fault.
            raise
        except Exception:
            # Whatever else an answer leads to: a document that took its child over chose its words.
            self._stop()
            return Failure("The document made the parser answer nonsense.")
        child.documents += 1
        grown = child.resident_bytes > child.limits.memory_bytes // 2
        if answer.get("worn") or grown or child.documents >= DOCUMENTS_MAX:
            self._stop()
        elif job.copy is not None:
            # The document after it may have ended the child already, whose guard then has emptied the folder.
            job.copy.unlink(missing_ok=True)
        return result

    def _loaded(self, job: Job) -> Child:
        """The child, once it has imported the reader of the first document. Raises OSError when that cannot
        be opened."""
        earlier = self.child is not None and self.child.documents
        try:
            return self._asked(job)
        except ParserError:
            if not earlier:
                raise
        # An earlier document may have corrupted the child: start a new one.
        self._stop()
        return self._asked(job)

    def _asked(self, job: Job) -> Child:
        if self.child is None:
            self.child = self._start()
        self._hand(self.child, job)
        for ahead in islice(self._jobs, 1, None):
            if ahead.copy is None and not ahead.result.cancelled():
                try:
                    self._hand(self.child, ahead)
                except (OSError, ParserError, ScratchError):
                    # Tried again, and reported, when it is the first. Those behind it keep their places.
                    break
        self.child.expect_loaded()
        return self.child

    def _hand(self, child: Child, job: Job) -> None:
        if job.copy is None:
            with job.path.open("rb") as document:
                job.copy = child.hand(document, job.format.name, **job.asked)

    def _stop(self) -> str:
        """End the child; what it was handed is to be handed again. Returns how it ended, in words."""
        child, self.child = self.child, None
        for job in self._jobs:
            job.copy = None
        return "" if child is None else child.stop()
