"""The language of a document that does not name it, guessed from its first prose."""

from __future__ import annotations

from collections.abc import Iterable

from langdetect import DetectorFactory, detect_langs
from langdetect.lang_detect_exception import LangDetectException

from index.model import Element

#: Characters: fewer give guesses that change with every edit, more cost time and change nothing.
SAMPLE_MIN, SAMPLE_MAX = 80, 800
PROBABILITY_MIN = 0.95

#: Kinds whose words are mostly names and keywords.
_NO_PROSE = frozenset({"CodeSnippet", "Table"})

# The detector draws random numbers; with a seed the same text has the same language every time.
DetectorFactory.seed = 0


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
    try:
        best = detect_langs(sample[:SAMPLE_MAX])[0]
    except LangDetectException:
        return None
    return str(best.lang) if best.prob >= PROBABILITY_MIN else None
