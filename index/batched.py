"""Streams in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` values in their order; the last may be shorter. A stream is read no further than the
    list that is asked for.

    `itertools` has it from Python 3.12 on.
    """
    stream = iter(values)
    while batch := list(islice(stream, size)):
        yield batch
