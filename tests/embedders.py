"""A deterministic embedder: texts that share words are near each other, and no model is loaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from index.embed.embedder import ModelIdentity, fingerprint


class HashEmbedder:
    """Adds up a random direction for each word. The same text always gives the same bits."""

    def __init__(self, identity: ModelIdentity, dtype: str, release_after: float | None = None) -> None:
        self.fingerprint = fingerprint(identity, dtype)
        self.dimension = identity.dimension
        self.embedded: list[str] = []

    def warm(self) -> None: ...

    def embed_documents(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        self.embedded += texts
        if on_progress is not None:
            on_progress(len(texts))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[:] = self._vector(text)
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self._vector(text).astype(np.float32).tolist()
        return vector

    def _vector(self, text: str) -> np.ndarray:
        total = np.zeros(self.dimension)
        for word in re.findall(r"\w+", text.lower()) or [text]:
            total += _direction(word, self.dimension)
        return total / np.linalg.norm(total)


@lru_cache(maxsize=4096)
def _direction(word: str, dimension: int) -> np.ndarray:
    seed = hashlib.shake_256(word.encode("utf-8", "surrogatepass")).digest(dimension)
    return np.frombuffer(seed, dtype=np.uint8).astype(float) - 127.5
