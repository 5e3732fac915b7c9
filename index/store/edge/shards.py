"""The shards that this process has open, and the rule they live by: none without the folder's lock.

A session ends and the store stays open, locked, for `IDLE_SECONDS`, because loading 100,000 points takes 0.3
s and a search 2 ms. But as soon as a process waits for the lock, the shards are closed and it is released.

A search reads some texts and vectors, from the disk when they are not in memory yet, which takes as long as
all else of it. They are read ahead of a shard that stays open for a second search.

The engine writes to the files of a shard when it loads it. Where that is impossible, because this process may
only read them or their disk is full, a private copy is read instead: see `index.store.edge.view`.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import qdrant_edge as engine
from qdrant_edge import EdgeShard, UpdateOperation

from index.disk.fork import forget_in_children
from index.disk.scratch import room
from index.errors import StoreError
from index.store.base import SPARSE_NAME
from index.store.edge.ahead import AHEAD, ASKED, read_ahead
from index.store.edge.errors import engine_errors
from index.store.edge.lock import FolderLock

#: Seconds that an idle store stays open for the next session of this process: longer than a verify takes to
#: judge a page.
IDLE_SECONDS = 1.0
#: Seconds between an idle store's checks whether another process waits.
LOOK_SECONDS = 0.01
#: Seconds that a session waits for its turn.
TIMEOUT_SECONDS = 60.0
#: Free bytes that a disk must have before points are written: the engine maps its files into memory, and a
#: mapped file without room on its disk ends the process with SIGBUS, silently. A collection takes 60 MB with
#: its first points, then some KB a point.
ROOM_BYTES = 128 << 20
#: The engine numbers updates, and passes over points that have a higher number. Without a log it starts again
#: from the number that it flushed last. After a kill points may be ahead of it by the one update that was
#: under way, seldom by two, as each is flushed before the next. So a loaded shard skips some numbers.
SEQUENCE_LEAD = 8
#: Searches of an open shard after which its texts and vectors are read ahead: a command asks once.
MANY_SEARCHES = 2
#: Sealed points have a copy of their dense vector with a byte for each number, beside the vector. A search
#: ranks by the copies, a quarter of the bytes, and then the best of them by their vectors. The engine reads
#: all copies when it loads a shard.
COPIES = engine.ScalarQuantizationConfig(engine.ScalarType.Int8, memory=engine.Memory.Pinned)
#: A search reads the postings of its words only: they stay in their files.
WORDS = {SPARSE_NAME: engine.EdgeSparseVectorParams(modifier=engine.Modifier.Idf, memory=engine.Memory.Cold)}
#: No point has this id.
UNUSED_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Shards:
    """The open shards. Apart from the store, so that the idling thread does not keep an unused store
    alive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, EdgeShard] = {}
        self._views: set[str] = set()
        """Names of those that are private copies."""
        self._searches = Counter[str]()
        """Searches of each open shard."""
        self._rested = self._until = 0.0
        self._reset()
        forget_in_children(self)

    def _reset(self) -> None:
        self._mutex = threading.RLock()
        self._lock = FolderLock(self._folder)
        self._depth = 0
        self._idler: threading.Thread | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder. Threads of this process take turns; one thread may hold it several times over."""
        mutex, pid = self._mutex, os.getpid()
        if not mutex.acquire(timeout=TIMEOUT_SECONDS):
            raise StoreError(
                f"The vector store in {self._folder} is in use by another thread of this process."
            )
        try:
            if not self._lock.held:
                self._lock.acquire(TIMEOUT_SECONDS)
            self._depth += 1
            sound = False
            try:
                yield
                sound = True
            finally:
                # A child that was forked inside a session holds no lock.
                if os.getpid() == pid:
                    self._depth -= 1
                    if self._depth == 0:
                        with engine_errors("let go of its files"):
                            self._rest(sound)
        finally:
            mutex.release()

    def open(self, collection: str, *, to_write: bool = False) -> EdgeShard:
        """The loaded shard. Raises StoreError when it is to be written and may only be read, or when its disk
        is full."""
        if to_write:
            self.require_write(collection)
            if collection in self._views:
                self.shut(collection)
            if collection not in self._open:
                # Loading writes to the files.
                require_room(self._folder / collection)
        if collection not in self._open:
            path = self._folder / collection / "shard"
            if to_write or not (self._forbidden(collection) or room(path) < ROOM_BYTES):
                self._open[collection] = load(path)
            else:
                from index.store.edge.view import copied

                with copied(path) as copy:
                    self._open[collection] = load(copy)
                self._views.add(collection)
        return self._open[collection]

    def searched(self, collection: str) -> None:
        """Count a search of an open shard."""
        self._searches[collection] += 1
        if self._searches[collection] == MANY_SEARCHES and collection not in self._views:
            shard = self._folder / collection / "shard"
            # A search needs none of it.
            with suppress(RuntimeError):
                threading.Thread(target=read_ahead, args=(shard, ASKED), name=AHEAD, daemon=True).start()

    def require_write(self, collection: str = "") -> None:
        """Raises StoreError, naming the permission, when these files may only be read. The lock is held."""
        if self._forbidden(collection):
            raise StoreError(
                f"The vector store in {self._folder} may only be read: user {os.geteuid()} has no permission "
                "to write there, or its file system is mounted read-only. Nothing was written; run the "
                "command as a user that may write."
            )

    def _forbidden(self, collection: str) -> bool:
        place = self._folder / collection / "shard" if collection else self._folder
        return self._lock.shared or not os.access(place, os.W_OK, effective_ids=True)

    def shut(self, collection: str) -> None:
        self._views.discard(collection)
        del self._searches[collection]
        shard = self._open.pop(collection, None)
        if shard is not None:
            shard.close()

    def close(self) -> None:
        with self._mutex:
            if self._depth == 0 and self._lock.held:
                self._let_go()

    def _let_go(self) -> None:
        try:
            while self._open:
                self.shut(next(iter(self._open)))
        finally:
            self._open.clear()
            self._views.clear()
            self._searches.clear()
            self._lock.release()

    def _rest(self, sound: bool) -> None:
        """Stay open for a moment, unless a process waits, or a failure left the memory behind the files."""
        rests = False
        try:
            # Without a file to look at or a thread to let go later, let go now.
            with suppress(OSError, RuntimeError):
                rests = sound and not self._lock.wanted() and self._idling()
        finally:
            if not rests:
                self._let_go()

    def _idling(self) -> bool:
        """Idle from now on. Raises RuntimeError when no thread can be started for it."""
        self._rested = time.monotonic()
        self._until = self._rested + IDLE_SECONDS
        if self._idler is None:
            idler = threading.Thread(target=self._idle, name="freshkb-store-idle", daemon=True)
            idler.start()
            self._idler = idler
        return True

    def _idle(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            if time.monotonic() < self._rested + LOOK_SECONDS:
                # The end of a session has just looked: the next one shall not wait here for this thread.
                continue
            with self._mutex:
                # All writes are flushed, so a failure here loses nothing. If the check fails, release the
                # lock.
                with suppress(OSError):
                    if self._lock.held and time.monotonic() < self._until and not self._lock.wanted():
                        continue
                self._idler = None
                with suppress(StoreError), engine_errors("let go of its files"):
                    if self._lock.held:
                        self._let_go()
                return

    def forget(self) -> None:
        """In a forked child: the shards and the lock are its parent's.

        A garbage-collected shard writes to its files. So each gets a reference that lasts as long as the
        child.
        """
        for shard in self._open.values():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(shard))
        self._open.clear()
        self._views.clear()
        self._searches.clear()
        self._reset()


def load(path: Path) -> EdgeShard:
    """The shard, with the lead that its next update may need. In one of an older freshkb, the next sealing
    makes the copies of vectors."""
    shard = EdgeShard.load(str(path), engine.EdgeConfig(sparse_vectors=WORDS, quantization_config=COPIES))
    for _ in range(SEQUENCE_LEAD):
        shard.update(UpdateOperation.delete_points([UNUSED_ID]))
    return shard


def require_room(folder: Path) -> None:
    """Raises StoreError when the disk is so full that writing would be a risk."""
    free = room(folder)
    if free < ROOM_BYTES:
        raise StoreError(
            f"The disk of the vector store in {folder} is full: {free >> 20:,} MB are free, and writing "
            f"takes {ROOM_BYTES >> 20:,} MB. Nothing was written. Make room, and run the command again."
        )
