"""What is wrong with a point or with a document's row, as far as the rest that is known of it can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from index import payload
from index.model import LIVE, ChunkRecord, Document, Point, Review, State, digest, point_id

Kind = Literal["missing", "extra", "altered", "outdated"]


class Verdict(NamedTuple):
    kind: Kind
    what: str
    """In words."""


def judge_point(
    record: ChunkRecord,
    point: Point | None,
    document: Document | None,
    shared: Mapping[str, Any],
    ids: Ids,
    *,
    deep: bool = False,
) -> Verdict | None:
    """None when the point is as the ledger knows it. `shared` is `payload.shared` of the document, `ids` are
    those that its points may have."""
    if point is None:
        return Verdict("missing", "the store has no such point")
    if point.dense is None or point.sparse is None:
        return Verdict("missing", "the point has lost a vector")
    if document is None:
        return Verdict("altered", "the ledger has the chunk and not its document")
    if document.state not in LIVE:
        return Verdict("altered", "the ledger has a chunk of a document that is gone")
    if digest(point.payload) != record.payload_digest:
        return Verdict("altered", "the payload is not what was written")
    found = payload.passage(point.payload)
    passage = payload.Passage(found.text, found.heading_path, record.page, record.chunk_index)
    if payload.complete(shared, passage) != point.payload:
        return Verdict("altered", "the ledger's row does not agree with the payload")
    if not ids.genuine(record):
        return Verdict("altered", "the point's id does not follow from its text and model")
    if deep and payload.vector_digest(point) != record.vector_digest:
        return Verdict("altered", "a vector is not what was written")
    return None


class Ids:
    """The ids that the points of one document may have. Each is made once: of a document that says the same a
    hundred thousand times, every point is another occurrence of one text."""

    def __init__(self, document_id: str, fingerprint: str, most: int) -> None:
        self._document_id = document_id
        self._fingerprint = fingerprint
        self._most = max(most, 1)
        """No text occurs more often."""
        self._made: dict[str, set[str]] = {}
        """By the hash of a text: the ids of its first occurrences."""

    def genuine(self, record: ChunkRecord) -> bool:
        """Whether the id follows from document, text and model."""
        return self.follows(record.point_id, record.embedded_hash)

    def follows(self, identifier: str, embedded_hash: str) -> bool:
        # Most texts occur once, and need not be remembered.
        if self._id(embedded_hash, 0) == identifier:
            return True
        made = self._made.setdefault(embedded_hash, set())
        while identifier not in made and len(made) < self._most:
            made.add(self._id(embedded_hash, len(made)))
        return identifier in made

    def _id(self, embedded_hash: str, occurrence: int) -> str:
        return point_id(self._document_id, embedded_hash, occurrence, self._fingerprint)


def judge_row(document: Document, reviews: Sequence[Review], *, once_held: bool) -> Verdict | None:
    """None when the row does not contradict itself, nor the rows that are about it."""
    committed = document.version > 0
    # One that was looked at in vain keeps its text, has a reason, and is looked at again.
    indexed, settled = document.state is State.INDEXED, not document.reason
    if document.state is State.HELD and not once_held:
        return Verdict("altered", "the ledger has lost the hold that keeps it")
    if review_lost(document, reviews):
        return Verdict("altered", "the ledger has lost the review that it tells of")
    contradictions = (
        document.state not in LIVE,
        document.deleted_at is not None,
        committed != (document.content_hash is not None),
        committed != (document.indexed_at is not None),
        indexed and not committed,
        document.state in (State.PENDING, State.SKIPPED) and committed,
        indexed and settled and document.seen_hash != document.content_hash,
        indexed and settled and document.seen_extraction not in ("", document.extraction_fingerprint),
        indexed and not settled and document.token is not None,
        not isinstance(document.properties, dict),
    )
    return Verdict("altered", "the ledger's row contradicts itself") if any(contradictions) else None


def review_lost(document: Document, reviews: Sequence[Review]) -> bool:
    told = document.reviewed_at
    return told is not None and all(review.at != told for review in reviews)
