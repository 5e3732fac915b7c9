"""Survivors of a damaged document: the parts that its payloads prove, for when its source cannot give it.

A payload with the digest that the ledger keeps proves its text, and its document's metadata. There is no
other proof: a point or document that the ledger does not know, or has as gone, never comes back from the
store.
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

#: Metadata of a payload that the row has under the same name, and the instants among it.
_METADATA = (
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
    """A document's row and chunks in the ledger, and its points in the store."""

    document_id: str
    fingerprint: str
    """The embedding fingerprint."""
    document: Document | None
    records: Sequence[ChunkRecord]
    points: Mapping[str, Point]
    """Points by id, with their vectors."""

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
            witnessed = next(filter(None, (_with_metadata(witness, lost) for witness in witnesses)), None)
            return replace(witnessed, seen_hash=witnessed.content_hash) if witnessed else None
        wrong = witnesses and not any(_agrees(known, witness) for witness in witnesses)
        witnessed = _with_metadata(witnesses[0], known) if wrong else None
        return replace(witnessed or known, deleted_at=None)

    def chunks(self, row: Document) -> tuple[Kept, ...]:
        """Chunks whose text is proven, in order. `row` is the document's former row."""
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


def _with_metadata(witness: Mapping[str, Any], row: Document) -> Document | None:
    """The row with the payload's metadata; None when some of it is missing."""
    said = payload.metadata(witness)
    try:
        witnessed: dict[str, Any] = {name: said[name] for name in _METADATA}
        for name in _INSTANTS:
            witnessed[name] = None if said[name] is None else datetime.fromisoformat(said[name])
        owners = [str(owner) for owner in said.get("owners", [])]
    except (KeyError, TypeError, ValueError):
        return None
    if folded(row.owners) != owners:
        # The first owner is kept as it was written, the others as filters compare them.
        witnessed["owners"] = [witnessed["owner"], *owners[1:]] if owners else []
    return replace(row, **witnessed)
