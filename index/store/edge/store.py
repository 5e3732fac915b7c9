"""Qdrant's engine inside this process, one folder a collection.

::

    PATH/COLLECTION/instance       the ledger it belongs to, and a check of that
    PATH/COLLECTION/unsealed       how many points were written since the last sealing, about
    PATH/COLLECTION/shard/         the engine's files

A collection is made under a hidden name and renamed when it is whole, and dropped the other way round, so
that its folder is there whole or not at all.

The engine runs without its write-ahead log: updates are durable once `flush` returns, and deleted text does
not live on in a log. Without the log it takes no lock of its own, and even a reader's shard writes to its
files: the folder's lock is held from load to close (`index.store.edge.shards`), and a process that may not
write to them reads a private copy.

A search passes over all points, without a graph index, whose building would hold the store for minutes.
Every `session.SEAL_POINTS` new points are sealed into a segment of their own, and the smallest segments are
merged when there are more than a few: sealed ones load four times as fast, are searched in parallel, and have
copies of their vectors with a byte for each number (`shards.COPIES`). By these a search chooses twice the
points that are asked for, and ranks those by their vectors: at 100,000 points of 384 dimensions 2 ms, where a
pass over the vectors takes 8 ms. A copy lies in its segment's folder, and goes with it. The first sealing of
a collection that an older freshkb made writes all segments anew, 8 s for 100,000 points.

A loaded shard holds the copies and the ids of its points in memory, and maps the rest from its files, of
which the engine reads the vectors ahead: without that, a hybrid search took half as long again. Sealing maps
a segment's old and new files whole, and a merge up to `build.SEGMENT_POINTS`.

A float in a payload keeps 15 significant digits: the engine reads JSON that way.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from index.disk.atomic import sync_folder
from index.disk.scratch import room
from index.errors import StoreDamaged, StoreError
from index.store.base import Each, Purge, measured
from index.store.convert import check_name
from index.store.edge.errors import engine_errors

if TYPE_CHECKING:
    from index.store.edge.session import EdgeSession
    from index.store.edge.shards import Shards

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class EdgeStore:
    """Collections below `path`. See `index.store.base.VectorStore`."""

    kind: Literal["edge", "qdrant"] = "edge"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._opened: Shards | None = None

    @property
    def _shards(self) -> Shards:
        if self._opened is None:
            # The engine is not imported by the many commands that only ask which collections there are.
            from index.store.edge.shards import Shards

            with self._opening:
                if self._opened is None:
                    opened = Shards(self._path)
                    # Also when the process ends: an open shard is closed while the lock is still held.
                    weakref.finalize(self, opened.close)
                    self._opened = opened
        return self._opened

    def instance(self, collection: str) -> str | None:
        check_name(collection)
        path = self._path / collection / "instance"
        try:
            recorded = path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"The vector store in {self._path} cannot be read: {error}.") from error
        instance, _, check = recorded.partition(" ")
        # A record without a check is of an older freshkb.
        if check != _check(instance) and not _UUID.fullmatch(recorded):
            raise StoreDamaged(
                f"{path} is damaged: it does not say any more which ledger the collection belongs to. Write "
                "it anew with: freshkb verify --repair"
            )
        return instance

    def create(self, collection: str, *, dimension: int, instance: str) -> None:
        from index.store.edge.build import build
        from index.store.edge.shards import require_room

        check_name(collection)
        with self._shards.held(), engine_errors(f"make collection {collection!r}"):
            home, building = self._path / collection, self._path / f".new-{collection}"
            self._shards.require_write()
            if home.exists():
                raise StoreError(f"The vector store already has a collection {collection!r}.")
            self._sweep()
            require_room(self._path)
            (building / "shard").mkdir(parents=True)
            build(building / "shard", dimension)
            with (building / "instance").open("w", encoding="utf-8") as file:
                file.write(f"{instance} {_check(instance)}")
                file.flush()
                os.fsync(file.fileno())
            sync_folder(building)
            building.rename(home)
            sync_folder(self._path)

    def collections(self) -> list[str]:
        return sorted(found.parent.name for found in self._path.glob("[!.]*/instance"))

    def drop(self, collection: str) -> None:
        check_name(collection)
        with self._shards.held(), engine_errors(f"drop collection {collection!r}"):
            self._shards.require_write()
            self._shards.shut(collection)
            if (self._path / collection).exists():
                (self._path / collection).rename(self._path / f".old-{collection}")
                sync_folder(self._path)
            self._sweep()

    def _sweep(self) -> None:
        """Remove half-made and half-dropped collections of killed processes."""
        for left in (*self._path.glob(".new-*"), *self._path.glob(".old-*")):
            shutil.rmtree(left)

    def publish(self, name: str, collection: str) -> None:
        """Without effect: these files have no other readers."""

    def published(self, name: str) -> str | None:
        return None

    @contextmanager
    def session(self, collection: str) -> Iterator[EdgeSession]:
        from index.store.edge.session import EdgeSession

        check_name(collection)
        # The measurement includes the wait for the turn and the loading of the shard.
        with measured(collection) as did, self._shards.held():
            self._require(collection)
            with engine_errors(f"open collection {collection!r}", self._path / collection):
                session = EdgeSession(self._shards, self._path / collection, did)
            try:
                yield session
            finally:
                session.end()

    def faults(
        self, collection: str, stop: threading.Event | None = None, each: Each | None = None
    ) -> list[str]:
        from index.store.edge.apart import examine

        check_name(collection)
        # The child takes the lock.
        self.close()
        found = examine(self._path, collection, stop, each)
        try:
            self.instance(collection)
        except StoreDamaged as error:
            found.append(str(error))
        return found

    def purge(self, collection: str) -> Purge:
        """See `VectorStore.purge`. Segments that hold a deleted point are written anew, and the store is held
        meanwhile: of 100,000 points 2 s when none was deleted, 3 s for one, 7 s for one in a hundred.
        Dropped collections that a kill left behind are removed.
        """
        from index.store.edge.purge import proof, purge
        from index.store.edge.session import SEAL_ROOM_BYTES

        check_name(collection)
        home = self._path / collection
        with self._shards.held(), engine_errors(f"purge collection {collection!r}", writes=home):
            self._require(collection)
            self._shards.require_write(collection)
            if (free := room(home)) < SEAL_ROOM_BYTES:
                raise StoreError(
                    f"The disk of the vector store in {home} has {free >> 20:,} MB free, and a purge writes "
                    f"segments anew, which takes {SEAL_ROOM_BYTES >> 20:,} MB. Make room, and run it again."
                )
            self._sweep()
            shard = self._shards.open(collection, to_write=True)
            before = purge(shard, home / "shard")
            points = shard.info().points_count
            self._shards.shut(collection)
            (home / "unsealed").write_text("0")
            return proof(home, home / "shard", before, points)

    def _require(self, collection: str) -> None:
        if not (self._path / collection / "instance").exists():
            raise StoreError(f"The vector store in {self._path} has no collection {collection!r}.")

    def close(self) -> None:
        """Release the store now. A later session opens it again."""
        if self._opened is not None:
            self._opened.close()


def _check(instance: str) -> str:
    """A checksum, which tells a damaged instance id from that of another ledger."""
    return sha256(instance.encode()).hexdigest()[:8]
