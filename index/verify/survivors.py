"""What of a damaged document its payloads prove: for when its source cannot give it any more.

A payload that has the digest that the ledger keeps proves its text, and what it says of its document. Nothing
else proves anything: what the ledger does not know, or knows to be gone, never comes back from the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from index import payload
from index.chunk.chunker import compose
from index.freshness.owners import folded
from index.model import LIVE, Chunk, Point, State
from index.proof import proven, whole
from index.records import ChunkRecord, Document
from index.verify.checks import Ids

#: What a payload says of its document under the name that the row has for it, and which of it are instants.
_TOLD = (
    "source", "uri", "url", "title", "chunk_count", "language", "content_type", "owner", "content_hash",
    "extraction_fingerprint",
)  # fmt: skip
_INSTANTS = ("modified_at", "reviewed_at", "date_used", "warn_at", "stale_at", "indexed_at")


@dataclass(frozen=True, slots=True)
class Kept(Chunk):
    """A chunk that is known by its recorded hash: the whole of its embedded text may not be at hand."""

    recorded_hash: str

    @property
    def embedded_hash(self) -> str:
        return self.recorded_hash


@dataclass(frozen=True, slots=True)
class Survivors:
    """One document in ledger and store."""

    document_id: str
    fingerprint: str
    """Of the embedding."""
    document: Document | None
    records: Sequence[ChunkRecord]
    points: Mapping[str, Point]
    """By id; with their vectors."""

    def row(self) -> Document | None:
        """The document's row as its payloads prove it; None of a document that is gone, or that nothing
        proves."""
        known = self.document
        if known is not None and known.state not in LIVE:
            return None
        pairs = [(record, self.points.get(record.point_id)) for record in self.records]
        witnesses = [point.payload for record, point in pairs if point is not None and whole(record, point)]
        if known is None:
            lost = Document(self.document_id, "", "", State.INDEXED, version=1)
            told = next(filter(None, (_told(witness, lost) for witness in witnesses)), None)
            return replace(told, seen_hash=told.content_hash) if told else None
        wrong = witnesses and not any(_agrees(known, witness) for witness in witnesses)
        told = _told(witnesses[0], known) if wrong else None
        return replace(told or known, deleted_at=None)

    def chunks(self, row: Document) -> tuple[Kept, ...]:
        """Those whose text is proven, in order. `row` is the document's as it was."""
        ids = Ids(self.document_id, self.fingerprint, max(len(self.records), row.chunk_count))
        found: dict[int, Kept] = {}
        for record in self.records:
            point = self.points.get(record.point_id)
            passage = proven(record, point, row)
            if point is None or passage is None or passage.chunk_index in found:
                continue
            text = compose(row.title, passage.heading_path, passage.text)
            kept = Chunk(passage.text, text, passage.heading_path, passage.page, record.tokens)
            embedded = payload.vector_digest(point) == record.vector_digest and ids.genuine(record)
            known_as = record.embedded_hash if embedded else kept.embedded_hash
            found[passage.chunk_index] = Kept(
                kept.text, text, kept.heading_path, kept.page, kept.tokens, known_as
            )
        return tuple(found[index] for index in sorted(found))


def _agrees(document: Document, witness: Mapping[str, Any]) -> bool:
    passage = payload.passage_in(witness)
    return passage is not None and payload.build(document, passage) == witness


def _told(witness: Mapping[str, Any], row: Document) -> Document | None:
    """The row with what the payload says; None when it does not say all of it."""
    said = payload.metadata(witness)
    try:
        told: dict[str, Any] = {name: said[name] for name in _TOLD}
        for name in _INSTANTS:
            told[name] = None if said[name] is None else datetime.fromisoformat(said[name])
        owners = [str(owner) for owner in said.get("owners", [])]
    except (KeyError, TypeError, ValueError):
        return None
    if folded(row.owners) != owners:
        # The first is there as it was written, the others are as filters compare them.
        told["owners"] = [told["owner"], *owners[1:]] if owners else []
    return replace(row, **told)
