"""Documents as `freshkb ls` and `freshkb show` print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from index import payload
from index.audit.audit import findings_of
from index.audit.fields import review_fields
from index.batched import batched
from index.errors import StoreError
from index.freshness.assess import NEVER, Assessment
from index.freshness.checks.base import Subject
from index.freshness.finding import Finding
from index.freshness.properties import mails_above
from index.ledger import Hold
from index.model import KEPT, Point, State, rfc3339
from index.records import ChunkRecord, Collection, Document, Review
from index.retention import RetentionRules
from index.search.reader import Reader


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """One line of a list of documents."""

    document: Document
    assessment: Assessment | None
    """None when no version of it was ever indexed."""
    holds: Sequence[Hold] = ()
    """Holds that stand on it."""

    def json(self) -> dict[str, Any]:
        document = self.document
        return {
            "document_id": document.document_id,
            "source": document.source,
            "uri": document.uri,
            "parent": next(iter(mails_above(document.uri, document.properties)), None),
            "title": document.title,
            "owner": document.owner,
            "state": document.state.value,
            "reason": document.reason,
            "chunks": document.chunk_count,
            "modified_at": rfc3339(document.modified_at),
            "indexed_at": rfc3339(document.indexed_at),
            "verdict": str(self.assessment.verdict) if self.assessment else None,
            "holds": [_hold_fields(hold) for hold in self.holds],
        }


@dataclass(frozen=True, slots=True)
class ChunkDetail:
    """A chunk with its text."""

    record: ChunkRecord
    passage: payload.Passage | None
    """None when the store has lost its point, or the point's text."""

    def json(self) -> dict[str, Any]:
        passage = self.passage
        return {
            "point_id": self.record.point_id,
            "chunk_index": self.record.chunk_index,
            "tokens": self.record.tokens,
            "page": self.record.page,
            "heading_path": None if passage is None else list(passage.heading_path),
            "text": None if passage is None else passage.text,
        }


@dataclass(frozen=True, slots=True)
class DocumentDetail:
    """A document with its row, findings and chunks."""

    document: Document
    assessment: Assessment
    review: Review | None
    """The document's last review."""
    findings: tuple[Finding, ...]
    """Findings of the audit."""
    chunks: tuple[ChunkDetail, ...]
    """In order; empty when none of its versions is in the index."""
    holds: Sequence[Hold] = ()
    """Holds that stand on it."""
    expires_at: datetime | None = None
    """The end of its retention, unless a hold suspends it."""

    def json(self) -> dict[str, Any]:
        document, assessment, review = self.document, self.assessment, self.review
        return DocumentSummary(document, assessment, self.holds).json() | {
            "url": document.url,
            "version": document.version,
            "content_hash": document.content_hash,
            "content_type": document.content_type,
            "language": document.language,
            "size": document.size,
            "owners": list(document.owners),
            "owner_source": document.owner_source,
            **review_fields(review, review.changed(document) if review else None),
            "date_used": assessment.date_text,
            "date_field": assessment.date_field,
            "verdict_reason": assessment.reason,
            "warn_at": rfc3339(assessment.warn_at),
            "stale_at": rfc3339(assessment.stale_at),
            "first_seen_at": rfc3339(document.first_seen_at),
            "expires_at": rfc3339(self.expires_at),
            "deleted_at": rfc3339(document.deleted_at),
            "extraction_fingerprint": document.extraction_fingerprint,
            "findings": [finding.json() for finding in self.findings],
            "chunk_count": document.chunk_count,
            "chunks": [chunk.json() for chunk in self.chunks],
        }


def summaries(
    reader: Reader, *, source: str | None = None, state: State | None = None
) -> Iterator[DocumentSummary]:
    """Documents in order of source and uri; deleted ones only when their state is asked for, and none of open
    orders to erase."""
    if state is State.ERASED:
        return
    now = reader.now()
    found = reader.ledger.documents.find(source=source, states=None if state is None else [state])
    for page in batched(found, reader.workspace.sizes.page_points):
        holds = reader.ledger.holds.of([document.document_id for document in page])
        for document in page:
            verdict = reader.verdicts.of(document, now) if document.version else None
            yield DocumentSummary(document, verdict, holds.get(document.document_id, ()))


def describe(reader: Reader, document: Document) -> DocumentDetail:
    """A document with its chunks, as the collection in use has them. A document that is written meanwhile is
    described as it was before or after. Raises StoreError."""
    ((document, chunks),) = with_chunks(reader, [document])
    now = reader.now()
    assessment = reader.verdicts.of(document, now)
    made = reader.ledger.reviews.of([document.document_id]).get(document.document_id, [])
    governance = reader.verdicts.governance(document)
    findings: Sequence[Finding] = ()
    if governance is not None and document.state in KEPT:
        findings = findings_of(Subject(document, governance, assessment, made), now)
    holds = reader.ledger.holds.of([document.document_id]).get(document.document_id, ())
    rules = RetentionRules(reader.workspace.config.retention, document.source)
    expiry = rules.expiry(document.uri, document.properties, document.modified_at)
    return DocumentDetail(
        document,
        assessment,
        made[-1] if made else None,
        tuple(findings),
        chunks,
        holds,
        expiry.at if expiry is not None and expiry.at < NEVER else None,
    )


def _hold_fields(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": hold.hold_id,
        "reason": hold.reason,
        "matter": hold.matter,
        "by": hold.placed_by,
        "placed_at": rfc3339(hold.placed_at),
        "until": rfc3339(hold.until),
    }


def with_chunks(
    reader: Reader, documents: Sequence[Document]
) -> list[tuple[Document, tuple[ChunkDetail, ...]]]:
    """Documents with all their chunks, in order. Those that are written meanwhile are read again, until they
    are whole, or what they lack is lost: then they are the same twice. Raises StoreError."""
    before: list[tuple[Document, tuple[ChunkDetail, ...]]] = []
    while True:
        collection = reader.ledger.collections.current()
        try:
            read = _read(reader, collection, documents)
        except StoreError:
            # A reindex may have dropped the collection meanwhile.
            if reader.ledger.collections.current() == collection:
                raise
            continue
        if read == before or all(chunk.passage is not None for _, chunks in read for chunk in chunks):
            return read
        before, ids = read, [document.document_id for document in documents]
        again = {d.document_id: d for d in reader.ledger.documents.find(document_ids=ids, states=list(State))}
        documents = [again.get(document.document_id, document) for document in documents]


def _read(
    reader: Reader, collection: Collection | None, documents: Sequence[Document]
) -> list[tuple[Document, tuple[ChunkDetail, ...]]]:
    if collection is None:
        return [(document, ()) for document in documents]
    records = reader.ledger.chunks.of(collection.name, [document.document_id for document in documents])
    ids = [record.point_id for own in records.values() for record in own]
    points: dict[str, Point] = {}
    if ids:
        with reader.store.session(collection.name) as session:
            points = session.retrieve(ids, vectors=False)

    def detail(record: ChunkRecord) -> ChunkDetail:
        point = points.get(record.point_id)
        return ChunkDetail(record, payload.passage_in(point.payload) if point is not None else None)

    return [(document, tuple(map(detail, records[document.document_id]))) for document in documents]
