"""A run: one sync, verification, audit, review, retry or reindex, from its start to its end.

A run has an id, a kind, an actor, a start, its progress, and a `stop` event that ends it early. It is on
record from the moment it is entered, and finished once, however it is left; entered again inside itself, as
by the sync that a repair ends with, it is still the same run. Its progress in the ledger is

    {"process": a number that no later process of the same id has,
     "source", "done", "of": documents, "at": time of this record}

all but the first from the first source on.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from index.actor import actor
from index.errors import AnchorError, FreshkbError, LedgerError
from index.model import rfc3339
from index.outcome import Counts, NoProgress, Progress
from index.records import RunRecord
from index.workspace import Workspace

log = logging.getLogger("freshkb.run")
#: The logger of batches, under the name that services' logs use.
batch_log = logging.getLogger("freshkb.sync")

#: An unfinished run of another host counts as killed after so long without a sign of it.
SILENCE = timedelta(days=1)


class Run:
    """A run in progress, for a `with`. `ends` sets its outcome; else it is done, or failed when an exception
    leaves it.

    `required`: raise LedgerError when the run cannot be recorded. Verbs that only read go on without a
    record, and log it.

    `behind`: begin also on a ledger that is older than its anchors know, in which orders to erase are
    missing; else Refused is raised. For verbs that show and write no document, and for the replay of orders.

    `stop`: once it is set, the batch in hand is finished, and no other is begun. `progress` is called as the
    run goes on. `run_id`: id of another process's run, for which this one works.
    """

    def __init__(
        self,
        workspace: Workspace,
        kind: str,
        *,
        required: bool = True,
        behind: bool = False,
        stop: threading.Event | None = None,
        progress: Progress | None = None,
        run_id: str | None = None,
    ) -> None:
        self.run_id = run_id or uuid.uuid4().hex
        self.kind = kind
        self.workspace = workspace
        self.stop = stop or threading.Event()
        self.progress = progress or NoProgress()
        self._required = required
        self._behind = behind
        self._depth = 0
        self._recorded = False
        self._entries = 0
        self._unanchored = ""
        self._anchored: int | None = None
        self.appended = False
        """Whether the log has grown since it was entered, by whichever run; known at its end."""
        self._source = ""
        self._done = self._of = 0
        self.ends("done", {})

    started_at: datetime
    """The time at which it was entered."""

    def ends(self, outcome: str, counts: Mapping[str, Any], error: str = "") -> None:
        """Set the outcome on record, unless an exception leaves the run."""
        self._end = outcome, counts, error

    @property
    def recorded(self) -> bool:
        """Whether it is on record; not where the ledger cannot be written, and it does without."""
        return self._recorded

    @property
    def outcome(self) -> str:
        return self._end[0]

    # ── How far it is ─────────────────────────────────────────────────────────────────────────────────

    def begins(self, source: str, documents: int) -> None:
        """Begin a source with so many documents to do."""
        self.progress.source(source, documents)
        self._source, self._done, self._of = source, 0, documents
        self._note()

    def advances(self, documents: int, done: Counts) -> None:
        """Count a finished batch of so many documents."""
        self.progress.documents(documents)
        self._done += documents
        self._note()
        batch_log.info(
            "%s: %s of %s documents: %s", self._source, *map("{:,}".format, (self._done, self._of)), done
        )

    def _note(self) -> None:
        if self._recorded and self._of:
            progress = {
                **_process(),
                "source": self._source,
                "done": self._done,
                "of": self._of,
                "at": rfc3339(self.workspace.now()),
            }
            try:
                self.workspace.ledger.runs.note_progress(self.run_id, progress)
            except LedgerError as error:
                # The run's work comes first; a ledger that stays unreachable ends it at its next write.
                log.debug("Run %s: its progress is not on record: %s", self.run_id, error)

    # ── The log's anchors ─────────────────────────────────────────────────────────────────────────────

    def anchor(self) -> str:
        """Write a checkpoint of the log to the anchors that lack one. Returns what failed, in words; "" when
        nothing did. To be called once what the run had to do is done; at its end, it is done again."""
        if not self._recorded:
            return ""
        size = self.workspace.ledger.log.head().size
        self.appended = size > self._entries
        if not self.workspace.config.log.anchors or size == self._anchored:
            return ""
        from index.checkpoints import write

        errors = write(self.workspace, appended=self.appended, since=self._entries)
        self._unanchored = " ".join(errors)
        self._anchored = None if errors else size
        return self._unanchored

    def _anchor_at_last(self, *, failing: bool) -> AnchorError | None:
        """The error to end the run with; None when there is none, or it is on record already."""
        told = self._unanchored
        try:
            said = self.anchor()
        except LedgerError as error:
            said, failing = str(error), True
        if not said or said == told:
            return None
        if failing or not self._required:
            log.warning("Run %s: %s", self.run_id, said)
            return None
        _, counts, error_text = self._end
        self.ends("failed", counts, "; ".join(filter(None, (error_text, said))))
        return AnchorError(f"{said} What was done is whole; the next run makes up for the checkpoint.")

    # ── Its record ────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1:
            try:
                self._start()
            except BaseException:
                self._depth = 0
                raise
        return self

    def _start(self) -> None:
        ledger = self.workspace.ledger
        if self.workspace.config.log.anchors and not self._behind:
            from index.checkpoints import require_orders

            require_orders(self.workspace)
        self.started_at = self.workspace.now()
        try:
            self._entries = ledger.log.head().size
            ledger.runs.start(
                self.kind, self.started_at, run_id=self.run_id, actor=actor(), progress=_process()
            )
            self._recorded = True
        except LedgerError as error:
            if self._required:
                raise
            log.warning("This %s is not on record: %s", self.kind, error)
        log.debug("Run %s: %s begins.", self.run_id, self.kind)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            if error is not None:
                self.ends(_outcome(error), {}, f"{type(error).__name__}: {error}")
            self._finish(failing=error is not None)

    def _finish(self, *, failing: bool) -> None:
        unanchored = self._anchor_at_last(failing=failing)
        outcome, counts, error = self._end
        finished = self.workspace.now()
        seconds = (finished - self.started_at).total_seconds()
        log.debug("Run %s: %s ended %s after %.1f s.", self.run_id, self.kind, outcome, seconds)
        if not self._recorded:
            return
        self._recorded = False
        try:
            self.workspace.ledger.runs.finish(self.run_id, finished, outcome, counts, error)
        except LedgerError as trouble:
            if self._required and not failing:
                raise
            # Do not mask the exception that ends the run.
            log.warning("Run %s: its end is not on record: %s", self.run_id, trouble)
        if unanchored is not None:
            raise unanchored


def _outcome(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "refused" if isinstance(error, FreshkbError) and error.exit_code == 4 else "failed"


# ── Runs that others made ─────────────────────────────────────────────────────────────────────────────


def alive(run: RunRecord, now: datetime) -> bool:
    """Whether an unfinished run is still going on; unknown counts as alive."""
    if run.host != socket.gethostname():
        return now - last_sign(run) < SILENCE
    try:
        os.kill(run.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # Containers give the same few ids again and again.
    born = run.progress.get("process")
    return born is None or _born(run.pid) in (None, born)


def last_sign(run: RunRecord) -> datetime:
    """The time of the last sign of the run."""
    try:
        return datetime.fromisoformat(run.progress["at"])
    except (KeyError, TypeError, ValueError):
        return run.finished_at or run.started_at


def _process() -> dict[str, Any]:
    born = _born(os.getpid())
    return {} if born is None else {"process": born}


def _born(pid: int) -> int | None:
    """The start of the process, in ticks since the machine's; None where it is not known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        # The program's name before it may hold blanks and brackets.
        return int(stat.rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
