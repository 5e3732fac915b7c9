"""Atoms, the smallest pieces of a text that a cut may leave, and the choice of a cut between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import log
from typing import NamedTuple

from index.chunk.fingerprint import WINDOW
from index.model import Element


class Atom(NamedTuple):
    """Text that is cut only when nothing else helps. It ends where the next atom starts."""

    start: int
    """Offset in the document's text."""
    element: Element
    rank: int
    """Rank of its start as a place to cut."""
    weight: int
    """Tokens, or more where they are very long."""
    header: str = ""
    """Header row of the table that it continues."""


class Slice(NamedTuple):
    atoms: Sequence[Atom]
    end: int


def sections(atoms: Sequence[Atom], end: int) -> Iterator[Slice]:
    """Headings with what follows them, up to the next heading; headings without anything join the next."""
    first = 0
    body = False
    for index, (atom, before) in enumerate(zip(atoms[1:], atoms, strict=False), start=1):
        body = body or before.element.kind != "Title"
        if atom.element is before.element:
            continue
        turns = atom.element.kind == "Title" or atom.element.heading_path != before.element.heading_path
        if body and turns:
            yield Slice(atoms[first:index], atom.start)
            first, body = index, False
    yield Slice(atoms[first:], end)


def best_cut(keys: Sequence[float], sums: Sequence[int], first: int, last: int, floor: float) -> int:
    """The index at which to cut these atoms: the lowest key that leaves the floor on both sides; the most
    even cut of the best rank where none does. Of equal keys the middle one, or repetitive text would take for
    ever."""
    low = max(first + 1, bisect_left(sums, sums[first] + floor))
    high = min(last - 1, bisect_right(sums, sums[last] - floor) - 1)
    if low <= high:
        least = min(keys[low : high + 1])
        places = [place for place in range(low, high + 1) if keys[place] == least]
    else:
        rank = min(map(int, keys[first + 1 : last]))
        places = [place for place in range(first + 1, last) if int(keys[place]) == rank]
    middle = (sums[first] + sums[last]) / 2
    return min(places, key=lambda place: abs(sums[place] - middle))


def key(text: str, atom: Atom) -> float:
    """Order of places: by rank, then by a hash of the text that follows.

    A place is chosen with a chance in proportion to the weight that follows it (weighted sampling by
    exponential variates): a short new paragraph then seldom takes a cut away from a long one.
    """
    following = text[atom.start : atom.start + WINDOW].encode("utf-8", "surrogatepass")
    uniform = (1 + int.from_bytes(blake2b(following, digest_size=8).digest())) / 2**64
    return atom.rank - log(uniform) / max(atom.weight, 1) / 64
