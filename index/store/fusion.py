"""Rankings, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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

#: {id: (payload of a hit, its relevance to the question)}
Found = dict[Any, tuple[Mapping[str, Any], float]]

#: (ids, question) to those that exist.
Read = Callable[[Sequence[Any], Query], Found]


def search(
    rank: Rank,
    read: Read,
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
    found = read([identifier for identifier, _ in best], queries[0]) if best else {}
    return [
        Hit(Point(str(identifier), found[identifier][0]), score, found[identifier][1])
        for identifier, score in best
        # On a server, a point may have gone since it was ranked.
        if identifier in found
    ]


def by_cosine(cosine: float) -> float:
    """`Hit.relevance` to a question with a dense vector."""
    return min(1.0, max(0.0, cosine))


def by_words(question: Sparse, indices: Sequence[int]) -> float:
    """`Hit.relevance` to a question of words alone, of a text with these."""
    asked = set(question.indices)
    return len(asked.intersection(indices)) / len(asked)


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
