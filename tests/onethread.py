"""A connector that fails when two threads are in it at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from connectors.base import Connector, Entry, Fetched, Listing, OwnersFile


class OneThread(Connector):
    """Hands everything to another connector, and stays in each call for a moment, so that two meet."""

    linger_seconds = 0.002

    def __init__(self, inner: Connector) -> None:
        super().__init__(inner.settings, inner.context)
        self._inner = inner
        self._inside: dict[int, str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def _alone(self, method: str) -> Iterator[None]:
        me = threading.get_ident()
        with self._lock:
            others = [name for thread, name in self._inside.items() if thread != me]
            assert not others, f"{method}() was called while another thread was in {others[0]}()"
            before = self._inside.get(me)
            self._inside[me] = method
        try:
            time.sleep(self.linger_seconds)
            yield
        finally:
            with self._lock:
                if before is None:
                    del self._inside[me]
                else:
                    self._inside[me] = before

    def probe(self) -> str:
        with self._alone("probe"):
            return self._inner.probe()

    def list(self, folders: Collection[str] | None = None) -> Listing:
        with self._alone("list"):
            listing = self._inner.list(folders)
        listing.entries = self._entries(listing.entries)
        return listing

    def _entries(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        while True:
            with self._alone("list"):
                entry = next(entries, None)
            if entry is None:
                return
            yield entry

    def stat(self, uri: str) -> Entry | None:
        with self._alone("stat"):
            return self._inner.stat(uri)

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        with self._alone("fetch"):
            return self._inner.fetch(uri, into)

    def url(self, uri: str) -> str:
        return self._inner.url(uri)

    def home(self) -> str:
        return self._inner.home()

    def checked_out_at(self) -> int | None:
        with self._alone("checked_out_at"):
            return self._inner.checked_out_at()

    def codeowners(self) -> OwnersFile | None:
        with self._alone("codeowners"):
            return self._inner.codeowners()

    def watch(
        self, on_hint: Callable[[str | None], None], *, polling: bool = False
    ) -> AbstractContextManager[None]:
        with self._alone("watch"):
            return self._inner.watch(on_hint, polling=polling)

    def close(self) -> None:
        with self._alone("close"):
            self._inner.close()
