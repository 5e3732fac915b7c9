"""Phrases: spellings that are the same, and words that are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.phrase import Phrases, folded


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("Max Mustermann", "MAX  mustermann"),
        ("Max Mustermann", "Dear Max\r\n\tMustermann,"),
        ("Max Mustermann", "max.mustermann@example.org"),
        ("Max Mustermann", "Max Muster-\n  mann"),
        ("Max Mustermann", "Ma\u00adx Muster\u200bmann"),
        ("Müller-Lüdenscheidt", "Herr Mu\u0308ller Lu\u0308denscheidt"),
        ("Müller-Lüdenscheidt", "Müller-\nLüdenscheidt"),
        ("Zoë O'Neil", "ZOE O\u2019NEIL"),
        ("Straße 4", "STRASSE 4"),
        ("山田太郎", "担当は山田太郎です。"),
        ("Ｍａｘ", "max"),
        ("+49 30 1234", "Tel. (+49) 30/1234"),
    ],
)
def test_spellings_of_one_phrase_are_found(phrase: str, text: str) -> None:
    assert Phrases([phrase]).found(text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("Ann", "Annual report of Joann"),
        ("Max Mustermann", "Mustermann Max"),
        ("Max Mustermann", "Max and Mustermann"),
        ("Max Mustermann", "Max Mustermanns"),
        ("2024", "20240"),
        ("山田", "山本田中"),
    ],
)
def test_other_words_are_not(phrase: str, text: str) -> None:
    assert not Phrases([phrase]).found(text)


def test_a_phrase_needs_a_word() -> None:
    with pytest.raises(ValueError, match="at least one letter or digit"):
        Phrases(["Max", "- … -"])


def test_parts_in_which_a_phrase_begins_and_ends_are_both_found() -> None:
    phrases = Phrases(["Max Mustermann", "red fox"])
    assert phrases.parts(["to Max", "", "Mustermann", "a fox", "red", "a red fox"]) == {0, 2, 5}
    assert phrases.parts([]) == set()
    assert phrases.parts(["Max Muster-\nmann", "none"]) == {0}


@given(st.lists(st.text(alphabet="aB ä\n-.", max_size=8), max_size=6), st.sampled_from(["a", "b a", "ba b"]))
def test_parts_find_what_the_whole_text_contains(texts: list[str], phrase: str) -> None:
    """The break between two parts is a break between words."""
    found = Phrases([phrase]).parts(texts)
    joined = "".join(folded(text)[1:] for text in texts)
    whole = f" {phrase} " in f" {joined}"
    if not any("-\n" in text for text in texts):
        assert bool(found) == whole
    assert all(index in found for index, text in enumerate(texts) if Phrases([phrase]).found(text))
