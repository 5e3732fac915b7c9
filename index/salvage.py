"""What of a damaged document is proven to be as it was written: for when its source cannot tell any more.

A payload with the digest that the ledger keeps proves all that it says. Any other still proves its text when
title, heading path and text lead to the id of a point, because ids follow from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from index import payload
from index.chunk import compose
from index.judge import Ids
from index.model import LIVE, Chunk, ChunkRecord, Document, Point, State, digest
from index.owners import folded
from index.payload import Passage

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


@dataclass
class Remains:
    """One document in ledger and store."""

    document_id: str
    fingerprint: str
    """Of the embedding."""
    document: Document | None
    records: list[ChunkRecord] = field(default_factory=list)
    points: dict[str, Point] = field(default_factory=dict)
    """Those of the records, and those that the ledger does not know and that say they are the document's."""

    @cached_property
    def _own(self) -> set[str]:
        return {record.point_id for record in self.records}

    # ── The row ───────────────────────────────────────────────────────────────────────────────────────

    def row(self) -> Document | None:
        """The document's row as it was; None of a document that is gone, or that nothing proves."""
        known, witnesses = self.document, self._witnesses()
        if known is not None and known.state in LIVE:
            wrong = witnesses and not any(_agrees(known, witness) for witness in witnesses)
            row = _told(witnesses[0], known) if wrong else None
            return replace(row or known, deleted_at=None)
        if known is None:
            known = Document(self.document_id, "", "", State.INDEXED, version=1)
            witnesses = witnesses or self._stray_witnesses()
        elif known.state is State.ERASED:
            return None
        revived = replace(known, state=State.INDEXED, token=None, reason="", deleted_at=None)
        told = next(filter(None, (_told(witness, revived) for witness in witnesses)), None)
        return replace(told, seen_hash=told.content_hash) if told else None

    def _witnesses(self) -> list[Mapping[str, Any]]:
        """Payloads that are as they were written."""
        points = [(record, self.points.get(record.point_id)) for record in self.records]
        whole = [point.payload for record, point in points if point is not None and _whole(record, point)]
        return [found for found in whole if payload.metadata(found).get("document_id") == self.document_id]

    def _stray_witnesses(self) -> list[Mapping[str, Any]]:
        """Of points whose rows are lost: their ids prove the text, and nothing speaks against the rest."""
        strays = [point.payload for point in self.points.values() if self._stray(point) is not None]
        return sorted(strays, key=lambda found: str(payload.metadata(found).get("indexed_at")), reverse=True)

    # ── Its chunks ────────────────────────────────────────────────────────────────────────────────────

    def chunks(self, row: Document) -> tuple[Kept, ...]:
        """Those whose text is proven, in order. `row` is the document's as it was."""
        found: dict[int, Kept] = {}
        twins = self._texts(row.title)
        for record in sorted(self.records, key=lambda record: not self._genuine(record)):
            passage = self._passage(row, record, twins)
            if passage is not None and passage.chunk_index not in found:
                found[passage.chunk_index] = self._kept(row, record, passage)
        for point in self.points.values():
            passage, said = self._stray(point), payload.metadata(point.payload)
            version = (said.get("content_hash"), said.get("extraction_fingerprint"))
            if passage is None or version != (row.content_hash, row.extraction_fingerprint):
                continue
            if passage.chunk_index not in found:
                text = compose(row.title, passage.heading_path, passage.text)
                found[passage.chunk_index] = Kept(
                    passage.text, text, passage.heading_path, passage.page, 0, _sha(text)
                )
        return tuple(found[index] for index in sorted(found))

    def _genuine(self, record: ChunkRecord) -> bool:
        return self._ids.genuine(record)

    @cached_property
    def _ids(self) -> Ids:
        counted = self.document.chunk_count if self.document else 0
        return Ids(self.document_id, self.fingerprint, max(len(self.records), len(self.points), counted))

    def _passage(self, row: Document, record: ChunkRecord, twins: Mapping[str, Passage]) -> Passage | None:
        own = self.points.get(record.point_id)
        passage = payload.passage_in(own.payload) if own is not None else None
        if own is not None and passage is not None:
            if _whole(record, own):
                return passage
            passage = replace(passage, page=record.page, chunk_index=record.chunk_index)
            if digest(payload.build(row, passage)) == record.payload_digest:
                return passage
            text = compose(row.title, passage.heading_path, passage.text)
            if self._ids.follows(record.point_id, _sha(text)):
                return passage
        # The same text somewhere else in the document is as good.
        twin = twins.get(record.embedded_hash) if self._genuine(record) else None
        return replace(twin, page=record.page, chunk_index=record.chunk_index) if twin else None

    def _texts(self, title: str) -> dict[str, Passage]:
        passages = (payload.passage_in(point.payload) for point in self.points.values())
        return {_sha(compose(title, p.heading_path, p.text)): p for p in passages if p is not None}

    def _kept(self, row: Document, record: ChunkRecord, passage: Passage) -> Kept:
        text = compose(row.title, passage.heading_path, passage.text)
        own = self.points.get(record.point_id)
        embedded = own is not None and payload.vector_digest(own) == record.vector_digest
        recorded = record.embedded_hash if embedded and self._genuine(record) else _sha(text)
        return Kept(passage.text, text, passage.heading_path, passage.page, record.tokens, recorded)

    def _stray(self, point: Point) -> Passage | None:
        """The passage of a point that no row knows, and that was the document's all the same."""
        passage = payload.passage_in(point.payload)
        if point.id in self._own or passage is None:
            return None
        title = str(payload.metadata(point.payload).get("title"))
        text = compose(title, passage.heading_path, passage.text)
        return passage if self._ids.follows(point.id, _sha(text)) else None


def _sha(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _whole(record: ChunkRecord, point: Point) -> bool:
    return digest(point.payload) == record.payload_digest


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
