"""Which collection the ledger should name, told by the ids of its points.

An id follows from the embedding fingerprint, so the points bear witness to the row of their collection.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import islice

from index import payload
from index.judge import Ids
from index.mirror import Mirror
from index.model import ChunkRecord, Collection

#: Points that are asked; one would do if nobody could have altered it.
WITNESSES = 100


def as_made(mirror: Mirror, row: Collection) -> Collection:
    """The row as it must have been written; the row itself when its points do not say otherwise."""
    witnesses = _witnesses(mirror, row.name)
    candidates = [made for made in _configured(mirror, row) if _follow(witnesses, made)]
    # Of two that differ in nothing that the ids tell, the row is as good as any.
    return row if not candidates or row in candidates else candidates[0]


def lost(mirror: Mirror) -> Collection | None:
    """The collection that no row calls current any more, though ledger and store still hold its points."""
    rows = {known.name: known for known in mirror.ledger.collections.all()}
    for name in mirror.store.collections():
        if mirror.store.instance(name) == mirror.ledger.instance_id:
            row = rows.get(name, Collection(name, "", "", "", "", 0, ""))
            witnesses = _witnesses(mirror, name) or _stored(mirror, name)
            for made in (*_configured(mirror, row), row):
                if _follow(witnesses, made):
                    return replace(made, state="current", created_at=made.created_at or mirror.now())
    return None


def _witnesses(mirror: Mirror, name: str) -> list[ChunkRecord]:
    return list(islice(mirror.ledger.chunks.stream(name), WITNESSES))


def _stored(mirror: Mirror, name: str) -> list[ChunkRecord]:
    """What points say of themselves, for a ledger that has lost their rows."""
    from index.chunk import compose

    with mirror.store.session(name) as session:
        points = list(islice(session.scroll(vectors=False, page=WITNESSES), WITNESSES))
    told = []
    for point in points:
        passage, said = payload.passage_in(point.payload), payload.metadata(point.payload)
        if passage is not None:
            text = compose(str(said.get("title")), passage.heading_path, passage.text)
            hashed = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            told.append(ChunkRecord(point.id, str(said.get("document_id")), 0, hashed, ""))
    return told


def _configured(mirror: Mirror, row: Collection) -> list[Collection]:
    """What the row would say if the configured model had made it, in one precision or another."""
    from index.embed import PRECISIONS, fingerprint

    model = mirror.identity
    return [
        replace(
            row,
            embedding_fingerprint=fingerprint(model, dtype),
            model=model.model,
            revision=model.revision,
            dtype=dtype,
            dimension=model.dimension,
        )
        for dtype in PRECISIONS
    ]


def _follow(witnesses: list[ChunkRecord], made: Collection) -> bool:
    return any(Ids(record.document_id, made.embedding_fingerprint, 1).genuine(record) for record in witnesses)
