"""The passages of a knowledge base, as the checks of the audit read them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from index import payload
from index.batched import batched
from index.freshness.checks.base import Passage

if TYPE_CHECKING:
    from index.workspace import Workspace


def passages(
    workspace: Workspace, only: Collection[str] | None = None, *, vectors: bool = True
) -> Iterator[Passage]:
    """The passages of all indexed documents, or of those with these ids, each document's together and in
    order; none when nothing was ever synced. What the store has lost is left out: verify finds it."""
    ledger = workspace.ledger
    collection = ledger.collections.current()
    if collection is None:
        return
    documents = (
        document.document_id for document in ledger.documents.find(document_ids=only) if document.chunk_count
    )
    for page in batched(documents, workspace.sizes.page_points // 8 or 1):
        records = ledger.chunks.of(collection.name, page)
        ids = [record.point_id for own in records.values() for record in own]
        if not ids:
            continue
        with workspace.store.session(collection.name) as session:
            points = session.retrieve(ids, vectors=vectors)
        for document_id in page:
            for record in records.get(document_id, ()):
                point = points.get(record.point_id)
                passage = payload.passage_in(point.payload) if point is not None else None
                if point is not None and passage is not None:
                    where = (passage.heading_path, passage.page)
                    yield Passage(document_id, record.chunk_index, passage.text, *where, point.dense)
