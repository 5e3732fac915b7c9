"""Pairs of vectors that are near each other."""

from __future__ import annotations

import numpy as np
import pytest

from index.freshness.checks import near as module
from index.freshness.checks.near import near


def vectors(count: int, seed: int = 1) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


@pytest.mark.parametrize("block", [1, 3, 7, 100])
def test_every_pair_of_different_groups_is_found_once_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    rows, groups = vectors(20), np.arange(20) // 3
    cosines = rows @ rows.T
    expected = {
        (a, b) for a in range(20) for b in range(a + 1, 20) if groups[a] != groups[b] and cosines[a, b] >= 0.3
    }
    found = list(near(rows, groups, 0.3, 100))
    assert {(a, b) for a, b, _ in found} == expected
    assert len(found) == len(expected) > 5
    assert all(abs(cosines[a, b] - cosine) < 1e-6 for a, b, cosine in found)


def test_a_row_with_too_many_neighbours_is_left_out() -> None:
    rows = np.concatenate([np.repeat(vectors(1), 6, axis=0), np.repeat(vectors(1, seed=2), 2, axis=0)])
    found = [(a, b) for a, b, _ in near(rows, np.arange(8), 0.9, 3)]
    assert found == [(6, 7)]


def test_lost_vectors_are_near_nothing() -> None:
    assert list(near(np.zeros((3, 4), np.float32), np.arange(3), 0.5, 3)) == []
