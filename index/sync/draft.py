"""Drafts, points before they are written: of new texts, or of stored points with new metadata."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from index import payload
from index.batched import batched
from index.model import Action, Chunk, Item, Point, Sparse, Vectors, digest, point_id
from index.records import ChunkRecord, Collection, Document, Intent
from index.sync.target import Target
from index.sync.work import NewMetadata, NewVersion, Removal, RowOnly, Skip, Withheld, Work


@dataclass(slots=True)
class Draft:
    """A point before it has its vectors."""

    record: ChunkRecord
    payload: dict[str, Any]
    embedded_text: str | None = None
    vectors: Vectors | None = None


#: A function that prepares these items as a whole, because the store lost the text that was to stay.
Reread = Callable[[Sequence[Item]], Sequence[Work]]


def drafted(
    target: Target, work: Sequence[Work], reread: Reread
) -> tuple[list[Draft], list[Intent], list[Document]]:
    """Points, intents and mere rows of a batch; vectors and texts that the store has are read here, before
    anything of the batch is deleted."""
    name = target.collection.name
    facts = [item.document.document_id for item in work if isinstance(item, NewMetadata)]
    committed = target.ledger.chunks.of(name, facts)
    hashes = {chunk.embedded_hash for item in work if isinstance(item, NewVersion) for chunk in item.chunks}
    known = target.ledger.chunks.known_vectors(name, hashes)
    wanted = {record.point_id: record for records in committed.values() for record in records}
    copied = {record.point_id for record in known.values()} - wanted.keys()
    wanted |= {record.point_id: record for record in known.values()}
    held: dict[str, Point] = {}
    if wanted:
        with target.store.session(name) as session:
            for identifiers in batched(wanted, target.sizes.read_points):
                for identifier, point in session.retrieve(identifiers, vectors=True).items():
                    # Copy no vector that differs from the committed one.
                    if payload.vector_digest(point) == wanted[identifier].vector_digest:
                        held[identifier] = _small(point, whole=identifier not in copied)

    drafts: list[Draft] = []
    intents: list[Intent] = []
    noted: list[Document] = []
    instead: list[Item | RowOnly | Skip] = []
    for item in work:
        match item:
            case NewVersion():
                own = _text_points(target.collection, item)
                for draft in own:
                    same = known.get(draft.record.embedded_hash)
                    draft.vectors = _vectors(held.get(same.point_id) if same else None)
            case NewMetadata():
                kept = _kept_points(item.document, committed.get(item.document.document_id, []), held)
                if kept is None:
                    instead.append(item.otherwise)
                    continue
                own = kept
            case Removal():
                intents.append(Intent(item.action, item.document))
                continue
            case Withheld():
                if item.document is not None:
                    intents.append(Intent(Action.DELETE, item.document))
                continue
            case RowOnly():
                noted.append(item.document)
                continue
            case _:
                continue
        drafts += own
        records = tuple(draft.record for draft in own)
        extract = item.extract if isinstance(item, NewVersion) else None
        intents.append(Intent(item.action, item.document, records, extract))
    if instead:
        items = [item for item in instead if isinstance(item, Item)]
        settled = [item for item in instead if not isinstance(item, Item)]
        more = drafted(target, [*settled, *(reread(items) if items else ())], reread)
        return drafts + more[0], intents + more[1], noted + more[2]
    return drafts, intents, noted


def _text_points(collection: Collection, item: NewVersion) -> list[Draft]:
    document = item.document
    drafts = []
    for index, (chunk, occurrence) in enumerate(zip(item.chunks, occurrences(item.chunks), strict=True)):
        passage = payload.Passage(chunk.text, chunk.heading_path, chunk.page, index)
        body = payload.build(document, passage)
        record = ChunkRecord(
            point_id=point_id(
                document.document_id, chunk.embedded_hash, occurrence, collection.embedding_fingerprint
            ),
            document_id=document.document_id,
            chunk_index=index,
            embedded_hash=chunk.embedded_hash,
            payload_digest=digest(body),
            page=chunk.page,
            tokens=chunk.tokens,
        )
        drafts.append(Draft(record, body, chunk.embedded_text))
    return drafts


def occurrences(chunks: tuple[Chunk, ...]) -> list[int]:
    """For each chunk, how many before it in its document have the same embedded text."""
    seen: Counter[str] = Counter()
    numbers = []
    for chunk in chunks:
        embedded = chunk.embedded_hash
        numbers.append(seen[embedded])
        seen[embedded] += 1
    return numbers


def _kept_points(
    document: Document, records: Sequence[ChunkRecord], held: dict[str, Point]
) -> list[Draft] | None:
    """The document's points with new payloads; None when the store does not hold them as committed."""
    drafts = []
    for record in records:
        point = held.get(record.point_id)
        if point is None or digest(point.payload) != record.payload_digest:
            return None
        body = payload.build(document, payload.passage(point.payload))
        drafts.append(Draft(replace(record, payload_digest=digest(body)), body, vectors=_vectors(point)))
    return drafts


def _small(point: Point, *, whole: bool) -> Point:
    """The point with its numbers in four bytes each, where lists take eight times as much, and without its
    payload unless it is needed `whole`."""
    if point.dense is None or point.sparse is None:
        return point
    words = Sparse(array("I", point.sparse.indices), array("f", point.sparse.values))
    return Point(point.id, point.payload if whole else {}, array("f", point.dense), words)


def _vectors(point: Point | None) -> Vectors | None:
    if point is None or point.dense is None or point.sparse is None:
        return None
    return point.dense, point.sparse
