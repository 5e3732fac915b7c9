"""Pairs of passages whose vectors are near each other: every pair is looked at, some thousand times some
thousand in one product of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Rows of a block: its product takes 16 MB.
_BLOCK = 2048


def near(
    vectors: np.ndarray, groups: np.ndarray, least: float, most: int
) -> Iterator[tuple[int, int, float]]:
    """Pairs of rows with a cosine of at least `least`, the lower row first.

    `vectors`: float32 [rows, dimension], of length 1. `groups`: int [rows]; rows of one group are no pair. A
    row that is near more than `most` others is left out from there on: it is a template, and pairs of
    templates would be without number.
    """
    import numpy as np

    count = len(vectors)
    degrees = np.zeros(count, np.int64)
    space = np.empty((_BLOCK, _BLOCK), np.float32)
    for first in range(0, count, _BLOCK):
        rows = vectors[first : first + _BLOCK]
        for second in range(first, count, _BLOCK):
            others = vectors[second : second + _BLOCK]
            product = space[: len(rows), : len(others)]
            np.matmul(rows, others.T, out=product)
            # Few rows of few blocks have a neighbour: to find these takes a tenth of a look at each cosine.
            some = np.nonzero(product.max(axis=1) >= least)[0]
            if not len(some):
                continue
            a, b = np.nonzero(product[some] >= least)
            a = some[a]
            cosines = product[a, b]
            a, b = a + first, b + second
            keep = (a < b) & (groups[a] != groups[b])
            a, b, cosines = a[keep], b[keep], cosines[keep]
            degrees += np.bincount(a, minlength=count) + np.bincount(b, minlength=count)
            keep = (degrees[a] <= most) & (degrees[b] <= most)
            yield from zip(a[keep].tolist(), b[keep].tolist(), cosines[keep].tolist(), strict=True)
