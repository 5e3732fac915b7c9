"""The guess of a language is langdetect's, to the last bit."""

from __future__ import annotations

import langdetect
import pytest
from langdetect.lang_detect_exception import LangDetectException

from index.embed.probes import PASSAGES, QUESTIONS
from index.model import Element
from index.parse.language import language_of, probabilities

TEXTS = {
    "german": "Die Prüfung der Änderungen erfolgt über das Büro. Größe und Maße gelten. " * 3,
    "french": "Le chat s'est assis sur le tapis ; où êtes-vous allés, l'été dernier, à Noël ? " * 4,
    "romanian": "Limba rom\u00e2n\u0103 este o limb\u0103 roman\u0103, \u0219i \u021bara noastr\u0103 " * 4,
    "vietnamese": "Ti\u1ebfng Vi\u1ec7t la\u0300 ng\u00f4n ng\u01b0\u0303 cu\u0309a ng\u01b0\u01a1\u0300i "
    * 5,
    "japanese": "日本語は、日本国内や、日本人同士の間で使われている言語である。カタカナ English words. " * 6,
    "chinese": "汉语是世界上使用人数最多的语言。繁體中文也是漢語。" * 10,
    "korean": "한국어는 대한민국과 조선민주주의인민공화국의 공용어이다. " * 8,
    "russian, some of it Latin": "Русский язык входит в восточнославянскую группу. ABC def " * 4,
    "persian": "زبان فارسی یکی از زبان‌های هندواروپایی است " * 4,
    "greek": "Η ελληνική γλώσσα ανήκει στην ινδοευρωπαϊκή οικογένεια " * 4,
    "three at once": "Dies ist deutsch. This is English. Ceci est français. " * 5,
    "capitals": "ALL OF THIS IS SHOUTED And ABCs Are NoT all OF it. " * 5,
    "addresses": "Write to a.b@example.org, or see https://example.org/a?b=c#d for more of it. " * 4,
    "single letters": "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3,
    "blanks": "  Two  blanks,\n\nand lines\tand tabs.   " * 5,
    "no blank at its end": ("Hello there my friend " * 10).strip(),
    "pictures": "\U0001f600 great \U0001f600 work " * 10,
    "none": "1234 5678 ++++ ---- 999 !!! " * 8,
} | {f"probe {number}": probe for number, probe in enumerate((*PASSAGES, *QUESTIONS))}


@pytest.fixture(autouse=True)
def same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langdetect.DetectorFactory, "seed", 0)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_probabilities_are_those_of_langdetect(text: str) -> None:
    try:
        expected = {found.lang: found.prob for found in langdetect.detect_langs(text)}
    except LangDetectException:
        expected = {}
    assert {language: p for language, p in probabilities(text).items() if p > 0.1} == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [(TEXTS["german"], "de"), (TEXTS["french"], "fr"), (TEXTS["greek"], "el"), (TEXTS["none"], None)],
)
def test_a_language_is_named_when_it_is_sure(text: str, language: str | None) -> None:
    assert language_of([Element(text, "NarrativeText")]) == language


def test_a_text_in_several_languages_has_none() -> None:
    found = probabilities(TEXTS["three at once"])
    assert max(found.values()) < 0.95
    assert language_of([Element(TEXTS["three at once"], "NarrativeText")]) is None
