"""An empty shard: its vectors, indexes and segments."""

from __future__ import annotations

from pathlib import Path

import qdrant_edge as engine

from index.store.edge.session import missing_indexes
from index.store.edge.shards import COPIES, WORDS

#: Several segments keep every core busy with a search, and sealing never merges those that are full.
SEGMENT_POINTS = 25_000
#: More than so many are merged, the smallest first: each costs a search the ranking by vectors of its best.
SEGMENTS = 8


def build(shard: Path, dimension: int) -> None:
    """Make an empty shard in this folder, which exists."""
    segment_kilobytes = SEGMENT_POINTS * dimension * 4 // 1024
    config = engine.EdgeConfig(
        # Copies rank, and a search reads the vectors of the best alone: the others stay in their files.
        vectors=engine.EdgeVectorParams(
            size=dimension, distance=engine.Distance.Cosine, memory=engine.Memory.Cold
        ),
        sparse_vectors=WORDS,
        quantization_config=COPIES,
        # Without edges there is no graph to build.
        hnsw_config=engine.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=segment_kilobytes),
        # `optimize` seals what is unsealed, and rewrites every segment that holds a deleted point.
        optimizers=engine.EdgeOptimizersConfig(
            deleted_threshold=1e-9,
            vacuum_min_vector_number=1,
            default_segment_number=SEGMENTS,
            max_segment_size=segment_kilobytes,
            indexing_threshold=1,
        ),
        wal_enabled=False,
    )
    made = engine.EdgeShard.create(str(shard), config)
    for operation in missing_indexes(made):
        made.update(operation)
    made.flush()
    made.close()
