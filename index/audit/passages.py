"""The passages of a knowledge base, as the checks of the audit read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from index import payload
from index.errors import StoreError
from index.freshness.checks.base import Passage, Passages
from index.model import State
from index.records import Collection, Document

if TYPE_CHECKING:
    from index.workspace import Workspace

#: States of documents that a search shows; those in quarantine with their last good version.
SHOWN = (State.INDEXED, State.QUARANTINED)


def passages(workspace: Workspace) -> Passages:
    """The passages of all documents that a search shows, and that no order is to erase. What the store has
    lost is left out, and a vector of another length is none: verify finds them. Raises StoreError."""
    while (collection := workspace.ledger.collections.current()) is not None:
        try:
            return _read(workspace, collection)
        except StoreError:
            # A reindex may have dropped the collection meanwhile.
            if workspace.ledger.collections.current() == collection:
                raise
    return Passages()


def _read(workspace: Workspace, collection: Collection) -> Passages:
    import numpy as np

    ledger = workspace.ledger
    barred = ledger.erasures.ordered()
    documents = [
        document
        for document in ledger.documents.find(states=SHOWN)
        if document.chunk_count and document.document_id not in barred
    ]
    room = sum(document.chunk_count for document in documents)
    found: list[Passage] = []
    vectors = np.zeros((room, collection.dimension), np.float32)
    for page in _pages(documents, workspace.sizes.page_points):
        for passage, vector in _page(workspace, collection, page):
            # A sync may have given a document more of them meanwhile.
            if len(found) < room:
                if vector is not None and len(vector) == collection.dimension:
                    vectors[len(found)] = vector
                found.append(passage)
    vectors = vectors[: len(found)]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return Passages(found, vectors)


def texts_of(workspace: Workspace, document_ids: Iterable[str]) -> Iterator[Passage]:
    """The passages of these documents, each document's together and in order. What the store has lost is left
    out. Raises StoreError."""
    collection = workspace.ledger.collections.current()
    if collection is not None:
        for passage, _ in _page(workspace, collection, document_ids):
            yield passage


def _page(
    workspace: Workspace, collection: Collection, documents: Iterable[str]
) -> Iterator[tuple[Passage, Sequence[float] | None]]:
    """The passages of these documents with their vectors, of any length; None where the store has lost it."""
    records = workspace.ledger.chunks.of(collection.name, list(documents))
    ids = [record.point_id for own in records.values() for record in own]
    if not ids:
        return
    with workspace.store.session(collection.name) as session:
        points = session.retrieve(ids, vectors=True)
    for document_id, own in records.items():
        for record in own:
            point = points.get(record.point_id)
            passage = payload.passage_in(point.payload) if point is not None else None
            if point is not None and passage is not None:
                where = (passage.heading_path, passage.page)
                yield Passage(document_id, record.chunk_index, passage.text, *where), point.dense


def _pages(documents: Iterable[Document], points: int) -> Iterator[list[str]]:
    """Ids of documents, together of so many points or of one document."""
    page: list[str] = []
    size = 0
    for document in documents:
        if page and size + document.chunk_count > points:
            yield page
            page, size = [], 0
        page.append(document.document_id)
        size += document.chunk_count
    if page:
        yield page
