"""Rankings, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from operator import mul
from typing import Any, Literal

from index.errors import ConfigError
from index.model import Point, Sparse
from index.store.base import CANDIDATES, RRF_K, Hit, Mode

#: A dense vector, or a sparse one.
Query = Sequence[float] | Sparse

#: The ids of points with their scores. Ids are as the store's engine gives them, UUIDs or texts: they order
#: alike, and only those of hits are made texts.
Ranking = Sequence[tuple[Any, float]]

#: (queries, limit) to the best points of each query.
Rank = Callable[[Sequence[Query], int], Sequence[Ranking]]

#: (ids, vector that is needed of each) to the points that exist; they may have the other vector, too.
Fetch = Callable[[Sequence[str], Literal["dense", "sparse"] | None], dict[str, Point]]


def search(
    rank: Rank,
    fetch: Fetch,
    *,
    mode: Mode,
    dense: Sequence[float] | None,
    sparse: Sparse | None,
    limit: int,
) -> list[Hit]:
    """The hits of `Session.search`, from a store's own ranking by one vector."""
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
    # The score of a ranking by the dense vector is the cosine already.
    cosines = dict(rankings[0]) if mode != "sparse" else {}
    needed: Literal["dense", "sparse"] | None = "sparse"
    if mode != "sparse":
        needed = None if all(identifier in cosines for identifier, _ in best) else "dense"
    points = fetch([str(identifier) for identifier, _ in best], needed)
    relevance = _relevance(queries[0])
    hits = []
    for identifier, score in best:
        point = points.get(str(identifier))
        # On a server, a point may have gone since it was ranked.
        if point is not None:
            known = cosines.get(identifier)
            relevant = relevance(point) if known is None else _share(known)
            hits.append(Hit(Point(point.id, point.payload), score, relevant))
    return hits


def _relevance(question: Query) -> Callable[[Point], float]:
    """`Hit.relevance` of points; 0 for one without the vector."""
    if isinstance(question, Sparse):
        asked = set(question.indices)

        def words(point: Point) -> float:
            return len(asked.intersection(point.sparse.indices)) / len(asked) if point.sparse else 0.0

        return words
    length = sqrt(sum(map(mul, question, question)))

    def cosine(point: Point) -> float:
        # Vectors in a store are of length 1.
        return _share(sum(map(mul, question, point.dense)) / length) if point.dense and length else 0.0

    return cosine


def _share(cosine: float) -> float:
    return min(1.0, max(0.0, cosine))


def ordered(ranking: Ranking) -> list[tuple[Any, float]]:
    """By score, and by id where scores are equal: the engine returns equals in any order."""
    return sorted(ranking, key=lambda ranked: (-ranked[1], ranked[0]))


def fuse(rankings: Sequence[Sequence[Any]], k: int = RRF_K) -> list[tuple[Any, float]]:
    """Reciprocal rank fusion: ids with their scores, best first, equals in the order of the rankings given.

    >>> fuse([["a", "b"], ["b", "c"]], k=10)[0][0]
    'b'
    """
    scores: dict[Any, float] = {}
    for ranking in rankings:
        for place, identifier in enumerate(ranking):
            scores[identifier] = scores.get(identifier, 0.0) + 1 / (k + place)
    # Sorting is stable, and a dictionary keeps the order in which its keys came.
    return sorted(scores.items(), key=lambda item: -item[1])
