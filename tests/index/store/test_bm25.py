"""Sparse vectors: pinned, because they are part of the on-disk format."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from index.errors import ModelChanged
from index.model import Sparse
from index.store import bm25

FINGERPRINT = "bm25:c92793bd1ba1ea14c9e7b32aa2c2289fa3210bd10f4aad22f887a265f31b33be"
PROBE = "The quick-brown foxes' API_KEY v2.3 answered HTTP 404; Größe, café, 日本語 and straße."
PINNED = [
    264741300,
    493065660,
    505117043,
    631207143,
    741580288,
    771291085,
    816199423,
    884471572,
    1188412670,
    1230453951,
    1515949417,
    1621867415,
    1673618911,
    1962405504,
]


def test_the_vectors_are_what_the_fingerprint_stands_for() -> None:
    """When this fails, an upgrade of the engine changed its words, and every index has to be built anew."""
    assert bm25.fingerprint() == FINGERPRINT
    vector = bm25.document([PROBE])[0]
    assert sorted(vector.indices) == PINNED
    assert list(vector.values) == pytest.approx([1.63057] * 14, abs=1e-5)


def test_another_encoder_is_refused_and_none_recorded_is_taken_for_the_encoder_of_now() -> None:
    bm25.require("")
    bm25.require(FINGERPRINT)
    with pytest.raises(ModelChanged, match=r"bm25:00000000; this freshkb's is bm25:.*freshkb reindex"):
        bm25.require("bm25:" + "0" * 64)


def test_the_fingerprint_depends_on_each_word_and_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    (vector,) = bm25.document([bm25._PROBE])
    others = [
        Sparse(vector.indices[1:], vector.values[1:]),
        Sparse(vector.indices, [*vector.values[:-1], vector.values[-1] + 0.01]),
        Sparse([*vector.indices[:-1], 1], vector.values),
    ]
    for other in others:
        monkeypatch.setattr(bm25, "document", lambda texts, made=other: [made])
        assert bm25.fingerprint.__wrapped__() != FINGERPRINT
    monkeypatch.undo()
    monkeypatch.setitem(bm25._PARAMETERS, "b", 0.7)
    assert bm25.fingerprint.__wrapped__() != FINGERPRINT


def test_an_empty_list_and_a_text_without_words_are_no_error() -> None:
    assert bm25.document([]) == []
    assert bm25.document(["", " … "]) == [Sparse([], []), Sparse([], [])]
    assert bm25.query("the of and") == Sparse([], [])


def test_a_question_has_every_word_once() -> None:
    question = bm25.query("leave leave parental")
    assert len(question.indices) == 2
    assert list(question.values) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("policies", "policy"),
        ("CAFE", "café"),
        ("groesse", "groesse"),
        ("404", "HTTP-404"),
        ("2026", "2026-01-31"),
        ("api key", "API_KEY"),
        ("мир", "Привет, мир!"),
    ],
)
def test_words_meet_in_spite_of_case_accents_endings_and_signs(asked: str, written: str) -> None:
    assert set(bm25.query(asked).indices) <= set(bm25.document([written])[0].indices)


def test_a_word_that_is_said_more_often_weighs_more() -> None:
    once, often = bm25.document(["leave policy", "leave leave leave policy"])
    weights = [dict(zip(v.indices, v.values, strict=True)) for v in (once, often)]
    [leave] = bm25.query("leave").indices
    assert weights[1][leave] > weights[0][leave]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("How much leave do I get?", "leave"),
        ("how many days could I get off", "days off"),
        ("Wie viel Urlaub bekomme ich?", "Urlaub"),
        ("Wann können wir unseren Drucker bekommen", "Drucker"),
        # Words that mean something, in one language or the other.
        ("holidays in May", "holidays May"),
        ("who may die in a war", "may die war"),
    ],
)
def test_what_makes_a_question_of_words_is_not_looked_for(asked: str, meant: str) -> None:
    assert set(bm25.query(asked).indices) == set(bm25.document([meant])[0].indices)


@pytest.mark.parametrize("asked", ["how much do I get", "must get", "Wie viel?"])
def test_a_question_of_nothing_else_is_looked_for_as_it_is(asked: str) -> None:
    assert bm25.query(asked).indices
    assert set(bm25.query(asked).indices) == set(bm25.document([asked])[0].indices)


def test_threads_get_what_one_thread_gets() -> None:
    texts = [f"text {n} about leave {n % 7} and policy {n % 11}" for n in range(2_000)]
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(bm25.document, [texts[n : n + 100] for n in range(0, 2_000, 100)])
        assert [vector for part in parts for vector in part] == bm25.document(texts)
