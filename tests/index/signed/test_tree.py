"""The tree is that of RFC 6962, with the vectors that implementations of Certificate Transparency share."""

from __future__ import annotations

import hashlib

import pytest

from index.signed.tree import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
)

ENTRIES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]


def test_roots_are_the_published_ones() -> None:
    assert root_of([]) == hashlib.sha256().digest()
    assert [root_of(LEAVES[:size]).hex() for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int) -> None:
    assert [node.hex() for node in inclusion_proof(LEAVES[:size], index)] == INCLUSION[index, size]


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, size: int) -> None:
    assert [node.hex() for node in consistency_proof(LEAVES[:size], old)] == CONSISTENCY[old, size]


def test_every_leaf_of_every_size_is_proved_and_no_other() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(40)]
    for size in range(1, 41):
        root = root_of(leaves[:size])
        for index in range(size):
            proof = inclusion_proof(leaves[:size], index)
            assert is_included(leaves[index], index, size, proof, root)
            assert not is_included(leaves[index], index, size, [*proof, root], root)
            assert not is_included(leaf_hash(b"other"), index, size, proof, root)
            assert not is_included(leaves[index], size, size, proof, root)
            if size > 1:
                assert not is_included(leaves[index], (index + 1) % size, size, proof, root)
                assert not is_included(leaves[index], index, size, proof[:-1], root)


def test_every_growth_is_proved_and_no_other() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(33)]
    roots = [root_of(leaves[:size]) for size in range(34)]
    for size in range(34):
        for old in range(size + 1):
            proof = consistency_proof(leaves[:size], old)
            assert is_consistent(old, roots[old], size, roots[size], proof)
            assert not is_consistent(old, roots[old], size, roots[size], [*proof, roots[0]])
            if 0 < old < size:
                assert not is_consistent(old, leaf_hash(b"other"), size, roots[size], proof)
                assert not is_consistent(old, roots[old], size, leaf_hash(b"other"), proof)
                assert not is_consistent(old, roots[old], size, roots[size], proof[:-1])


def test_a_frontier_is_as_small_as_its_size_has_bits_and_goes_on_where_it_was() -> None:
    frontier = Frontier()
    for size in range(1, 200):
        frontier = Frontier(frontier.size, frontier.nodes)
        frontier.add(leaf_hash(bytes([size])))
        assert frontier.size == size and len(frontier.nodes) == size.bit_count()
        assert frontier.root() == root_of(leaf_hash(bytes([n])) for n in range(1, size + 1))
    for size, nodes in ((1, 0), (3, 1), (0, 1), (-1, 0)):
        with pytest.raises(ValueError, match="has no frontier"):
            Frontier(size, [b""] * nodes)


def test_a_leaf_or_size_that_is_not_there_has_no_proof() -> None:
    for index in (-1, 8):
        with pytest.raises(ValueError, match="has no leaf"):
            inclusion_proof(LEAVES, index)
    for size in (-1, 9):
        with pytest.raises(ValueError, match="was never one of"):
            consistency_proof(LEAVES, size)
