"""The parent's side of parsing: one child at a time, watched by the clock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from index.errors import ParserError
from index.model import Diagnostic, Element, Failure, Parsed
from index.parse import child as children
from index.parse import formats
from index.parse.child import Child, Gone, TooFull, TooLong
from index.parse.formats import Format
from index.parse.walls.walls import Wall

#: Documents that one child parses before another takes its place: libraries leak.
DOCUMENTS_MAX = 1000
#: Number of uncompiled modules from which compiling all of them pays for later children.
UNCOMPILED_MAX = 100
#: Characters of a reason.
REASON_MAX = 400
#: Findings of one document.
FINDINGS_MAX = 20


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
        self._command = command or children.command("main")
        self._compiled = False
        self._child: Child | None = None
        self._lock = threading.Lock()

    @property
    def isolated(self) -> bool | None:
        """Whether the child has no network and a process table of its own; None before the first child."""
        return None if self._child is None else self._child.isolated

    def walls(self) -> list[Wall]:
        """The state of each wall around a child. Raises ParserError when no child can be started."""
        with self._lock:
            return self._running().walls

    def warm(self) -> None:
        """Start a child that has everything imported. Raises ParserError when something cannot be."""
        with self._lock:
            self._loaded()

    def parse(self, path: Path, format: str, timeout_seconds: float | None = None) -> Parsed | Failure:
        """The elements of the file at `path`, of a format as `formats.of` gives it: a suffix such as ``.md``.
        A timeout given here is for this document.

        Raises ParserError when the installation is at fault and not the document.
        """
        known = formats.BY_SUFFIX.get(format)
        if known is None:
            return Failure(formats.why_unsupported(format))
        limit = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        with self._lock, contextlib.ExitStack() as stack:
            try:
                document = stack.enter_context(path.open("rb"))
            except OSError as error:
                return Failure(f"The document could not be read: {error.strerror}.", transient=True)
            child = self._loaded(document, known)
            with self._losing(child):
                try:
                    answer = child.receive(limit, self.output_bytes_max)
                    result = _result(answer)
                    child.resident_bytes = int(answer.get("resident_bytes", 0))
                except TimeoutError:
                    self._stop()
                    return Failure(f"Parsing took longer than the limit of {limit:g} s.")
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

    def _running(self) -> Child:
        """The child, started where there is none or where it died while idle."""
        if self._child is not None and self._child.dead:
            self._stop()
        if self._child is None:
            limits = {
                "timeout_seconds": self.timeout_seconds,
                "memory_bytes": self.memory_bytes,
                "output_bytes_max": self.output_bytes_max,
            }
            self._child = Child(self._command, limits)
            with self._losing(self._child):
                self._child.expect_ready()
        return self._child

    def _loaded(self, document: BinaryIO | None = None, format: Format | None = None) -> Child:
        """The child, once it has the document and has imported its reader; without a document, all
        readers."""
        child = self._running()
        try:
            return self._asked(child, document, format)
        except ParserError:
            if not child.documents:
                raise
        # An earlier document may have corrupted the child: start a new one.
        return self._asked(self._running(), document, format)

    def _asked(self, child: Child, document: BinaryIO | None, format: Format | None) -> Child:
        request: dict[str, Any] = {}
        with self._losing(child):
            if document is not None and format is not None:
                request = {"path": child.take(document, format.name), "format": format.name}
            child.send(request)
            uncompiled = child.expect_loaded()
        if uncompiled > UNCOMPILED_MAX and not child.documents and not self._compiled:
            self._compiled = True
            children.compile_all()
        return child

    @contextlib.contextmanager
    def _losing(self, child: Child) -> Any:
        """After any exception the conversation with the child is out of step, and its state unknown."""
        try:
            yield
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> str:
        """End the child. Returns how it ended, in words."""
        child, self._child = self._child, None
        return "" if child is None else child.stop()


def _result(answer: dict[str, Any]) -> Parsed | Failure:
    """The child's answer as a value. Raises ValueError, KeyError, TypeError or AttributeError when it is
    malformed: a document may have corrupted the child."""
    if "failure" in answer:
        return Failure(_sentence(answer["failure"]), transient=bool(answer.get("transient")))
    parsed = answer["parsed"]
    elements = tuple(
        Element(e["text"], e["kind"], tuple(e["heading_path"]), e["page"]) for e in parsed.pop("elements")
    )
    findings = [_diagnostic(f) for f in parsed.pop("findings", [])[:FINDINGS_MAX]]
    found = Parsed(elements=elements, findings=findings, **parsed)
    texts = [found.title, found.content_type, found.language or ""]
    for element in elements:
        texts += (element.text, element.kind, *element.heading_path)
    for text in texts:
        # Raises UnicodeEncodeError, a ValueError, for lone surrogates.
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
    """Whether it is a property as defined in `index.freshness.properties`."""
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not value if isinstance(value, dict) else True
