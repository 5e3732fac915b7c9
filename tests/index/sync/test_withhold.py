"""Suppressed phrases are found by windows of words as by reading, and nothing is asked without an order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.ledger import Keys
from index.model import Chunk, State
from index.phrase import Phrases, folded
from index.records import Document
from index.sync.withhold import Suppressed, texts_of

KEYS = Keys(b"a secret")
NAMES = ["Zoë O'Neil", "Bo", "max mustermann", "山田太郎", "a b", "ab", "b a b"]
#: Pieces that break, join, spell and separate words in every way that counts.
PIECES = st.sampled_from(
    [
        *("zoe", "ZOË", "O’Neil", "o", "neil", "Bo", "max", "Muster-\n", "mann", "Mustermann"),
        *("山", "田", "太郎", "a", "b", "B-\n ", "-\n", "\u00ad", "\u0308", "é"),
        *(" ", "  ", "\n", "\n\n", "-", ".", "_", "#"),
    ]
)


def suppressed(phrases: Sequence[str]) -> Suppressed:
    orders: dict[int, dict[str, str]] = {}
    for number, phrase in enumerate(phrases):
        words = folded(phrase)
        orders.setdefault(len(words.split()), {})[KEYS.phrase(words)] = f"E-{number}"
    return Suppressed(KEYS, orders)


@given(st.lists(PIECES, max_size=14).map("".join), st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
def test_windows_find_a_phrase_exactly_where_reading_finds_it(text: str, phrases: list[str]) -> None:
    assert bool(suppressed(phrases).order([text])) == Phrases(phrases).found(text)


@given(st.text(max_size=40), st.text(max_size=12).filter(folded))
def test_and_so_in_any_text(text: str, phrase: str) -> None:
    for said in (text, f"{text} {phrase} {text}"):
        assert bool(suppressed([phrase]).order([said])) == Phrases([phrase]).found(said)


def test_the_order_of_the_phrase_that_is_found_is_named() -> None:
    phrases = suppressed(["Zoë O'Neil", "Max"])
    assert phrases.order(["none", "to ZOE\no neil"]) == "E-0"
    assert phrases.order(["max"]) == "E-1"
    assert phrases.order(["zoe", "o neil"]) == ""
    assert not suppressed([]) and suppressed([]).order(["max"]) == ""


@pytest.mark.parametrize(
    "said",
    [
        {"title": "About Zoë O’Neil"},
        {"uri": "staff/zoe_o-neil.md"},
        {"uri": "staff/Zoe%20O%27Neil.md"},
        {"owner": "user:zoe o'neil"},
        {"owners": ["user:bo", "Zoë O'Neil"]},
        {"properties": {"author": ["x", {"name": "Zoë O'Neil"}]}},
        {"properties": {"SOURCE": {"title": "Zoë O'Neil"}}},
    ],
)
def test_every_field_of_a_row_is_looked_at(said: dict[str, object]) -> None:
    row = Document("d1", "docs", **{"uri": "a.md", "state": State.INDEXED} | said)  # type: ignore[arg-type]
    assert suppressed(["Zoë O'Neil"]).order(texts_of(row)) == "E-0"


@pytest.mark.parametrize(
    "pieces",
    [
        [((), "Of Zoë "), ((), "O'Neil.")],
        [((), "Of Zoë\n\n"), (("O'Neil",), "O'Neil\n\nText.")],
        [((), "Of Muster-\n"), ((), "mann.")],
        [(("Zoë",), "O'Neil of the sheet")],
        [(("Zoë", "O'Neil"), "Text")],
    ],
)
def test_so_is_the_text_over_the_borders_of_chunks(pieces: list[tuple[tuple[str, ...], str]]) -> None:
    row = Document("d1", "docs", "a.md", State.INDEXED)
    chunks = [Chunk(text, text, headings, None, 1) for headings, text in pieces]
    assert suppressed(["Zoë O'Neil", "Mustermann"]).order(texts_of(row, chunks))
    assert not suppressed(["Other"]).order(texts_of(row, chunks))
