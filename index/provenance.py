"""Which collection the ledger should name, told by the ids of its points.

An id follows from the embedding fingerprint, so the points bear witness to the row of their collection.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from index.judge import genuine
from index.mirror import Mirror
from index.model import ChunkRecord, Collection

#: Points that are asked; one would do if nobody could have altered it.
WITNESSES = 100


def as_made(mirror: Mirror, row: Collection) -> Collection:
    """The row as it must have been written; the row itself when its points do not say otherwise."""
    witnesses = list(islice(mirror.ledger.points(row.name), WITNESSES))
    candidates = [made for made in _configured(mirror, row) if _follow(witnesses, made)]
    # Of two that differ in nothing that the ids tell, the row is as good as any.
    return row if not candidates or row in candidates else candidates[0]


def lost(mirror: Mirror) -> Collection | None:
    """The collection that no row calls current any more, though ledger and store still hold its points."""
    rows = {known.name: known for known in mirror.ledger.collections()}
    for name in mirror.store.collections():
        if mirror.store.instance(name) == mirror.ledger.instance_id:
            row = rows.get(name, Collection(name, "", "", "", "", 0, ""))
            made = as_made(mirror, row)
            if _follow(list(islice(mirror.ledger.points(name), WITNESSES)), made):
                return replace(made, state="current")
    return None


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
    return any(genuine(record, made.embedding_fingerprint, 1) for record in witnesses)
