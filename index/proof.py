"""Proofs of a point's payload by the digests that the ledger keeps."""

from __future__ import annotations

from dataclasses import replace

from index import payload
from index.model import Point, digest
from index.payload import Passage
from index.records import ChunkRecord, Document


def whole(record: ChunkRecord, point: Point | None) -> bool:
    """Whether the payload is as it was written, and of the record's document."""
    return (
        point is not None
        and digest(point.payload) == record.payload_digest
        and payload.metadata(point.payload).get("document_id") == record.document_id
    )


def proven(record: ChunkRecord, point: Point | None, row: Document) -> Passage | None:
    """The passage of a chunk of the document `row`, when its payload has the digest that the ledger keeps: as
    the payload stands, or with the metadata of the rows. None when neither has that digest."""
    passage = payload.passage_in(point.payload) if point is not None else None
    if passage is None or whole(record, point):
        return passage
    passage = replace(passage, page=record.page, chunk_index=record.chunk_index)
    return passage if digest(payload.build(row, passage)) == record.payload_digest else None
