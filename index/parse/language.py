"""The language of a document that does not name it, guessed from its first prose.

The guess is langdetect's: n-grams are drawn from the text until a language is certain, seven times. The same
draws are computed here from its profiles and in its order, to the last bit, in little more than half of its
time: characters and words are looked up once, and five draws are multiplied in one pass over the languages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from random import Random

from langdetect.detector import Detector
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.utils.ngram import NGram

from index.model import Element

#: Characters: fewer give guesses that change with every edit, more cost time and change nothing.
SAMPLE_MIN, SAMPLE_MAX = 80, 800
PROBABILITY_MIN = 0.95

#: Kinds whose words are mostly names and keywords.
_NO_PROSE = frozenset({"Address", "CodeSnippet", "Table"})

#: The detector draws random numbers; with a seed the same text has the same language every time.
_SEED = 0
#: Rounds of draws, whose results are averaged, and draws between two looks at whether they suffice.
_TRIALS, _DRAWS = 7, 5

#: Frequencies of an n-gram in each language.
_Row = Sequence[float]


def language_of(elements: Iterable[Element]) -> str | None:
    """ISO 639-1 code (``zh-cn``, ``zh-tw`` for Chinese); None when unsure."""
    sample = ""
    for element in elements:
        if element.kind not in _NO_PROSE:
            sample += element.text + "\n"
            if len(sample) >= SAMPLE_MAX:
                break
    if len(sample) < SAMPLE_MIN:
        return None
    return _guess(sample[:SAMPLE_MAX])


@lru_cache(256)
def _guess(sample: str) -> str | None:
    """Copies of a document and its next versions mostly begin alike: a guess costs as much as all else of a
    small document."""
    found = probabilities(sample)
    best = max(found, key=lambda language: found[language], default="")
    return best if best and found[best] >= PROBABILITY_MIN else None


def probabilities(text: str) -> dict[str, float]:
    """The probability of each language, as `langdetect.detect_langs` finds them; empty when the text has no
    n-gram of any language."""
    factory = _profiles()
    cleaned = factory.create()
    cleaned.append(text)
    cleaned.cleaning_text()
    rows = _rows(cleaned.text)
    if not rows:
        return {}
    languages = factory.langlist
    random = Random(_SEED)
    draw = _drawing(random, rows)
    total = [0.0] * len(languages)
    for _ in range(_TRIALS):
        alpha = Detector.ALPHA_DEFAULT + random.gauss(0.0, 1.0) * Detector.ALPHA_WIDTH
        found = _trial(draw, alpha / Detector.BASE_FREQ, len(languages))
        total = [before + chance / _TRIALS for before, chance in zip(total, found, strict=True)]
    return dict(zip(languages, total, strict=True))


def familiar(text: str, languages: Sequence[str]) -> float:
    """The share of trigrams that one of these languages has, of the longer words with letters outside ASCII:
    of a text in it most, of rubbish few. 0 where most characters outside ASCII are in no such word."""
    factory = _profiles()
    words = "".join(character if character.isalpha() else " " for character in text).split()
    padded = [f" {word} " for word in words if not word.isascii() and len(word) > 2]
    grams = [word[at : at + 3] for word in padded for at in range(len(word) - 2)]
    if 2 * len(grams) <= sum(character > "\x7f" for character in text):
        return 0.0
    rows = [factory.word_lang_prob_map.get(gram) for gram in grams]
    columns = [factory.langlist.index(name) for name in languages]
    counts = (sum(row is not None and row[column] > 0 for row in rows) for column in columns)
    return max(counts, default=0) / max(1, len(rows))


def _trial(draw: Callable[[], _Row], weight: float, languages: int) -> list[float]:
    """Probabilities after as many draws as it takes."""
    chances = [1.0 / languages * (weight + one) for one in draw()]
    for _ in range(0, Detector.ITERATION_LIMIT, _DRAWS):
        whole = sum(chances)
        chances = [chance / whole for chance in chances]
        if max(chances) > Detector.CONV_THRESHOLD:
            return chances
        drawn = zip(chances, draw(), draw(), draw(), draw(), draw(), strict=True)
        # From left to right, as by five passes.
        chances = [
            p * (weight + a) * (weight + b) * (weight + c) * (weight + d) * (weight + e)
            for p, a, b, c, d, e in drawn
        ]
    whole = sum(chances)
    return [chance / whole for chance in chances]


def _drawing(random: Random, rows: Sequence[_Row]) -> Callable[[], _Row]:
    """`random.choice(rows)` for many draws."""
    count, bits = len(rows), len(rows).bit_length()
    number_of = random.getrandbits

    def draw() -> _Row:
        number = number_of(bits)
        while number >= count:
            number = number_of(bits)
        return rows[number]

    return draw


def _rows(text: str) -> list[_Row]:
    """The rows of the text's n-grams, in its order."""
    words = "".join(map(_normal, text)).split(" ")
    last = words.pop()
    rows: list[_Row] = []
    for word in words:
        if word:
            rows += _rows_of_word(word, True)
    return rows + list(_rows_of_word(last, False))


@lru_cache(8192)
def _rows_of_word(word: str, ended: bool) -> tuple[_Row, ...]:
    """Those of the n-grams that end in this word, or in the blank after it."""
    known = _profiles().word_lang_prob_map
    padded = f" {word} "
    rows: list[_Row] = []
    capitals = False
    for end in range(2, len(padded) + ended):
        capitals = padded[end - 1].isupper() and (capitals or padded[end - 2].isupper())
        if not capitals:
            # A word in capitals is an abbreviation, or shouted.
            grams = (padded[start:end] for start in range(end - 1, max(end - 1 - NGram.N_GRAM, -1), -1))
            rows += (known[gram] for gram in grams if gram != " " and gram in known)
    return tuple(rows)


@lru_cache(8192)
def _normal(character: str) -> str:
    """The character that stands for this one and those like it."""
    normal: str = NGram.normalize(character)
    return normal


@cache
def _profiles() -> DetectorFactory:
    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    return factory
