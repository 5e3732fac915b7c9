"""The Merkle tree of RFC 6962 over the entries of a log: roots and proofs.

A leaf is `leaf_hash` of an entry's bytes. A *frontier* is all that an append needs: the roots of the largest
complete subtrees, from left to right, as many as the size has bits that are set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

#: Bytes of a hash.
HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows leaf by leaf, in time and space that are logarithmic in its size."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Raises ValueError when this is not the number of nodes that a tree of this size has."""
        self.size = size
        self.nodes = list(nodes)
        if size < 0 or len(self.nodes) != size.bit_count():
            raise ValueError(f"A tree of {size} leaves has no frontier of {len(self.nodes)} nodes.")

    def add(self, leaf: bytes) -> None:
        full = self.size
        while full & 1:
            leaf = node_hash(self.nodes.pop(), leaf)
            full >>= 1
        self.nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.nodes:
            return hashlib.sha256().digest()
        *left, root = self.nodes
        for node in reversed(left):
            root = node_hash(node, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that, with the leaf of this index (from 0), give the root over all of these leaf hashes."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"A tree of {len(leaves)} leaves has no leaf {index}.")
    low, high, path = 0, len(leaves), []
    while high - low > 1:
        middle = low + _left(high - low)
        if index < middle:
            path.append(_part(leaves, middle, high))
            high = middle
        else:
            path.append(_part(leaves, low, middle))
            low = middle
    return path[::-1]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The hashes that prove the tree over the first `size` of these leaves to be the beginning of the tree
    over all of them."""
    if not 0 <= size <= len(leaves):
        raise ValueError(f"A tree of {len(leaves)} leaves was never one of {size}.")
    if size == 0:
        return []
    low, high, known, path = 0, len(leaves), True, []
    while size != high - low:
        left = _left(high - low)
        if size <= left:
            path.append(_part(leaves, low + left, high))
            high = low + left
        else:
            path.append(_part(leaves, low, low + left))
            low, size, known = low + left, size - left, False
    return path[::-1] if known else [_part(leaves, low, high), *path[::-1]]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows this leaf hash to have this index in the tree of this size and root."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(node, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, node)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the tree of the old size and root to be the beginning of the other."""
    if not 0 <= old_size <= size:
        return False
    if old_size in (0, size):
        same = old_root == root if old_size else old_root == Frontier().root()
        return same and not proof
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    place, last = old_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old, new = path[0], path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    return last == 0 and old == old_root and new == root


def _left(size: int) -> int:
    """The leaves of the left subtree: the largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def _part(leaves: Sequence[bytes], low: int, high: int) -> bytes:
    return root_of(leaves[at] for at in range(low, high))
