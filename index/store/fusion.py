"""Rankings, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt
from operator import mul

from index.errors import ConfigError
from index.model import Point, Sparse
from index.store.base import CANDIDATES, RRF_K, Hit, Mode

#: A dense vector, or a sparse one.
Query = Sequence[float] | Sparse

#: The ids of points with their scores.
Ranking = Sequence[tuple[str, float]]

#: (queries, limit) to the best points of each query.
Rank = Callable[[Sequence[Query], int], Sequence[Ranking]]


def search(
    rank: Rank,
    fetch: Callable[[Sequence[str]], dict[str, Point]],
    *,
    mode: Mode,
    dense: Sequence[float] | None,
    sparse: Sparse | None,
    limit: int,
) -> list[Hit]:
    """The hits of `Session.search`, from a store's own ranking by one vector. `fetch` gives whole points."""
    if (mode != "sparse" and dense is None) or (mode != "dense" and sparse is None):
        raise ConfigError(f"A search in mode {mode!r} was given without the vector that it needs.")
    queries: list[Query] = []
    if mode != "sparse" and dense is not None:
        queries.append(dense)
    if mode != "dense" and sparse is not None and sparse.indices:
        queries.append(sparse)
    if limit < 1 or not queries:
        return []
    fused = mode == "hybrid"
    rankings = [ordered(ranking) for ranking in rank(queries, max(limit, CANDIDATES) if fused else limit)]
    best = fuse([[name for name, _ in ranking] for ranking in rankings])[:limit] if fused else rankings[0]
    points = fetch([identifier for identifier, _ in best])
    return [
        Hit(
            replace(points[identifier], dense=None, sparse=None),
            score,
            relevance(queries[0], points[identifier]),
        )
        for identifier, score in best
        # On a server, a point may have gone since it was ranked.
        if identifier in points
    ]


def relevance(question: Query, point: Point) -> float:
    """`Hit.relevance`; 0 for a point without the vector."""
    if isinstance(question, Sparse):
        words = set(point.sparse.indices) if point.sparse is not None else set()
        return sum(word in words for word in question.indices) / len(question.indices)
    if point.dense is None:
        return 0.0
    lengths = sqrt(sum(map(mul, question, question)) * sum(map(mul, point.dense, point.dense)))
    return min(1.0, max(0.0, sum(map(mul, question, point.dense)) / lengths)) if lengths else 0.0


def ordered(ranking: Ranking) -> list[tuple[str, float]]:
    """By score, and by id where scores are equal: the engine returns equals in any order."""
    return sorted(ranking, key=lambda ranked: (-ranked[1], ranked[0]))


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
