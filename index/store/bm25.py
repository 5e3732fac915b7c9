"""Sparse vectors from text, by the engine's own BM25: no model, no network.

Words are split at everything that is neither letter nor digit, lowercased, freed of accents, and reduced by
the English stemmer after its stop words are gone. Text in another language loses little by that: its words
are compared as they are written. Text without spaces between words (Chinese, Japanese, Thai) becomes one
token a phrase, and is found through its dense vector. The engine's tokenizer for those drops every number,
and with them error codes, versions and dates, which is what people search by exact words.

A document's weights are term frequencies; the engine multiplies a query by the inverse document frequencies
of the collection, so that a vector never depends on other documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from qdrant_edge import Bm25, Bm25Config

from index.model import Sparse

#: Names everything that a sparse vector depends on; part of the on-disk format.
FINGERPRINT = "bm25:1:word:english:lowercase:fold:k=1.2:b=0.75:avg_len=256"


@cache
def _model() -> Bm25:
    return Bm25(
        Bm25Config(k=1.2, b=0.75, avg_len=256.0, language="english", lowercase=True, ascii_folding=True)
    )


def document(texts: Sequence[str]) -> list[Sparse]:
    """A vector for each text as it is indexed; empty for a text without words."""
    model = _model()
    return [_sparse(model.embed_document(text)) for text in texts]


def query(text: str) -> Sparse:
    """The vector of a question: every distinct word once."""
    return _sparse(_model().embed_query(text))


def _sparse(vector: object) -> Sparse:
    return Sparse(vector.indices, vector.values)  # type: ignore[attr-defined]
