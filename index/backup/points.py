"""A point as a line of JSON: vectors as the 32-bit numbers that the stores hold, in base64.

::

    {"id", "payload", "dense": "…", "indices": "…", "values": "…"}

Numbers are little-endian: floats, and unsigned integers for the indices of the sparse vector.
"""

from __future__ import annotations

import json
import struct
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from index.errors import StoreError
from index.model import Point, Sparse, digest
from index.payload import vector_digest
from index.proof import whole
from index.records import ChunkRecord

#: How far a number of a unit vector may be off in a store that normalises it once more.
TOLERANCE = 1e-6


def sound(record: ChunkRecord, point: Point | None) -> bool:
    """Whether payload and vectors are those of the chunk's row."""
    return point is not None and whole(record, point) and vector_digest(point) == record.vector_digest


def line_of(point: Point) -> str:
    """The line of a point that has both vectors."""
    assert point.dense is not None and point.sparse is not None
    return json.dumps(
        {
            "id": point.id,
            "payload": point.payload,
            "dense": _packed("f", point.dense),
            "indices": _packed("I", point.sparse.indices),
            "values": _packed("f", point.sparse.values),
        },
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )


def point_of(line: bytes) -> Point:
    """The point of a line. Raises ValueError, KeyError or TypeError for any other."""
    read = json.loads(line)
    words = Sparse(_numbers("I", read["indices"]), _numbers("f", read["values"]))
    return Point(read["id"], read["payload"], array("f", _numbers("f", read["dense"])), words)


def kept(record: ChunkRecord, written: Point, found: Point | None) -> str:
    """The digest of the vectors as a store holds them that was given this point. Raises StoreError when it
    holds another payload or other vectors, but for last bits."""
    if (
        found is None
        or digest(found.payload) != record.payload_digest
        or found.dense is None
        or found.sparse is None
        or not (_near(written.dense, found.dense) and written.sparse is not None)
        or list(written.sparse.indices) != list(found.sparse.indices)
        or not _near(written.sparse.values, found.sparse.values)
    ):
        raise StoreError(
            f"The store did not keep point {record.point_id} as it was restored. The knowledge base was not "
            "restored."
        )
    return vector_digest(found)


def _near(one: Sequence[float] | None, other: Sequence[float]) -> bool:
    if one is None or len(one) != len(other):
        return False
    return all(abs(a - b) <= TOLERANCE * max(1.0, abs(a)) for a, b in zip(one, other, strict=True))


def _packed(code: str, numbers: Sequence[float]) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}{code}", *numbers)).decode("ascii")


def _numbers(code: str, packed: str) -> list[Any]:
    raw = b64decode(packed, validate=True)
    return list(struct.unpack(f"<{len(raw) // 4}{code}", raw))
