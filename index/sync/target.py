"""The target of batches: ledger, store, collection, and the embedding of chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from index.ledger import Ledger
from index.model import Vectors
from index.records import Collection
from index.run import Run
from index.sizes import Sizes
from index.store.base import VectorStore
from index.sync.collection import ensure


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a batch, and the embedding of its chunks."""

    ledger: Ledger
    store: VectorStore
    collection: Collection
    embed: Callable[[Sequence[str]], Sequence[Vectors]]
    """Embedded texts to their dense and sparse vectors; not called when no vector is missing."""
    now: Callable[[], datetime]
    sizes: Sizes


def target_of(run: Run, collection: Collection | None = None) -> Target:
    """The target of a run: this collection, or the one in use, made when there is none."""
    workspace = run.workspace
    into = collection or ensure(workspace, run.run_id)

    def embed(texts: Sequence[str]) -> list[Vectors]:
        return workspace.embed(into, texts, run.progress.chunks)

    return Target(workspace.ledger, workspace.store, into, embed, workspace.now, workspace.sizes)
