"""Purge: the bytes of deleted points are removed from the disk of an embedded collection.

A point that was deleted or replaced stays in the files of its segment until the segment is written anew. The
engine writes a segment anew when it holds a deleted point, so a point is written and deleted here in an
unsealed one: a replaced point leaves its old bytes there without counting as deleted.

The proof reads files, and trusts no count of the engine: a segment that was there before must be sealed and
have no point marked as deleted; every other one was written from live points. The layout is the engine's own
and may change with it: a segment without the expected files proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qdrant_edge import EdgeShard, Point, UpdateOperation

from index.store.base import Purge
from index.store.edge.shards import UNUSED_ID

#: File of a sealed segment with a bit for each deleted point.
_DELETED = "id_tracker.deleted"
#: File of an unsealed segment's points; missing or empty while it has none.
_UNSEALED = "mutable_id_tracker.mappings"


def purge(shard: EdgeShard, folder: Path) -> frozenset[str]:
    """Rewrite every segment that holds deleted points. Returns the names of the former segments. The shard is
    the one in this folder; the caller closes it before `proof`."""
    before = frozenset(segment.name for segment in _segments(folder))
    # A kill in between leaves a point that is deleted when the shard is loaded again.
    for operation in (
        UpdateOperation.upsert_points([Point(UNUSED_ID, {}, {})]),
        UpdateOperation.delete_points([UNUSED_ID]),
    ):
        shard.update(operation)
        shard.flush()
    shard.optimize()
    shard.flush()
    return before


def proof(home: Path, folder: Path, before: frozenset[str], points: int) -> Purge:
    """The evidence of a closed shard's files. `home` holds all files of the collection."""
    files = [path for path in home.rglob("*") if path.is_file()]
    size = sum(path.stat().st_blocks * 512 for path in files)
    left = [segment.name for segment in _segments(folder) if not _clean(segment, before)]
    left += sorted(path.name for path in (folder / "temp_segments").glob("*"))
    if left:
        evidence = f"Of segments written anew, {len(left)} may still hold deleted points: {', '.join(left)}."
        return Purge("unretrievable", evidence, points, len(files), size)
    evidence = (
        "Every segment with deleted or replaced points was written anew and its old files were removed; no "
        "segment that is left has a point marked as deleted. Blocks that the file system freed are not "
        "overwritten."
    )
    return Purge("purged", evidence, points, len(files), size)


def _segments(folder: Path) -> Iterator[Path]:
    return (path for path in sorted((folder / "segments").iterdir()) if path.is_dir())


def _clean(segment: Path, before: frozenset[str]) -> bool:
    """Whether the segment holds no deleted point."""
    deleted, unsealed = segment / _DELETED, segment / _UNSEALED
    if deleted.exists():
        return not any(deleted.read_bytes())
    holds = unsealed.exists() and unsealed.stat().st_size > 0
    return segment.name not in before or not holds
