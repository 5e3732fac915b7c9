"""A Qdrant server, for many processes and machines.

A write counts when the server says ``completed``. ``acknowledged`` only means that it is in the server's log,
and a wait that ran out of time is not an exception of the client's. Points are deleted by their ids: a delete
by filter that the server replays from its log may bring points back (qdrant#9575).

The ledger's instance id lies in the collection's own metadata, where no reader of points sees it. The mark
that the collection is whole is written after its indexes were made; a collection of ours without the mark was
cut short while it was made, and holds nothing.

Readers that do not know freshkb look for the configured name, which is an alias of the collection in use.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from index.errors import StoreError
from index.redact import remember
from index.store.base import SPARSE_NAME, Each, Purge, measured
from index.store.convert import INSTANT_FIELDS, KEYWORD_FIELDS, check_name
from index.store.names import require_own
from index.store.qdrant.session import QdrantSession, asking, completed

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

#: The oldest server whose answers to writes are relied on.
OLDEST_VERSION = (1, 19)
TIMEOUT_SECONDS = 60

INSTANCE_KEY = "freshkb_instance"
WHOLE_KEY = "freshkb_whole"


class QdrantStore:
    """Collections of the server at `url`. See `index.store.base.VectorStore`.

    `client`, when given, is connected already; it is closed with the store.
    """

    kind: Literal["edge", "qdrant"] = "qdrant"

    def __init__(self, url: str, *, api_key: str | None = None, client: QdrantClient | None = None) -> None:
        remember({"url": url, "api_key": api_key})
        self._url = url
        self._api_key = api_key
        self._given = client
        self._connected: QdrantClient | None = None
        self._connecting = threading.Lock()
        #: Collections that were whole when last checked; each request finds out whether they still exist.
        self._known: set[str] = set()
        #: Collections that have all the indexes that filters use.
        self._indexed: set[str] = set()

    @property
    def _client(self) -> QdrantClient:
        with self._connecting:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def _connect(self) -> QdrantClient:
        from qdrant_client import QdrantClient

        with asking(self._url, "be reached"):
            client = self._given or QdrantClient(
                url=self._url, api_key=self._api_key, timeout=TIMEOUT_SECONDS, check_compatibility=False
            )
            version = client.info().version
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_VERSION:
            client.close()
            raise StoreError(
                f"The Qdrant server at {self._url} is version {version}; freshkb needs "
                f"{OLDEST_VERSION[0]}.{OLDEST_VERSION[1]} or later. Nothing was written."
            )
        return client

    def instance(self, collection: str) -> str | None:
        marks = self._marks(collection)
        return str(marks[INSTANCE_KEY]) if marks and marks.get(WHOLE_KEY) else None

    def _marks(self, collection: str) -> dict[str, Any] | None:
        """The collection's metadata; None when there is no such collection."""
        check_name(collection)
        with asking(self._url, f"look for collection {collection!r}"):
            if not self._client.collection_exists(collection):
                return None
            return self._client.get_collection(collection).config.metadata or {}

    def create(self, collection: str, *, dimension: int, instance: str) -> None:
        from qdrant_client import models

        marks = self._marks(collection)
        if marks is not None and (marks.get(WHOLE_KEY) or INSTANCE_KEY not in marks):
            raise StoreError(f"The Qdrant server at {self._url} already has a collection {collection!r}.")
        with asking(self._url, f"make collection {collection!r}"):
            if marks is not None:
                self._client.delete_collection(collection)
            self._client.create_collection(
                collection,
                vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE),
                sparse_vectors_config={SPARSE_NAME: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata={INSTANCE_KEY: instance},
            )
            self._index(collection)
            self._client.update_collection(collection, metadata={WHOLE_KEY: True})

    def _index(self, collection: str) -> None:
        """Make the payload indexes that are not there, as in a collection of an older freshkb."""
        from qdrant_client import models

        if collection in self._indexed:
            return
        there = self._client.get_collection(collection).payload_schema
        schemas = dict.fromkeys(KEYWORD_FIELDS, models.PayloadSchemaType.KEYWORD)
        schemas |= dict.fromkeys(INSTANT_FIELDS, models.PayloadSchemaType.DATETIME)
        for field, schema in schemas.items():
            if field not in there:
                completed(
                    self._client.create_payload_index(collection, field, field_schema=schema, wait=True)
                )
        self._indexed.add(collection)

    def collections(self) -> list[str]:
        with asking(self._url, "list its collections"):
            names = [found.name for found in self._client.get_collections().collections]
        # A server may hold foreign collections.
        return sorted(name for name in names if self._ours(name))

    def _ours(self, name: str) -> bool:
        with asking(self._url, f"look at collection {name!r}"):
            return bool((self._client.get_collection(name).config.metadata or {}).get(WHOLE_KEY))

    def drop(self, collection: str) -> None:
        marks = self._marks(collection)
        self._known.discard(collection)
        self._indexed.discard(collection)
        if marks is None:
            return
        if INSTANCE_KEY not in marks:
            raise StoreError(
                f"Collection {collection!r} on {self._url} was not made by freshkb. It was not dropped."
            )
        with asking(self._url, f"drop collection {collection!r}"):
            # They hold every point, and may outlive their collection.
            for snapshot in self._client.list_snapshots(collection):
                self._client.delete_snapshot(collection, snapshot.name, wait=True)
            self._client.delete_collection(collection)

    def publish(self, name: str, collection: str) -> None:
        from qdrant_client import models

        check_name(name)
        former = self.published(name)
        if former == collection:
            return
        require_own(self, name, self.instance(collection) or "")
        here = models.CreateAlias(collection_name=collection, alias_name=name)
        changes: list[models.AliasOperations] = [models.CreateAliasOperation(create_alias=here)]
        if former is not None:
            there = models.DeleteAlias(alias_name=name)
            changes.insert(0, models.DeleteAliasOperation(delete_alias=there))
        with asking(self._url, f"give collection {collection!r} the name {name!r}"):
            self._client.update_collection_aliases(changes)

    def published(self, name: str) -> str | None:
        with asking(self._url, f"look for the name {name!r}"):
            aliases = self._client.get_aliases().aliases
        return next((alias.collection_name for alias in aliases if alias.alias_name == name), None)

    @contextmanager
    def session(self, collection: str) -> Iterator[QdrantSession]:
        with measured(collection) as did:
            if collection not in self._known:
                if self.instance(collection) is None:
                    raise StoreError(
                        f"The Qdrant server at {self._url} has no collection {collection!r} of ours."
                    )
                self._known.add(collection)
            session = QdrantSession(self._client, collection, self._url, self._index, did)
            try:
                yield session
            finally:
                session.end()

    def faults(
        self, collection: str, stop: threading.Event | None = None, each: Each | None = None
    ) -> list[str]:
        from index.store.examine import faults

        return faults(self, collection, stop.is_set if stop is not None else lambda: False, each)

    def purge(self, collection: str) -> Purge:
        """See `VectorStore.purge`. Nothing is rewritten: a server vacuums segments at times of its own, keeps
        upserts in its log, and snapshots keep everything. To leave the bytes behind, the live points have to
        be copied to a fresh collection (`index.purge`). One request."""
        with self.session(collection) as session:
            points = session.count()
        evidence = (
            "Deleted points are found by no request. Their bytes may remain in segments that the server has "
            "not vacuumed, in its write-ahead log and in snapshots, on a disk that cannot be seen from here."
        )
        return Purge("unretrievable", evidence, points)

    def close(self) -> None:
        with self._connecting:
            if self._connected is not None:
                self._connected.close()
                self._connected = None
