"""Follow the sources: hints say where to look, syncs find out what is so.

A source is looked at once its hints have been quiet for `debounce`, at the latest `max_wait` after the
first; as a whole on a timer (`sweep`), and whenever hints were lost. Lost, doubled or reordered hints change
when a document is looked at, never what the index becomes.

Threads that hear of changes only put them into a queue; everything else happens in the thread of `run`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from connectors.base import ConnectorError
from index.config import SourceConfig
from index.errors import FreshkbError, Locked, ModelChanged
from index.health.services import living
from index.outcome import DONE, RunReport
from index.redact import redact
from index.run import Run
from index.sync.collection import ensure
from index.sync.sync import sync
from index.upkeep import upkeep
from index.workspace import Workspace

#: Seconds until a failed sync is tried again. A source that can be asked and fails all the same is tried at
#: twice the distance each time, up to its sweep.
RETRY_SECONDS = 10.0

#: Seconds between two looks at `stop` while nothing happens: a signal handler cannot wake the queue.
LOOK_SECONDS = 0.2


@dataclass(slots=True)
class Pending:
    """The hints of one source that no sync has followed yet. Times are of the watcher's clock."""

    settings: SourceConfig
    folders: set[str] = field(default_factory=set)
    whole: bool = False
    first: float | None = None
    """When the first pending hint came."""
    last: float = 0.0
    sweep_at: float = 0.0
    not_before: float = 0.0
    failures: int = 0
    reported: set[str] = field(default_factory=set)
    """Why it could not be followed, as reported since it last could."""

    def hint(self, folder: str | None, at: float) -> None:
        if folder is None:
            self.whole = True
        else:
            self.folders.add(folder)
        self.first = at if self.first is None else self.first
        self.last = at

    def due(self) -> float:
        """When this source should be looked at."""
        watch = self.settings.watch
        at = self.sweep_at
        if self.first is not None:
            quiet = self.last + watch.debounce.total_seconds()
            at = min(at, quiet, self.first + watch.max_wait.total_seconds())
        return max(at, self.not_before)

    def take(self, now: float) -> list[str] | None:
        """The folders to list, None for the whole source; nothing is pending afterwards."""
        whole = self.whole or now >= self.sweep_at
        folders = None if whole else sorted(self.folders)
        if whole:
            self.sweep_at = now + self.settings.watch.sweep.total_seconds()
        self.folders, self.whole, self.first = set(), False, None
        return folders

    def postpone(self, folders: list[str] | None, first: float | None, now: float) -> None:
        """Put back what was taken, for later."""
        self.not_before = now + RETRY_SECONDS
        self.first = first
        if folders is None:
            self.sweep_at = now
        else:
            self.folders.update(folders)

    def sweep_sooner(self, now: float) -> None:
        """Look at the whole source again after a while; hints are followed as ever in between."""
        wait = min(RETRY_SECONDS * 2**self.failures, self.settings.watch.sweep.total_seconds())
        self.sweep_at = min(self.sweep_at, now + wait)
        self.failures += 1


