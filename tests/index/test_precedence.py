"""Hold, erasure, retention, deletion at the source: the first that applies decides."""

from __future__ import annotations

from itertools import product

from index.precedence import Fate, fate

#: In the order of precedence, with the fate that each leads to.
GROUNDS = {"ordered": Fate.ERASED, "expired": Fate.EXPIRED, "absent": Fate.DELETED}


def test_the_first_ground_that_applies_decides_unless_a_hold_stands() -> None:
    for chosen in product((False, True), repeat=3):
        given = dict(zip(GROUNDS, chosen, strict=True))
        applying = [fate for name, fate in GROUNDS.items() if given[name]]
        assert fate(**given) is (applying[0] if applying else Fate.KEPT)
        assert fate(held=True, **given) is (Fate.HELD if applying else Fate.KEPT)
