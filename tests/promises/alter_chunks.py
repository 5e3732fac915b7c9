"""Alterations of the ledger's rows of chunks."""

from __future__ import annotations

from random import Random
from typing import Any

from index.model import Point, State
from tests.promises.alteration import Alteration, each, kind, of, said, unknown_id, unreadable
from tests.promises.altered import Altered


@kind
def chunk_row_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.sql("DELETE FROM chunks WHERE point_id = ?", point.id)
    return of(index, point, kinds="extra", loses=unreadable(index, point))


@kind
def all_chunk_rows_of_a_document_lost(index: Altered, random: Random) -> Alteration:
    document = index.any(random)
    index.sql("DELETE FROM chunks WHERE document_id = ?", document.document_id)
    points = index.of(document)
    return of(index, *points, kinds="extra", loses=unreadable(index, points[0]))


@kind
def chunks_lost_from_ledger_and_store(index: Altered, random: Random) -> Alteration:
    """Both agree with each other; only the document's row tells."""
    point = index.some(random, unreadable=False)
    index.sql("DELETE FROM chunks WHERE point_id = ?", point.id)
    index.store(lambda session: session.delete([point.id]))
    return Alteration("missing", documents={point.payload["doc_id"]})


#: Columns of a chunk that a payload or an id repeats.
OTHER_CHUNK: dict[str, Any] = {
    "chunk_index": 55, "embedded_hash": "0" * 64, "payload_digest": "0" * 64, "page": 55,
}  # fmt: skip


@each(OTHER_CHUNK)
def chunk_row_changed(index: Altered, random: Random, name: str) -> Alteration:
    point = index.some(random)
    index.sql(f"UPDATE chunks SET {name} = ? WHERE point_id = ?", OTHER_CHUNK[name], point.id)
    return of(index, point, loses=name == "payload_digest" and unreadable(index, point))


@kind
def vector_digest_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.sql("UPDATE chunks SET vector_digest = ? WHERE point_id = ?", "0" * 64, point.id)
    return of(index, point, deep=True)


@kind
def chunk_row_of_another_point(index: Altered, random: Random) -> Alteration:
    point, other = index.some(random), unknown_id(random)
    index.sql("UPDATE chunks SET point_id = ? WHERE point_id = ?", other, point.id)
    found = of(index, point, kinds="missing extra", loses=unreadable(index, point))
    found.points.add(other)
    return found


@kind
def chunk_row_of_another_document(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    other = random.choice([d for d in index.documents if d != point.payload["doc_id"]])
    return _given_to(index, point, other)


@kind
def chunk_row_of_another_document_and_point_of_none(index: Altered, random: Random) -> Alteration:
    """The point names no document that exists."""
    point = index.some(random, unreadable=False)
    other = random.choice([d for d in index.documents if d != point.payload["doc_id"]])
    index.upsert(said(point, document_id=[5]))
    return _given_to(index, point, other)


@kind
def chunk_row_of_another_document_and_point_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=False)
    other = random.choice([d for d in index.documents if d != point.payload["doc_id"]])
    index.store(lambda session: session.delete([point.id]))
    found = _given_to(index, point, other)
    found.kinds = "missing"
    return found


@kind
def chunk_row_of_nobody(index: Altered, random: Random) -> Alteration:
    return _given_to(index, index.some(random), unknown_id(random))


def _given_to(index: Altered, point: Point, other: str) -> Alteration:
    index.sql("UPDATE chunks SET document_id = ? WHERE point_id = ?", other, point.id)
    found = of(index, point, loses=unreadable(index, point))
    found.documents.add(other)
    if (document := index.documents.get(other)) is not None:
        # One that was skipped has no text that could be kept: it is made anew.
        found.new_id = document.state is State.SKIPPED
    return found


@kind
def chunk_row_of_another_collection(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.sql("UPDATE chunks SET collection = 'elsewhere' WHERE point_id = ?", point.id)
    return of(index, point, kinds="extra", loses=unreadable(index, point))


@kind
def chunk_row_added(index: Altered, random: Random) -> Alteration:
    point, other = index.some(random), unknown_id(random)
    columns = "document_id, chunk_index, embedded_hash, payload_digest, page, tokens, vector_digest"
    index.sql(
        f"INSERT INTO chunks (collection, point_id, {columns}) "
        f"SELECT collection, ?, {columns} FROM chunks WHERE point_id = ?",
        other,
        point.id,
    )
    return Alteration("missing", {other}, {point.payload["doc_id"]})
