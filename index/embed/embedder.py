"""From text to dense vectors: the one door to models, whatever computes them.

The model is loaded at the first text.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from index.embed.identity import ModelIdentity, identify
from index.embed.tokenizer import Tokenizer, well_formed
from index.errors import EmbedderError
from index.idle import Idle
from index.model import digest

if TYPE_CHECKING:
    import numpy as np

    from index.embed.way import Model

__all__ = ["Embedder", "ModelIdentity", "Tokenizer", "fingerprint", "identify", "resolve_dtype"]

log = logging.getLogger("freshkb.embed")

#: Counts the changes in how a prefix is put before a chunk's text.
PREFIX_VERSION = 1

#: Precisions that a model may compute in.
PRECISIONS = ("float32", "bfloat16")


def fingerprint(identity: ModelIdentity, dtype: str) -> str:
    """Embedding fingerprint: vectors of different fingerprints are never compared."""
    return digest([identity.model, identity.revision, dtype, PREFIX_VERSION, "normalised"])


def resolve_dtype(setting: str, identity: ModelIdentity) -> str:
    """The precision of a new collection: float32, or with "auto" bfloat16 where that is faster and the model
    keeps its meaning. Raises EmbedderError when the model cannot be loaded."""
    if setting != "auto":
        return setting
    from index.embed import way

    return way.choose(identity).precision


class Embedder:
    """A model at one precision. Threads may share it: a question waits for one small batch at most."""

    def __init__(self, identity: ModelIdentity, dtype: str, release_after: float | None = None) -> None:
        """The model is let go once it was unused for `release_after` seconds, and loaded again for the next
        text; None: never."""
        self.identity = identity
        self.dtype = dtype
        self.fingerprint = fingerprint(identity, dtype)
        self.dimension = identity.dimension
        self.max_tokens = identity.max_tokens
        self._loading = threading.Lock()
        """Held to read or change the rest."""
        self._loaded: Model | None = None
        self._users = 0
        self._idle = Idle(release_after, self.release)

    def warm(self) -> None:
        """Load the model, so that the first text does not wait."""
        with self._in_use():
            pass

    def release(self) -> None:
        """Let the model go, unless it computes; the next text loads it again."""
        with self._loading:
            if self._users or self._loaded is None:
                return
            self._loaded = None
        from index.embed import way

        way.give_back()
        log.debug("Model released: %s.", self.identity.model)

    def embed_documents(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Normalised float32 vectors, (len(texts), dimension), in the order of the texts. `on_progress` is
        called after each batch with its number of texts. Raises EmbedderError when the model fails."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        # The blank lines that end an empty prefix and the text have no meaning.
        asked = [well_formed(text.strip()) for text in texts]
        with self._in_use() as model, closing(model.documents(asked)) as batches:
            while True:
                with self._failures():
                    done = next(batches, None)
                if done is None:
                    return vectors
                batch, found = done
                vectors[batch] = _normalised(found)
                if on_progress is not None:
                    on_progress(len(batch))

    def embed_query(self, text: str) -> list[float]:
        """The normalised vector of a question, with the model's query prompt where it has one."""
        with self._in_use() as model, self._failures():
            found = model.query(well_formed(text.strip()))
        vector: list[float] = _normalised(found[None])[0].tolist()
        return vector

    @contextmanager
    def _in_use(self) -> Iterator[Model]:
        with self._loading:
            self._users += 1
        try:
            yield self._model()
        finally:
            with self._loading:
                self._users -= 1
            self._idle.touch()

    def _model(self) -> Model:
        with self._loading:
            if self._loaded is None:
                from index.embed import way

                self._loaded = way.load(self.identity, self.dtype)
            return self._loaded

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Raises EmbedderError instead of what the libraries raise."""
        try:
            yield
        except Exception as error:
            # Out of memory, a lost device, a kernel that cannot be compiled: they have no common class.
            why = " ".join(str(error).split())[:500]
            raise EmbedderError(
                f"The model {self.identity.model!r} failed ({type(error).__name__}: {why}). What was done "
                "before is whole. Free memory, or choose a smaller model, and run the command again."
            ) from error


def _normalised(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # A vector of zeros stays what it is.
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return unit
