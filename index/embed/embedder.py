"""From text to dense vectors: the one place of sentence-transformers.

Texts are sorted by length across documents and packed into batches by tokens, padding counted, so that no
batch is mostly padding and none is too large for the processor's caches. The model is loaded at the first
text.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from index.embed.identity import ModelIdentity, identify
from index.embed.tokenizer import Tokenizer, well_formed
from index.errors import EmbedderError
from index.model import digest

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

__all__ = ["Embedder", "ModelIdentity", "Tokenizer", "fingerprint", "identify", "resolve_dtype"]

log = logging.getLogger("freshkb.embed")

#: Counts the changes in how a prefix is put before a chunk's text.
PREFIX_VERSION = 1

#: Tokens of one batch, padding included. Measured on two cores: smaller ones starve them, larger ones spill
#: their caches. A GPU wants many more.
BATCH_TOKENS = 6144
BATCH_TOKENS_GPU = 65536

#: Mean cosine to fp32 that a shorter format has to reach to be used.
FAITHFUL = 0.999

_PROBES = (
    "Employees accrue four hours of annual leave in each pay period.",
    "How do I reset the password of my laptop?",
    "Invoice 2024-117: three boxes of printer paper, payable within 30 days.",
    "def sync(source): return plan(source).apply()",
    "Die Rückgabe ist innerhalb von vierzehn Tagen kostenlos.",
    "The pump must be switched off before the filter is changed, and vented afterwards.",
)


#: Precisions that a model may compute in.
PRECISIONS = ("float32", "bfloat16")


def fingerprint(identity: ModelIdentity, dtype: str) -> str:
    """Embedding fingerprint: vectors of different fingerprints are never compared."""
    return digest([identity.model, identity.revision, dtype, PREFIX_VERSION, "normalised"])


def resolve_dtype(setting: str, identity: ModelIdentity) -> str:
    """The precision of a new collection: float32, or with "auto" bfloat16 where the processor computes in it
    and the model keeps its meaning. Loads the model only where the choice is open."""
    if setting != "auto":
        return setting
    _prepare_environment()
    if not _has_bfloat16():
        return "float32"
    from sentence_transformers.util import pairwise_cos_sim

    exact = Embedder(identity, "float32").embed_documents(_PROBES)
    short = Embedder(identity, "bfloat16").embed_documents(_PROBES)
    return "bfloat16" if float(pairwise_cos_sim(exact, short).mean()) >= FAITHFUL else "float32"


def _has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 itself."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities()
    return any(features.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


class Embedder:
    """A model at one precision. Threads may share it; they wait for each other."""

    def __init__(self, identity: ModelIdentity, dtype: str) -> None:
        self.identity = identity
        self.dtype = dtype
        self.fingerprint = fingerprint(identity, dtype)
        self.dimension = identity.dimension
        self.max_tokens = identity.max_tokens
        self._lock = threading.Lock()

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return self.identity.tokenizer()

    @cached_property
    def _model(self) -> SentenceTransformer:
        """Raises EmbedderError when it cannot be loaded."""
        _prepare_environment()
        begun = time.perf_counter()
        try:
            import torch
            from sentence_transformers import SentenceTransformer

            # Without a precision the weights would stay in the one they were published in.
            precision = {"dtype": getattr(torch, self.dtype)}
            model = SentenceTransformer(
                str(self.identity.folder), local_files_only=True, model_kwargs=precision
            )
            model.max_seq_length = min(model.max_seq_length or self.max_tokens, self.max_tokens)
        except Exception as error:
            raise EmbedderError(
                f"The model {self.identity.model!r} in {self.identity.folder} cannot be loaded "
                f"({type(error).__name__}: {error})."
            ) from error
        log.debug("Model loaded in %.1f s: %s.", time.perf_counter() - begun, self.dtype)
        size = model.get_embedding_dimension()
        if size != self.dimension:
            raise EmbedderError(
                f"The model {self.identity.model!r} makes vectors of {size} dimensions, and its files say "
                f"{self.dimension}."
            )
        return model

    def warm(self) -> None:
        """Load the model and run it once, so that the first text does not wait."""
        self.embed_documents(_PROBES[:1])
        self.embed_query(_PROBES[1])

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
        texts = [well_formed(text.strip()) for text in texts]
        lengths = [min(n + self.tokenizer.special, self.max_tokens) for n in self.tokenizer.count(texts)]
        for batch in _batches(lengths, self._batch_tokens):
            # A question need not wait for more than the batch in hand.
            with self._lock:
                vectors[batch] = self._encode(self._model.encode_document, [texts[i] for i in batch])
            if on_progress is not None:
                on_progress(len(batch))
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The normalised vector of a question, with the model's query prompt where it has one."""
        with self._lock:
            vectors = self._encode(self._model.encode_query, [well_formed(text.strip())])
        vector: list[float] = vectors[0].tolist()
        return vector

    @cached_property
    def _batch_tokens(self) -> int:
        with self._lock:
            return BATCH_TOKENS if self._model.device.type == "cpu" else BATCH_TOKENS_GPU

    def _encode(self, encode: Callable[..., Any], texts: list[str]) -> np.ndarray:
        from sentence_transformers.util import normalize_embeddings

        try:
            found = encode(texts, batch_size=len(texts), show_progress_bar=False, convert_to_tensor=True)
            # Normalised after the step to fp32: in a shorter format, as `encode` itself would do it, the
            # length would be rounded too.
            vectors: np.ndarray = normalize_embeddings(found.float()).cpu().numpy()
        except Exception as error:
            # Out of memory, a lost device, a kernel that cannot be compiled: torch has no common class.
            why = " ".join(str(error).split())[:500]
            raise EmbedderError(
                f"The model {self.identity.model!r} failed ({type(error).__name__}: {why}). What was done "
                "before is whole. Free memory, or choose a smaller model, and run the command again."
            ) from error
        return vectors


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices in batches of at most `budget` tokens, padding included, or of one text; longest first, so that
    a batch too large for the memory fails at once."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _prepare_environment() -> None:
    """Before the libraries are imported: no progress bars, no advice on stderr, no telemetry. The hub is
    never asked, because models are loaded from folders only."""
    for name, value in (
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("TRANSFORMERS_VERBOSITY", "error"),
        ("TOKENIZERS_PARALLELISM", "true"),
    ):
        os.environ.setdefault(name, value)
    if "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        from huggingface_hub.utils.tqdm import disable_progress_bars

        # Not by the environment, which the library has read already when it searched the hub's cache.
        disable_progress_bars()
