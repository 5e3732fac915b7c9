"""Rankings, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from index.errors import ConfigError
from index.model import Point, Sparse
from index.store.base import CANDIDATES, RRF_K, Hit, Mode

#: A dense vector, or a sparse one.
Query = Sequence[float] | Sparse

#: (queries, limit, with payload) to the best points of each query.
Rank = Callable[[Sequence[Query], int, bool], list[list[Hit]]]


def search(
    rank: Rank,
    fetch: Callable[[Sequence[str]], dict[str, Point]],
    *,
    mode: Mode,
    dense: Sequence[float] | None,
    sparse: Sparse | None,
    limit: int,
) -> list[Hit]:
    """What `Session.search` returns, from a store's own ranking by one vector."""
    if (mode != "sparse" and dense is None) or (mode != "dense" and sparse is None):
        raise ConfigError(f"A search in mode {mode!r} was given without the vector that it needs.")
    queries: list[Query] = []
    if mode != "sparse" and dense is not None:
        queries.append(dense)
    if mode != "dense" and sparse is not None and sparse.indices:
        queries.append(sparse)
    if limit < 1 or not queries:
        return []
    if mode != "hybrid":
        return ordered(rank(queries, limit, True)[0])
    rankings = [
        [hit.point.id for hit in ordered(hits)] for hits in rank(queries, max(limit, CANDIDATES), False)
    ]
    best = fuse(rankings)[:limit]
    points = fetch([identifier for identifier, _ in best])
    # On a server, a point may have gone since it was ranked.
    return [Hit(points[identifier], score) for identifier, score in best if identifier in points]


def ordered(hits: Sequence[Hit]) -> list[Hit]:
    """By score, and by id where scores are equal: the engine returns equals in any order."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.point.id))


def fuse(rankings: Sequence[Sequence[str]], k: int = RRF_K) -> list[tuple[str, float]]:
    """Reciprocal rank fusion: ids with their scores, best first, equals in the order of the rankings given.

    >>> fuse([["a", "b"], ["b", "c"]], k=10)[0][0]
    'b'
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, identifier in enumerate(ranking):
            scores[identifier] = scores.get(identifier, 0.0) + 1 / (k + place)
    # Sorting is stable, and a dictionary keeps the order in which its keys came.
    return sorted(scores.items(), key=lambda item: -item[1])
