"""Follow the sources: hints say where to look, syncs find out what is so.

A source is looked at once its hints have been quiet for `debounce`, at the latest `max_wait` after the
first; as a whole on a timer (`sweep`), and whenever hints were lost. Lost, doubled or reordered hints change
when a document is looked at, never what the index becomes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from connectors.base import ConnectorError
from index.config import SourceConfig
from index.errors import FreshkbError, Refused
from index.mirror import Mirror
from index.outcome import Report
from index.sync import Sync

#: Seconds until a source is looked at again after a sync that could not be done.
RETRY_SECONDS = 10.0


@dataclass(slots=True)
class Dirt:
    """What has been hinted for one source and not been looked at. Times are of the monotonic clock."""

    settings: SourceConfig
    folders: set[str] = field(default_factory=set)
    whole: bool = False
    first: float | None = None
    last: float = 0.0
    sweep_at: float = 0.0
    not_before: float = 0.0

    def hint(self, folder: str | None, now: float) -> None:
        if folder is None:
            self.whole = True
        else:
            self.folders.add(folder)
        self.first = now if self.first is None else self.first
        self.last = now

    def due(self) -> float:
        """When this source should be looked at."""
        watch = self.settings.watch
        at = self.sweep_at
        if self.first is not None:
            quiet = self.last + watch.debounce.total_seconds()
            at = min(at, quiet, self.first + watch.max_wait.total_seconds())
        return max(at, self.not_before)

    def take(self, now: float) -> list[str] | None:
        """The folders to list, None for the whole source; nothing is dirty afterwards."""
        whole = self.whole or now >= self.sweep_at
        folders = None if whole else sorted(self.folders)
        if whole:
            self.sweep_at = now + self.settings.watch.sweep.total_seconds()
        self.folders, self.whole, self.first = set(), False, None
        return folders


class Watcher:
    """Runs until `stop` is set; `tell` gets one event when ready, one for each sync, one for each trouble."""

    def __init__(
        self,
        mirror: Mirror,
        stop: threading.Event,
        *,
        tell: Callable[[dict[str, Any]], None],
        polling: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mirror = mirror
        self._stop = stop
        self._tell = tell
        self._polling = polling
        self._clock = clock
        self._changed = threading.Condition()
        self._dirt = {s.id: Dirt(s) for s in mirror.config.sources}
        self._watched: set[str] = set()

    def run(self) -> None:
        """Warm the model and the parser, catch up, say that it is ready, and follow."""
        with ExitStack() as watches:
            for every in self._dirt:
                self._watch(every, watches)
            self._warm()
            for every in self._dirt:
                self._look(every)
            self._tell({"event": "ready", "sources": sorted(self._dirt), "watched": sorted(self._watched)})
            while not self._stop.is_set():
                source = self._next()
                if source is not None:
                    if source not in self._watched:
                        self._watch(source, watches)
                    self._look(source)

    def _watch(self, source: str, watches: ExitStack) -> None:
        """Start the hints of a source; without them it is swept, and tried again then."""
        connector = self._mirror.connector(source)
        if not connector.capabilities.watch:
            return
        try:
            watches.enter_context(
                connector.watch(lambda folder: self._hint(source, folder), polling=self._polling)
            )
            self._watched.add(source)
        except (ConnectorError, OSError) as error:
            self._tell({"event": "error", "source": source, "message": f"Not watched: {error}"})

    def _hint(self, source: str, folder: str | None) -> None:
        with self._changed:
            self._dirt[source].hint(folder, self._clock())
            self._changed.notify()

    def _warm(self) -> None:
        collection = self._mirror.ensure_collection()
        parser = threading.Thread(target=self._mirror.parser.warm, name="warm-parser")
        parser.start()
        self._mirror.embedder(collection).warm()
        parser.join()

    def _next(self) -> str | None:
        """The source that is due, once one is; None when it is worth looking at `stop`."""
        with self._changed:
            source = min(self._dirt, key=lambda s: self._dirt[s].due())
            wait = self._dirt[source].due() - self._clock()
            if wait <= 0:
                return source
            # A signal handler sets `stop` and cannot notify: it must not take this lock.
            self._changed.wait(min(wait, 0.2))
            return None

    def _look(self, source: str) -> None:
        """One sync of one source; what cannot be done now is tried again."""
        dirt = self._dirt[source]
        with self._changed:
            folders = dirt.take(self._clock())
        started = self._clock()
        try:
            report = Sync(self._mirror, kind="watch", stop=self._stop).run([source], folders=folders)
        except FreshkbError as error:
            kind = "waiting" if isinstance(error, Refused) else "error"
            self._tell({"event": kind, "source": source, "message": str(error)})
            self._again(dirt, folders)
            return
        if report.outcome == "failed":
            self._again(dirt, folders)
        if not report.interrupted or any(report.sources):
            self._tell(_synced(source, report, self._clock() - started))

    def _again(self, dirt: Dirt, folders: list[str] | None) -> None:
        with self._changed:
            dirt.not_before = self._clock() + RETRY_SECONDS
            for folder in folders if folders is not None else [None]:
                dirt.hint(folder, self._clock())


def _synced(source: str, report: Report, seconds: float) -> dict[str, Any]:
    return {
        "event": "sync",
        "source": source,
        "outcome": report.outcome,
        "took": round(seconds, 3),
        **report.json(),
    }


def described(event: Mapping[str, Any]) -> str:
    """An event in words."""
    match event["event"]:
        case "ready":
            return f"Ready: watching {', '.join(event['watched']) or 'nothing; sweeping on a timer'}."
        case "sync":
            counts = event["sources"][0] if event["sources"] else {}
            names = ("added", "updated", "moved", "deleted", "touched")
            done = ", ".join(f"{counts[name]:,} {name}" for name in names if counts.get(name))
            trouble = f" {counts['error']}" if counts.get("error") else ""
            return f"{event['source']}: {done or 'nothing changed'} ({event['took']:.1f} s).{trouble}"
        case _:
            return f"{event['source']}: {event['message']}"
