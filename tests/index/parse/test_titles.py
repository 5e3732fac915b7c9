"""The order in which titles are looked for, beside others, on what was seen in 71 public files.

`titles.tsv` has of each its property, the number of its top headings, the first of them, and the titles that
a reader would give it; none where neither names it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from index.parse.outline import Outline

FACTS = Path(__file__).with_name("titles.tsv")


class Seen(NamedTuple):
    format: str
    property: str
    headings: int
    first: str
    right: frozenset[str]


def seen() -> list[Seen]:
    with FACTS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [Seen(f, p, int(n), first, frozenset(right.split(" | ")) if right else frozenset())
            for f, p, n, first, right in rows]  # fmt: skip


def ours(one: Seen) -> str:
    """As readers call it: the title on the first slide is the show's own."""
    outline = Outline()
    for number in range(one.headings):
        outline.heading(f"{one.first} {number}" if number else one.first, 1)
    return outline.parsed(title=one.first if one.format == "pptx" else "", fallback_title=one.property).title


def good_property(one: Seen) -> str:
    return Outline().parsed(fallback_title=one.property).title


#: (order, share of documents whose title it finds)
ORDERS: list[tuple[str, Callable[[Seen], str], float]] = [
    ("ours", ours, 0.73),
    ("any property, first heading", lambda one: one.property or one.first, 0.55),
    ("good property, first heading", lambda one: good_property(one) or one.first, 0.66),
    ("only heading, good property", lambda one: one.first if one.headings == 1 else good_property(one), 0.52),
]


@pytest.mark.parametrize(("name", "order", "share"), ORDERS)
def test_an_order_finds_the_titles_of_documents(
    name: str, order: Callable[[Seen], str], share: float
) -> None:
    rows = seen()
    assert len(rows) == 71
    found = sum(order(one) in one.right if one.right else not order(one) for one in rows)
    assert round(found / len(rows), 2) == share, name