class Watcher:
    """Runs until `stop` is set; `tell` gets an event when ready, for each sync and for each trouble."""

    def __init__(
        self,
        workspace: Workspace,
        stop: threading.Event,
        *,
        tell: Callable[[dict[str, Any]], None],
        polling: bool = False,
        command: str = "freshkb watch",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`command`: the name of the command that started it, for its mark and the writer lock."""
        self._workspace = workspace
        self._command = command
        self._stop = stop
        self._tell = tell
        self._polling = polling
        self._clock = clock
        self._hints: SimpleQueue[tuple[str, str | None, float]] = SimpleQueue()
        self._dirt = {s.id: Pending(s) for s in workspace.config.sources}
        self._watched: set[str] = set()

    def run(self) -> None:
        """Warm the model and the parser, catch up, say that it is ready, and follow.

        Raises Locked when the knowledge base has a watcher, ModelChanged when the index is another model's,
        and StoreError or EmbedderError when store or model cannot be used at the start.
        """
        with ExitStack() as watches:
            watches.enter_context(living(self._workspace.config.state_dir, "watcher", self._command))
            for source in self._dirt:
                self._watch(source, watches)
            self._warm()
            for source in self._dirt:
                self._look(source, watches)
            if not self._stop.is_set():
                watched = sorted(self._watched)
                self._tell({"event": "ready", "sources": sorted(self._dirt), "watched": watched})
            while not self._stop.is_set():
                due = self._next()
                if due is not None:
                    self._look(due, watches)

    def _watch(self, source: str, watches: ExitStack) -> None:
        """Start the hints of a source; without them it is swept, and tried again before each look at it."""
        if source in self._watched:
            return
        try:
            connector = self._workspace.connector(source)
            if connector.capabilities.watch:
                watch = connector.watch(
                    lambda folder: self._hints.put((source, folder, self._clock())), polling=self._polling
                )
                watches.enter_context(watch)
                self._watched.add(source)
        except (ConnectorError, OSError) as error:
            self._trouble(source, "error", f"Not watched: {redact(str(error))}")

    def _warm(self) -> None:
        """Load whatever the first changed document would have to wait for."""
        workspace = self._workspace
        with ThreadPoolExecutor(1, thread_name_prefix="warm-parser") as other:
            parser = other.submit(lambda: workspace.parser.warm())
            collection = ensure(workspace)
            workspace.embed(collection, ["warm"])
            workspace.tokenizer.count(["warm"])
            parser.result()

    def _next(self) -> str | None:
        """The source that is due, once one is; None when it is worth looking at `stop`."""
        source = min(self._dirt, key=lambda s: self._dirt[s].due())
        wait = self._dirt[source].due() - self._clock()
        try:
            hinted, folder, at = self._hints.get(timeout=max(0.0, min(wait, LOOK_SECONDS)))
            while True:
                self._dirt[hinted].hint(folder, at)
                hinted, folder, at = self._hints.get_nowait()
        except Empty:
            pass
        # A hint that has just come may put off what was due.
        return source if self._dirt[source].due() <= self._clock() else None

    def _look(self, source: str, watches: ExitStack) -> None:
        """One sync of one source; a sync that fails now is tried again, and disturbs no other source."""
        if self._stop.is_set():
            return
        dirt = self._dirt[source]
        self._watch(source, watches)
        hinted = dirt.first
        folders = dirt.take(self._clock())
        try:
            # Asked before a run is recorded: a disk may be away for days, and so may be the lock.
            self._workspace.connector(source).probe()
            with self._workspace.ledger.writer(source, self._command):
                pass
            run = Run(self._workspace, "watch", stop=self._stop)
            report = sync(run, [source], folders=folders)
            upkeep(run, report)
        except ModelChanged:
            # The configuration was read when this process started: only another one can go on.
            raise
        except (FreshkbError, ConnectorError, OSError) as error:
            dirt.postpone(folders, hinted, self._clock())
            event = "waiting" if isinstance(error, Locked) else "error"
            self._trouble(source, event, redact(str(error)))
            return
        dirt.reported.clear()
        if report.outcome == "failed":
            dirt.sweep_sooner(self._clock())
        elif folders is None:
            dirt.failures = 0
        if report.sources:
            self._tell(_synced(source, report, None if hinted is None else self._clock() - hinted))

    def _trouble(self, source: str, event: str, message: str) -> None:
        """Told once, however often it is met in a row."""
        reported = self._dirt[source].reported
        if message not in reported:
            reported.add(message)
            self._tell({"event": event, "source": source, "message": message})


def _synced(source: str, report: RunReport, since_hint: float | None) -> dict[str, Any]:
    """`since_hint`: seconds from the first hint that this sync followed to its end; None for a sweep.
    `failed`: documents that it put into quarantine. `reasons`: why removals were refused, and what
    else could not be done."""
    return {
        "event": "sync",
        "source": source,
        "outcome": report.outcome,
        "since_hint": None if since_hint is None else round(since_hint, 3),
        "failed": sum(s.counts.documents["quarantined"] for s in report.sources),
        "reasons": [reason for s in report.sources for reason in (*s.reasons, *s.findings)],
        **report.json(),
    }


def weight(event: Mapping[str, Any]) -> int:
    """The level of the event's log line."""
    match event["event"], event.get("outcome"):
        case ("error", _) | ("sync", "failed"):
            return logging.ERROR
        case ("waiting" | "unscheduled", _) | ("sync", "refused"):
            return logging.WARNING
        case ("sync", "partial") if event["failed"]:
            return logging.WARNING
        case _:
            return logging.INFO


def described(event: Mapping[str, Any]) -> str:
    """An event in words."""
    match event["event"]:
        case "ready":
            return f"Ready: watching {', '.join(event['watched']) or 'nothing; sweeping on a timer'}."
        case "sync":
            counts = event["sources"][0]
            done = ", ".join(f"{counts[name]:,} {name}" for name in DONE if counts[name])
            trouble = [*event["reasons"], *filter(None, [counts["error"]])]
            if event["failed"]:
                trouble.append(f"{event['failed']:,} put into quarantine: freshkb ls --state quarantined")
            said = f"{event['source']}: {done or 'nothing changed'} ({event['seconds']:.1f} s)."
            return " ".join([said, *trouble])
        case _:
            return f"{event['source']}: {event['message']}"
