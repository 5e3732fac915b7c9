"""Sparse vectors from text, by the engine's own BM25: no model, no network.

Words are split at everything that is neither letter nor digit, lowercased, freed of accents, and reduced by
the English stemmer after its stop words are gone. Text in another language loses little by that: its words
are compared as they are written. Text without spaces between words (Chinese, Japanese, Thai) becomes one
token a phrase, and is found through its dense vector. The engine's tokenizer for those drops every number,
and with them error codes, versions and dates, which people search for by exact words.

A document's weights are term frequencies; the engine multiplies a query by the inverse document frequencies
of the collection, so that a vector never depends on other documents.

A question is also freed of the words that only make it a question ("how much … do I get"): documents are
seldom written in them, so that they would count as rare words, and rare words decide a ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from qdrant_edge import Bm25, Bm25Config, Language, StopwordsSet

from index.errors import ModelChanged
from index.model import Sparse, digest

_PARAMETERS: dict[str, Any] = {
    "k": 1.2,
    "b": 0.75,
    "avg_len": 256.0,
    "language": "english",
    "lowercase": True,
    "ascii_folding": True,
}

#: Words of every kind that an encoder may treat its own way: stems, stop words, compounds, possessives, case,
#: accents, ligatures, numbers, versions, codes, identifiers, other scripts, and one that is repeated.
_PROBE = (
    "The quick-brown foxes' API_KEY v2.3 answered HTTP 404; Größe, café, 日本語 and straße. ﬁles don't: "
    "re-read policies, policy, running, generously 2026-01-31 1,000.50 мир العربية e-mail user@example.org "
    "🎉 x86_64 leave leave leave"
)

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
            **_PARAMETERS,
            stopwords=StopwordsSet(
                languages={Language.English}, custom=set(_QUESTION_WORDS.split()) if question else set()
            ),
        )
    )


@cache
def fingerprint() -> str:
    """Fingerprint of the encoder of documents, by its parameters and its vectors of a probe; recorded with
    each collection. Another release of the engine that encodes alike keeps it. Words of questions are no part
    of it: they are in no stored vector."""
    (vector,) = document([_PROBE])
    weights = sorted(zip(vector.indices, (round(value, 3) for value in vector.values), strict=True))
    return f"bm25:{digest([_PARAMETERS, weights])}"


def require(recorded: str) -> None:
    """Raises ModelChanged unless sparse vectors recorded with this fingerprint and those made now compare. ""
    stands for a collection from before fingerprints were recorded, all of one encoder."""
    if recorded not in ("", fingerprint()):
        raise ModelChanged(
            "The sparse vectors of the index were made by another encoder of words "
            f"({recorded[:13]}; this freshkb's is {fingerprint()[:13]}), and vectors of two encoders never "
            "share an index. Build it anew with: freshkb reindex (until then, search with: --mode dense)"
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
