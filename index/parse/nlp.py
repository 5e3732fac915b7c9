"""The English pipeline behind unstructured's text classifier, without its download.

unstructured asks spaCy for the model ``en_core_web_sm`` and, where it is missing, fetches it from the network
and installs it into the running environment. Neither may happen in the middle of a sync. So the model is used
where it is installed, and elsewhere a stand-in gives the classifier words, sentences, and whether a text has
a verb.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MODEL = "en_core_web_sm"

#: Raised when the stand-in's rules change.
STAND_IN = "stand-in 1"

#: Common verbs of manuals and policies that no ending gives away.
_VERB_LIST = """
    am are be been being can could did do does done get gets go goes got had has have is let may might must
    need needs shall should was were will would add allow apply ask become begin bring build buy call change
    check choose click come contain create delete describe enter find follow give help hold include install
    keep know learn leave like live look make mean meet open pay provide put read remove require run save say
    see select send set show speak start stay stop submit take tell think try turn update use want work write
    became began brought built came chose found gave held kept knew left made meant met paid said saw sent
    shown spoke stood taken thought told took understood went written wrote
"""
_VERBS = frozenset(_VERB_LIST.split())
_ENDING = re.compile(r"[a-z]{2,}(?:ed|ing|ifies|izes|ises)$")


def in_use() -> str:
    """The model and its version, or the stand-in. Imports nothing."""
    if find_spec(MODEL) is None:
        return STAND_IN
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{MODEL} {version(MODEL)}"
    except PackageNotFoundError:
        return MODEL


def keep_torch_out() -> None:
    """Have no library import torch from here on. Called in the child, before it imports a reader.

    thinc, below spaCy, imports it for layers that the pipeline has none of. It takes longer, and holds more
    memory, than all else that a child imports.
    """
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]


def install() -> None:
    """Give unstructured its pipeline. Called in the child, before anything is classified."""
    from unstructured.nlp import tokenize

    tokenize._get_nlp = _pipeline


@cache
def _pipeline() -> Language:
    import spacy
    from spacy.language import Language

    if find_spec(MODEL) is not None:
        return spacy.load(MODEL, exclude=["ner", "lemmatizer", "attribute_ruler"])
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    Language.component("freshkb_verbs", func=_tag_verbs)
    pipeline.add_pipe("freshkb_verbs")
    return pipeline


def _tag_verbs(doc: Doc) -> Doc:
    for token in doc:
        word = token.lower_
        if word in _VERBS or _ENDING.match(word) or word in ("'s", "'re", "'ll", "n't"):
            token.tag_ = "VB"
    return doc
