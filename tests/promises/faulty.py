"""Parts that fail at their Nth call, with the errors and in the ways of the real ones.

Where it can be had, the failure is a real one: a transaction whose commit the database refuses, a lock that
another connection holds, a file that may not grow. Elsewhere the call is made, half made or not made, and the
error raised that the part raises when its server, its disk or its device does not answer.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import Any

from connectors.base import (
    DocumentChanging,
    DocumentForbidden,
    DocumentVanished,
    Listing,
    SourceUnavailable,
)
from index.errors import EmbedderError, LedgerError, ParserError, StoreError
from index.model import Failure
from index.store.edge import shards
from index.store.edge.lock import FolderLock
from index.workspace import Workspace
from tests.knowledge import done
from tests.promises.parts import Call, interpose

#: Ways to fail.
#:
#:     before    the call has no effect
#:     after     it had its effect, and raises all the same
#:     half      half of a batch, a stream that breaks off, a transaction that is undone at its end
#:     late      a lock is not had in time, a document takes too long
#:     full      no file may grow
#:     gone      like `before`, and so is every call from then on
#:
#: and of one document: vanished, forbidden, changing; partial is a listing that meets an unreadable folder.
MODES = {
    "ledger": ("before", "after", "half", "late", "full", "gone"),
    "store": ("before", "after", "half", "late", "full", "gone"),
    "connector": (
        "before", "after", "half", "full", "gone", "vanished", "forbidden", "changing", "partial",
    ),
    "parser": ("before", "after", "late", "gone"),
    "embedder": ("before", "after", "gone"),
}  # fmt: skip

_OF_ONE_DOCUMENT = {
    "vanished": DocumentVanished("It is gone."),
    "forbidden": DocumentForbidden("It may not be read."),
    "changing": DocumentChanging("It changed during each attempt to read it."),
}

#: Calls that give a context: they fail when it is entered, and `after` when it is left.
_CONTEXTS = frozenset({"store.session", "ledger.writer", "ledger.erasures.placing"})

#: Calls beside those that write which leave something behind: a file, a parsed document, vectors.
_EFFECTS = frozenset({"connector.fetch", "parser.submit", "embedder.embed_documents"})


def _nothing() -> None: ...


@contextmanager
def full_disk(room: int = 0) -> Iterator[None]:
    """No file may be written beyond its first so many bytes. Files that are mapped into memory may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Fault:
    """A fault: a call of this part fails in this way."""

    def __init__(self, part: str, mode: str) -> None:
        self.part, self.mode = part, mode
        self.armed = False
        self.at = self.count = 0
        self.fired = ""
        """The call that failed; "" while none did."""
        self.met: list[Call] = []
        """All calls since it was armed, of any part."""
        self._commits = True
        self._workspace: Workspace

    def __repr__(self) -> str:
        return f"{self.part} {self.mode} {self.at} ({self.fired or 'nothing failed'})"

    @property
    def reached(self) -> bool:
        return self.count >= self.at

    def arm(self, at: int) -> None:
        """From now on the calls count, and number `at` fails."""
        self.armed, self.at, self.count, self.fired = True, at, 0, ""
        self.met = []

    def fit(self, workspace: Workspace) -> None:
        """From now on the workspace's parts are these."""
        self._workspace = workspace
        dialect: Any = workspace.ledger.database.engine.dialect
        commit = dialect.do_commit

        def committing(connection: Any) -> None:
            if not self._commits:
                raise dialect.loaded_dbapi.OperationalError("disk I/O error")
            commit(connection)

        dialect.do_commit = committing
        interpose(workspace, self.around)

    def around(self, call: Call) -> Any:
        if self.armed:
            # Without what the call would be made with, which lives no longer than the run.
            self.met.append(replace(call, whole=_nothing, half=call.half and _nothing))
        if not self.armed or not self.applies(call):
            return self._followed(call, call.whole())
        self.count += 1
        if self.count != self.at and not (self.mode == "gone" and self.reached):
            return self._followed(call, call.whole())
        try:
            return self._followed(call, self._failing(call))
        except BaseException:
            self.fired = self.fired or str(call)
            raise

    def applies(self, call: Call) -> bool:
        """Whether this call can fail in this way."""
        part, context = "store" if call.part == "session" else call.part, str(call) in _CONTEXTS
        if part != self.part or call.name == "url":
            return False
        streams = call.name.endswith(".next")
        match self.mode:
            case "before" | "gone":
                return not streams
            case "after":
                return call.writes or context or str(call) in _EFFECTS
            case "half":
                halves = call.part == "ledger" and call.writes
                return call.name.endswith("1.next") or call.half is not None or halves or call.name == "fetch"
            case "late":
                if self.part == "parser":
                    return call.name == "submit"
                waits = call.name in ("session", "create", "drop") and call.part == "store"
                return waits or (call.part == "ledger" and call.writes)
            case "full":
                return call.writes or context or str(call) in _EFFECTS
            case "partial":
                return call.name == "entries1.next"
            case _:
                return call.name in ("fetch", "stat")

    def _failing(self, call: Call) -> Any:
        match self.mode:
            case "before" | "gone":
                raise self._error(call)
            case "after" if str(call) in _CONTEXTS:
                return self._left(call)
            case "after":
                call.whole()
                raise self._error(call)
            case "half":
                self._half(call)
                raise self._error(call)
            case "late":
                return self._too_late(call)
            case "full" if str(call) in _CONTEXTS:
                return self._entered(call, full_disk)
            case "full":
                # A call that finds enough room all the same succeeds.
                with full_disk():
                    return call.whole()
            case "partial":
                raise StopIteration
            case mode:
                raise _OF_ONE_DOCUMENT[mode]

    def _error(self, call: Call) -> Exception:
        match self.part:
            case "ledger":
                return LedgerError(f"The ledger cannot be used: {call} got no answer.")
            case "store":
                return StoreError(f"The vector store could not {call}: it got no answer.")
            case "connector":
                return SourceUnavailable(f"The source cannot be asked: {call} got no answer.")
            case "parser":
                return ParserError("The parser could not be started.")
            case _:
                return EmbedderError("The model could not embed the texts.")

    def _half(self, call: Call) -> None:
        if call.half is not None:
            call.half()
        elif call.name == "fetch":
            with full_disk(10):
                call.whole()
        elif call.part == "ledger" and call.writes:
            self._commits = False
            try:
                call.whole()
            finally:
                self._commits = True

    def _too_late(self, call: Call) -> Any:
        """Another process holds what the call needs for longer than it waits."""
        if self.part == "parser":
            self.fired = str(call)
            return done(lambda: Failure("Parsing took longer than the limit of 60 s."))
        if str(call) in _CONTEXTS:
            return self._entered(call, self._taken)
        with self._taken():
            return call.whole()

    @contextmanager
    def _taken(self) -> Iterator[None]:
        state = self._workspace.config.state_dir
        with ExitStack() as stack:
            if self.part == "ledger":
                other = stack.enter_context(closing(sqlite3.connect(state / "ledger.db")))
                other.execute("BEGIN IMMEDIATE")
            else:
                lock = FolderLock(state / "index")
                lock.acquire(60)
                stack.callback(lock.release)
                patience, shards.TIMEOUT_SECONDS = shards.TIMEOUT_SECONDS, 0.01
                stack.callback(setattr, shards, "TIMEOUT_SECONDS", patience)
            yield

    @contextmanager
    def _entered(self, call: Call, trouble: Callable[[], Any]) -> Iterator[Any]:
        with ExitStack() as stack:
            try:
                with trouble():
                    opened = stack.enter_context(call.whole())
            except BaseException:
                self.fired = str(call)
                raise
            yield opened

    @contextmanager
    def _left(self, call: Call) -> Iterator[Any]:
        with call.whole() as opened:
            yield opened
        self.fired = str(call)
        raise self._error(call)

    def _followed(self, call: Call, result: Any) -> Any:
        """The result of a call, whose streams can fail on the way, too."""
        if isinstance(result, Listing):
            result.entries = self._stream(Call(call.part, "entries", list), result.entries, result)
        elif isinstance(result, Iterator):
            return self._stream(call, result)
        return result

    def _stream(self, call: Call, items: Iterator[Any], listing: Listing | None = None) -> Iterator[Any]:
        number = 0
        while True:
            following = Call(call.part, f"{call.name}{number}.next", lambda: next(items))
            number += 1
            try:
                item = self.around(following)
            except StopIteration:
                # The next run's listing may end by itself where this one was cut off.
                if listing is not None and self.armed and self.fired == str(following):
                    listing.errors.append("'folder' could not be listed: Permission denied.")
                return
            yield item
