"""Alterations of points in the store."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from index.model import Point, Sparse, point_id
from tests.promises.alteration import Alteration, each, kind, of, said, unknown_id, unreadable
from tests.promises.altered import Altered

#: The fields of a payload's metadata, each with another value of the same kind.
OTHER_METADATA: dict[str, Any] = {
    "document_id": "00000000-0000-4000-8000-000000000000", "source": "elsewhere", "uri": "other.md",
    "url": "file:///other.md", "title": "Another title", "heading_path": ["Elsewhere"], "page": 99,
    "chunk_index": 77, "chunk_count": 1234, "language": "xx", "content_type": "text/other",
    "owner": "user:mallory", "modified_at": "2001-01-01T00:00:00Z", "reviewed_at": "2001-01-01T00:00:00Z",
    "date_used": "2001-01-01T00:00:00Z", "warn_at": "2001-01-01T00:00:00Z",
    "stale_at": "2001-01-01T00:00:00Z", "indexed_at": "2001-01-01T00:00:00Z", "content_hash": "0" * 64,
    "extraction_fingerprint": "other",
}  # fmt: skip


@kind
def point_removed(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=False)
    index.store(lambda session: session.delete([point.id]))
    return of(index, point, kinds="missing")


@kind
def point_removed_that_no_source_gives(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=True)
    index.store(lambda session: session.delete([point.id]))
    return of(index, point, kinds="missing", loses=True)


@kind
def point_added(index: Altered, random: Random) -> Alteration:
    stray = replace(index.some(random), id=unknown_id(random), payload={"text": "of somebody else"})
    index.upsert(stray)
    return Alteration("extra", {stray.id})


@kind
def point_doubled(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    stray = replace(point, id=unknown_id(random))
    index.upsert(stray)
    return of(index, stray, kinds="extra")


@kind
def document_doubled(index: Altered, random: Random) -> Alteration:
    strays = [replace(p, id=unknown_id(random)) for p in index.of(index.any(random))]
    index.upsert(*strays)
    return of(index, *strays, kinds="extra")


@kind
def point_of_another_model(index: Altered, random: Random) -> Alteration:
    """The id does not follow from the embedding that the collection is made with."""
    point = index.some(random)
    stray = replace(point, id=point_id(point.payload["doc_id"], "0" * 64, 0, "another model"))
    index.upsert(stray)
    index.store(lambda session: session.delete([point.id]))
    return of(index, point, stray, kinds="missing extra", loses=unreadable(index, point))


@kind
def text_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=False)
    index.upsert(replace(point, payload={**point.payload, "page_content": "What nobody wrote."}))
    return of(index, point)


@kind
def text_changed_that_no_source_gives(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=True)
    index.upsert(replace(point, payload={**point.payload, "page_content": "What nobody wrote."}))
    return of(index, point, loses=True)


@each(OTHER_METADATA)
def metadata_changed(index: Altered, random: Random, name: str) -> Alteration:
    point = index.some(random)
    index.upsert(said(point, **{name: OTHER_METADATA[name]}))
    return of(index, point, loses=name == "heading_path" and unreadable(index, point))


@kind
def metadata_added(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(said(point, secret="added"))
    return of(index, point)


@kind
def payload_field_added(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, payload={**point.payload, "secret": "added"}))
    return of(index, point)


@each(OTHER_METADATA)
def metadata_removed(index: Altered, random: Random, name: str) -> Alteration:
    point = index.some(random)
    left = {n: v for n, v in point.payload["metadata"].items() if n != name}
    index.upsert(replace(point, payload={**point.payload, "metadata": left}))
    return of(index, point, loses=name == "heading_path" and unreadable(index, point))


@kind
def payload_emptied(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, payload={}))
    return of(index, point, loses=unreadable(index, point))


@kind
def document_named_by_nobody(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, payload={**point.payload, "doc_id": unknown_id(random)}))
    return of(index, point)


@kind
def dense_vector_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, dense=[-number for number in point.dense or ()]))
    return of(index, point, deep=True)


@kind
def one_number_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    numbers = list(point.dense or ())
    numbers[random.randrange(len(numbers))] += 0.001
    index.upsert(replace(point, dense=numbers))
    return of(index, point, deep=True)


def _words(index: Altered, random: Random) -> tuple[Point, Sparse]:
    """A point that has words: a text of nothing but stop words has none."""
    while True:
        point = index.some(random)
        if point.sparse is not None and point.sparse.indices:
            return point, point.sparse


@kind
def sparse_vector_changed(index: Altered, random: Random) -> Alteration:
    point, sparse = _words(index, random)
    index.upsert(replace(point, sparse=Sparse(sparse.indices, [value * 1.01 for value in sparse.values])))
    return of(index, point, deep=True)


@kind
def sparse_word_changed(index: Altered, random: Random) -> Alteration:
    point, sparse = _words(index, random)
    words = list(sparse.indices)
    words[random.randrange(len(words))] = next(n for n in range(len(words) + 1) if n not in words)
    index.upsert(replace(point, sparse=Sparse(words, sparse.values)))
    return of(index, point, deep=True)


@kind
def vectors_swapped(index: Altered, random: Random) -> Alteration:
    one, other = (random.choice(index.of(index.by_uri[uri])) for uri in ("plain.md", "long.txt"))
    index.upsert(replace(one, dense=other.dense), replace(other, dense=one.dense))
    return of(index, one, other, deep=True)


@kind
def dense_vector_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, dense=None))
    return of(index, point, kinds="missing")


@kind
def sparse_vector_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, sparse=None))
    return of(index, point, kinds="missing")


@kind
def both_vectors_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=random.random() < 0.5)
    index.upsert(replace(point, dense=None, sparse=None))
    return of(index, point, kinds="missing")
