"""The parts that keep one knowledge base equal to its sources, opened from one configuration.

Everything heavy is opened when it is first needed: a sync with nothing to do starts no parser, loads no model
and does not open the store.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from connectors.base import Connector
from connectors.base import connector_class as connector_type
from index.attachments import Mails, WithAttachments
from index.config import Config
from index.disk.scratch import Scratch, outside
from index.errors import ModelChanged, StoreError, StoreMismatch
from index.ledger import Ledger, Left
from index.model import State, Vectors, utc_now
from index.parse.parsing import Parsing
from index.records import Collection
from index.sizes import Sizes
from index.store import open_store
from index.store.base import VectorStore
from index.store.names import candidates

if TYPE_CHECKING:
    import numpy as np

    from index.embed.identity import ModelIdentity
    from index.embed.tokenizer import Tokenizer


log = logging.getLogger("freshkb.workspace")


class Embedding(Protocol):
    """The part of an embedder that the workspace uses; `index.embed.embedder.Embedder` ships."""

    fingerprint: str
    dimension: int

    def warm(self) -> None: ...
    def embed_documents(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> np.ndarray: ...
    def embed_query(self, text: str) -> list[float]: ...


#: (description) to a context that is entered during a long wait without other signs of progress.
Waiting = Callable[[str], AbstractContextManager[object]]


class Workspace:
    """A configuration with its ledger, store, parser and model. Close it, or use it in a `with`."""

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        parser: Parsing | None = None,
        embedder: Callable[[ModelIdentity, str], Embedding] | None = None,
        store: VectorStore | None = None,
        ledger: Ledger | None = None,
        sizes: Sizes | None = None,
    ) -> None:
        self.config = config
        self.sizes = sizes or Sizes()
        self.now = now
        self.new_id = new_id
        self.waiting: Waiting = nullcontext
        self._parser = parser
        self._make_embedder = embedder
        self._embedders: dict[str, Embedding] = {}
        self._loading = threading.Lock()
        self._store = store
        self._ledger = ledger
        self._connectors: dict[str, Connector] = {}
        self._scratch: Scratch | None = None

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        # A failure to close one part does not keep the others open.
        with ExitStack() as closing:
            for part in (self._scratch, self._ledger, self._store, self._parser, *self._connectors.values()):
                if part is not None:
                    closing.callback(part.close)

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            begun = time.perf_counter()
            self._ledger = Ledger.open(
                self.config.ledger, self.config.state_dir, left=self._left, now=self.now
            )
            took = time.perf_counter() - begun
            log.debug("Ledger %s opened in %.2f s.", self._ledger.instance_id, took)
        return self._ledger

    def _left(self) -> Left | None:
        index = self.config.index
        if index.store == "edge":
            folder = self.config.state_dir / "index"
            return Left(str(folder)) if any(folder.glob("[!.]*/instance")) else None
        names = candidates(self.store, index.collection)
        return Left(str(index.url), names[0]) if names else None

    def close_ledger(self) -> None:
        """Close the ledger; it is opened again when it is needed."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    @property
    def store(self) -> VectorStore:
        if self._store is None:
            index = self.config.index
            log.debug("Store %s made ready.", index.store)
            self._store = open_store(
                index.store,
                path=self.config.state_dir / "index",
                url=index.url,
                api_key=index.api_key.get_secret_value() if index.api_key else None,
            )
        return self._store

    @property
    def parser(self) -> Parsing:
        if self._parser is None:
            from index.parse import Parser

            self._parser = Parser(release_after=self._release_after)
        return self._parser

    @property
    def scratch(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch(self.scratches) if self.ledger.writable else outside(0)
        return self._scratch.folder

    @property
    def scratches(self) -> Path:
        """The folder of all processes' scratch folders."""
        return self.config.state_dir / "scratch"

    def connector(self, source: str) -> Connector:
        if source not in self._connectors:
            settings = self.config.source(source)
            made = connector_type(settings.type)(settings.connector, self.config.context(settings))
            timeout = settings.limits.parse_timeout.total_seconds()
            mails = Mails(lambda: self.parser, lambda: self.scratch, timeout)
            self._connectors[source] = WithAttachments(made, mails)
        return self._connectors[source]

    # ── Model ─────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def identity(self) -> ModelIdentity:
        from index.embed.identity import identify

        return identify(self.config.embedding.model)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return self.identity.tokenizer()

    def embedder(self, collection: Collection) -> Embedding:
        """The loaded model of this collection, also when the configuration names another by now. Raises
        ModelChanged when that model is not there any more, EmbedderError when it cannot be loaded."""
        with self._loading:
            return self._loaded(collection)

    def _loaded(self, collection: Collection) -> Embedding:
        name = collection.embedding_fingerprint
        if name not in self._embedders:
            identity = self.identity
            if (identity.model, identity.revision) != (collection.model, collection.revision):
                from index.embed.identity import identify

                identity = identify(collection.model)
                if identity.revision != collection.revision:
                    raise self._changed(collection)
            made: Embedding
            if self._make_embedder is not None:
                made = self._make_embedder(identity, collection.dtype)
            else:
                from index.embed.embedder import Embedder

                made = Embedder(identity, collection.dtype, self._release_after)
            with self.waiting(f"loading the model {identity.model}"):
                made.warm()
            self._embedders[name] = made
        return self._embedders[name]

    @property
    def _release_after(self) -> float | None:
        """Seconds."""
        after = self.config.embedding.release_after
        return None if after is None else after.total_seconds()

    def embed(
        self, collection: Collection, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> list[Vectors]:
        """Dense and sparse vectors of texts, in their order. Raises ModelChanged when one of the two kinds
        cannot be computed as the collection's were."""
        from index.store import bm25

        bm25.require(collection.sparse_fingerprint)
        dense = self.embedder(collection).embed_documents(texts, on_progress)
        # Arrays of four bytes a number: lists would take eight times as much.
        rows = (array("f", row.tobytes()) for row in dense)
        return list(zip(rows, bm25.document(texts), strict=True))

    @cached_property
    def extraction(self) -> dict[str, str]:
        """Extraction fingerprints by suffix. The chunker counts in the model's tokens, so it is named too."""
        from index.chunk.fingerprint import fingerprint
        from index.parse.formats import fingerprints

        return fingerprints(fingerprint(self.identity.tokenizer_fingerprint, self.identity.max_tokens))

    # ── Collection ────────────────────────────────────────────────────────────────────────────────────

    def collection(self) -> Collection | None:
        """The collection in use, to be written; None before the first sync.

        Raises ModelChanged when the configured model or the encoder of words is not the one it was built
        with, StoreMismatch when store and ledger do not belong together.
        """
        from index.store import bm25

        current = self.readable()
        if current is None:
            return None
        identity = self.identity
        same_dtype = self.config.embedding.dtype in ("auto", current.dtype)
        if (identity.model, identity.revision) != (current.model, current.revision) or not same_dtype:
            raise self._changed(current)
        bm25.require(current.sparse_fingerprint)
        return current

    def readable(self) -> Collection | None:
        """The collection in use, to be searched: also while the configuration already names another model."""
        current = self.ledger.collections.current()
        if current is not None:
            self.check_instance(current)
        elif any(states.get(State.INDEXED) for states in self.ledger.documents.counts().values()):
            raise StoreMismatch(
                "The ledger has indexed documents, and no collection that they would be in. Restore it from "
                "a backup, or mend it with: freshkb verify --repair"
            )
        return current

    def _changed(self, current: Collection) -> ModelChanged:
        identity, setting = self.identity, self.config.embedding.dtype
        return ModelChanged(
            f"The index was built with {current.model} ({current.dtype}, revision {current.revision[:12]}); "
            f"the configuration names {identity.model} ({setting}, revision {identity.revision[:12]}). "
            "Vectors of two models never share an index. Build it anew with: freshkb reindex"
        )

    def check_instance(self, collection: Collection) -> None:
        instance = self.store.instance(collection.name)
        if instance is None:
            raise StoreMismatch(
                f"The ledger knows collection {collection.name!r}, and the store has none of that name. "
                "Restore it, or build it anew from the sources with: freshkb verify --repair"
            )
        if instance != self.ledger.instance_id:
            raise StoreMismatch(
                f"Collection {collection.name!r} belongs to another ledger (instance {instance}, this one is "
                f"{self.ledger.instance_id}). Nothing was changed. Give this knowledge base a collection of "
                "its own (index.collection), or restore the ledger that belongs to it."
            )


def require_collection(workspace: Workspace) -> Collection:
    """The collection in use. Raises StoreError when nothing was ever synced."""
    found = workspace.readable()
    if found is None:
        raise StoreError("There is no index yet. Make one with: freshkb sync")
    return found
