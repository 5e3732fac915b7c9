"""Sparse vectors from text, by the engine's own BM25: no model, no network.

Words are split at everything that is neither letter nor digit, lowercased, freed of accents, and reduced by
the English stemmer after its stop words are gone. Text in another language loses little by that: its words
are compared as they are written. Text without spaces between words (Chinese, Japanese, Thai) becomes one
token a phrase, and is found through its dense vector. The engine's tokenizer for those drops every number,
and with them error codes, versions and dates, which is what people search by exact words.

A document's weights are term frequencies; the engine multiplies a query by the inverse document frequencies
of the collection, so that a vector never depends on other documents.

A question is also freed of the words that only make it a question ("how much … do I get"): documents are
seldom written in them, so that they would count as rare words, and rare words decide a ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from qdrant_edge import Bm25, Bm25Config, Language, StopwordsSet

from index.model import Sparse

#: Names everything that a sparse vector depends on; part of the on-disk format.
FINGERPRINT = "bm25:1:word:english:lowercase:fold:k=1.2:b=0.75:avg_len=256"


#: Words of questions beside the engine's own stop words, as the engine compares them: lowercased, freed of
#: accents, before stemming. None of them has another meaning that documents are looked for by, as *may* has
#: in English, and as *die* and *war* have between the languages.
_QUESTION_WORDS = (
    "much many get gets getting got could would must might shall "
    "wie wieviel wieviele viel viele wer wen wem wessen wann wo wohin woher warum wieso weshalb "
    "welche welcher welches welchen welchem ich wir mich uns mein meine meinen meinem meiner "
    "unser unsere unseren unserem kann kannst konnen darf durfen muss mussen soll sollen sollte "
    "bekomme bekommt bekommen gibt habe haben ist sind wird werden"
)


@cache
def _model(*, question: bool = False) -> Bm25:
    return Bm25(
        Bm25Config(
            k=1.2,
            b=0.75,
            avg_len=256.0,
            language="english",
            lowercase=True,
            ascii_folding=True,
            stopwords=StopwordsSet(
                languages={Language.English}, custom=set(_QUESTION_WORDS.split()) if question else set()
            ),
        )
    )


def document(texts: Sequence[str]) -> list[Sparse]:
    """A vector for each text as it is indexed; empty for a text without words."""
    model = _model()
    return [_sparse(model.embed_document(text)) for text in texts]


def query(text: str) -> Sparse:
    """The vector of a question: every distinct word once; words of questions where there are no others."""
    asked = _sparse(_model(question=True).embed_query(text))
    return asked if asked.indices else _sparse(_model().embed_query(text))


def _sparse(vector: object) -> Sparse:
    return Sparse(vector.indices, vector.values)  # type: ignore[attr-defined]
