"""Sentences that state a number with a unit: their words, and their values apart.

English, German and French, their spellings of numbers and their units. A sentence that is no plain statement
(a question, an example, code, a row of a table) states nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from index.freshness.checks.units import MEASURE, NUMERALS, unit_of, value_of
from index.phrase import folded


def _set(words: str) -> frozenset[str]:
    return frozenset(folded(words).split())


#: What ends a sentence: a mark, and a beginning after it.
_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[\"'“‘«(\[]?[A-ZÀ-ÖØ-Þ0-9])|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|ca|vs|no|nos|nr|art|sec|fig|max|min|incl|excl|mr|mrs|ms|dr|prof|st|bzw|usw|"
    r"z\. ?b|d\. ?h|u\. ?a|ggf|evtl|inkl|zzgl|abs|p\. ?ex|env|cf|resp)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[{}|=<>\t`\\]|\(\)|::|->|;\s*\S+;|\$[A-Za-z_]|^\s*[$#>]\s|\s--\w|\w_\w")
#: Markup that a parser left in a sentence: targets of links, tags of templates.
_MARKUP = re.compile(
    r"\[([^\]\n]*)\]\((?:[^()]|\([^()]*\))*\)|\{[%{].*?[%}]\}|<[a-z/!][^<>\n]*>|https?://\S+", re.IGNORECASE
)
_EXAMPLE = re.compile(
    r"\b(?:for example|for instance|e\.g|such as|example|suppose|imagine|let's say|zum beispiel|z\. ?b|"
    r"beispiel\w*|angenommen|par exemple|p\. ?ex|exemple|supposons)\b",
    re.IGNORECASE,
)
#: Beginnings that refer to something said before, or leave it out, as items of a list do.
_REFERS = _set(
    "be must can could should may might shall will is are was has have up between about approximately "
    "this that these those it its they their he she his her such dies dieser diese dieses es er sie ceci "
    "cela ce cet cette ces il elle ils elles"
)
_FUNCTION = _set(
    "a an the of to in on at for by from with and or as is are was were be been being has have had do "
    "does will would can could should must may might shall you your yours we our ours us i my their they "
    "them its it this that these those which who whom whose if when than then so please all any also just "
    "only about up der die das den dem des ein eine einen einem einer eines und oder von zu zum zur im in "
    "am an auf für mit bei aus ist sind war waren wird werden hat haben kann können muss müssen soll "
    "sollen darf dürfen sie wir ihr ihre ihren sich es er auch nur alle als wenn le la les l un une des "
    "du de d et ou en à au aux pour par avec sur dans est sont était être a ont avoir peut peuvent doit "
    "doivent vous votre vos nous notre nos il elle ils elles ce cet cette ces se s qui que si get gets "
    "take takes make makes"
)
#: Words of a statement, and those among them that carry meaning.
_WORDS_MIN, _WORDS_MAX = 4, 60
_CONTENT_MIN = 2


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that states at least one number with a unit."""

    text: str
    masked: str
    """Its folded words, with # for each number and a common form of each unit."""
    values: tuple[str, ...]
    """Its numbers in order, each in its plainest form: ``30``, ``30-60``."""
    units: tuple[str, ...]
    """The unit of each, in its common form."""
    shown: tuple[str, ...]
    """They and their units, as they are written."""

    @property
    def content(self) -> frozenset[str]:
        """The beginnings of its words that carry meaning, numbers and units included."""
        return frozenset(stem(word) for word in self.masked.split() if word not in _FUNCTION)

    @property
    def subject(self) -> frozenset[str]:
        """They without numbers and units."""
        return self.content - {"#", *map(stem, self.units)}


def statements(text: str) -> Iterator[Statement]:
    """The statements of a passage, in order."""
    for sentence in sentences(text):
        found = statement(sentence)
        if found is not None:
            yield found


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text whose blocks are apart by line breaks."""
    start = 0
    for end in _END.finditer(text):
        if "\n" not in end[0] and _ABBREVIATION.search(text, max(start, end.start() - 8), end.start()):
            continue
        yield from _one(text[start : end.start()])
        start = end.end()
    yield from _one(text[start:])


def _one(sentence: str) -> Iterator[str]:
    if sentence := sentence.strip():
        yield sentence


def statement(sentence: str) -> Statement | None:
    """What a sentence states; None when it states no number, or may not be meant as a statement."""
    if any(c in sentence for c in "[{<") or "://" in sentence:
        sentence = _MARKUP.sub(r"\1", sentence)
    if not _DIGIT.search(sentence) and NUMERALS.keys().isdisjoint(
        sentence.casefold().replace("-", " ").split()
    ):
        return None
    if sentence.rstrip("\"'”’»)] ").endswith("?") or _CODE.search(sentence) or _EXAMPLE.search(sentence):
        return None
    measures = list(MEASURE.finditer(sentence))
    if not measures:
        return None
    parts: list[str] = []
    values: list[str] = []
    units: list[str] = []
    shown: list[str] = []
    at = 0
    for measure in measures:
        unit = unit_of(measure)
        gap = measure["gap"] or ""
        parts += [sentence[at : measure.start()], f" {_MARK} {gap} {unit} "]
        units.append(unit)
        values.append(value_of(measure["sum"] or measure["amount"]))
        shown.append(" ".join(measure[0].split()))
        at = measure.end()
    words = folded(" ".join([*parts, sentence[at:]])).split()
    masked = " ".join("#" if word == _MARK else word for word in words)
    found = Statement(" ".join(sentence.split()), masked, tuple(values), tuple(units), tuple(shown))
    told = len(found.subject) >= _CONTENT_MIN and words[0] not in _REFERS
    return found if told and _WORDS_MIN <= len(words) <= _WORDS_MAX else None


#: Stands for a number while words are folded.
_MARK = "xnumberx"
_DIGIT = re.compile(r"\d")


def stem(word: str) -> str:
    """A word without what tells its number or form, as far as that is simple."""
    return word[:6] if len(word) > 6 else word.removesuffix("s") if len(word) > 3 else word
