"""A model computed by torch: where there is a GPU, and where it cannot be converted for OpenVINO.

The one place of sentence-transformers and torch.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.embed.batching import batches
from index.embed.identity import ModelIdentity
from index.embed.probes import PASSAGES, seconds
from index.embed.tokenizer import Tokenizer
from index.errors import EmbedderError

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer

log = logging.getLogger("freshkb.embed")

#: Tokens of one batch, padding included. Measured on two cores: smaller ones starve them, larger ones spill
#: their caches. A GPU wants many more.
BATCH_TOKENS = 6144
BATCH_TOKENS_GPU = 65536

#: Mean cosine to float32 that bfloat16 has to reach to be chosen.
FAITHFUL_SHORT = 0.999

#: Ways to compute attention, best first. The first masks with infinity, by which OpenVINO makes NaNs of rows
#: that are masked as a whole; the second with large numbers.
ATTENTIONS = ("sdpa", "eager")

#: Files of which one is there when the kernel drives a GPU of NVIDIA (also below WSL) or AMD.
_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")


def gpu() -> str | None:
    """The kind of the GPU that torch computes on here, or None. Imports torch only where there may be one."""
    if not _may_have_gpu():
        return None
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    return found.type if found is not None else None


def _may_have_gpu() -> bool:
    build = importlib.metadata.version("torch").partition("+")[2]
    if build in ("cpu", "xpu"):
        return build == "xpu"
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and any(Path(device).exists() for device in _DEVICES)


def best_precision(identity: ModelIdentity, device: str | None = None) -> str:
    """bfloat16 where torch's device computes in it, faster when it is a processor, and the model keeps its
    meaning; else float32."""
    prepare_environment()
    if not _has_bfloat16(device):
        return "float32"
    from sentence_transformers.util import pairwise_cos_sim

    def tried(dtype: str) -> tuple[np.ndarray, float]:
        model = TorchModel(identity, dtype, device)
        # A GPU has nothing to do for so few passages.
        taken = seconds(model) if model.model.device.type == "cpu" else 0.0
        return model.together(PASSAGES[1:9]), taken

    (exact, usual), (short, faster) = tried("float32"), tried("bfloat16")
    faithful = float(pairwise_cos_sim(exact, short).mean()) >= FAITHFUL_SHORT
    return "bfloat16" if faithful and faster <= usual else "float32"


def _has_bfloat16(device: str | None) -> bool:
    """Whether the device computes in bfloat16 itself."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities()
    return any(features.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


class TorchModel:
    """A loaded model at one precision. Threads may share it; they wait for each other."""

    def __init__(self, identity: ModelIdentity, dtype: str, device: str | None = None) -> None:
        """On the GPU, where there is one, unless `device` names another. Raises EmbedderError when it cannot
        be loaded, ModelChanged when the folder holds another model by now."""
        prepare_environment()
        begun = time.perf_counter()
        try:
            import torch
            from sentence_transformers import SentenceTransformer

            # Without a precision the weights would stay in the one they were published in.
            precision = {"dtype": getattr(torch, dtype)}
            model = SentenceTransformer(
                str(identity.folder), local_files_only=True, model_kwargs=precision, device=device
            )
            model.max_seq_length = min(model.max_seq_length or identity.max_tokens, identity.max_tokens)
        except Exception as error:
            raise EmbedderError(
                f"The model {identity.model!r} in {identity.folder} cannot be loaded "
                f"({type(error).__name__}: {error})."
            ) from error
        # What was read is what is there: one that was put there before or meanwhile is another.
        identity.require_unchanged()
        log.debug("Model loaded by torch in %.1f s: %s.", time.perf_counter() - begun, dtype)
        size = model.get_embedding_dimension()
        if size != identity.dimension:
            raise EmbedderError(
                f"The model {identity.model!r} makes vectors of {size} dimensions, and its files say "
                f"{identity.dimension}."
            )
        self.model = model
        self._identity = identity
        self._lock = threading.Lock()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return self._identity.tokenizer()

    def documents(self, texts: Sequence[str]) -> Generator[tuple[list[int], np.ndarray]]:
        """Batches of indices and their vectors, not normalised."""
        special, longest = self._tokenizer.special, self._identity.max_tokens
        lengths = [min(length + special, longest) for length in self._tokenizer.count(texts)]
        budget = BATCH_TOKENS if self.model.device.type == "cpu" else BATCH_TOKENS_GPU
        for batch in batches(lengths, budget):
            yield batch, self.together([texts[index] for index in batch])

    def together(self, texts: Sequence[str]) -> np.ndarray:
        """The vectors of documents that are computed as one batch."""
        return self._encode(self.model.encode_document, texts)

    def query(self, text: str) -> np.ndarray:
        """The vector of a question, not normalised."""
        vector: np.ndarray = self._encode(self.model.encode_query, [text])[0]
        return vector

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str]) -> np.ndarray:
        # A question need not wait for more than the batch in hand.
        with self._lock:
            found = encode(
                list(texts), batch_size=len(texts), show_progress_bar=False, convert_to_tensor=True
            )
        # As float32 before they are normalised: in a shorter format the length would be rounded too.
        vectors: np.ndarray = found.float().cpu().numpy()
        return vectors


def give_back() -> None:
    """Give the GPU's memory that no model holds any more back."""
    if "torch" in sys.modules:
        import torch

        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()


def prepare_environment() -> None:
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


def prompt(model: SentenceTransformer, names: Sequence[str]) -> str:
    """What sentence-transformers puts before a text: the first of these prompts that the model has, else its
    default one."""
    for name in (*names, model.default_prompt_name):
        if name in model.prompts:
            return str(model.prompts[name] or "")
    return ""


def tensors(model: SentenceTransformer) -> list[str]:
    """Names of the tensors that this model takes, in its order."""
    import torch

    return [
        name
        for name, value in model.preprocess(list(PASSAGES[1:3])).items()
        if isinstance(value, torch.Tensor)
    ]


def set_attention(model: SentenceTransformer, implementation: str) -> None:
    """Let the model's attention be computed in this way, where it has a choice."""
    for module in model.modules():
        choose = getattr(module, "set_attn_implementation", None)
        if callable(choose):
            choose(implementation)
            return


def traced(model: SentenceTransformer, inputs: Sequence[str]) -> tuple[Any, tuple[Any, ...]]:
    """A module from these tensors to the vectors of texts, and an example of its inputs."""
    import torch

    # Two of different lengths, so that one has padding.
    features = model.preprocess(list(PASSAGES[1:3]))
    constant = {name: value for name, value in features.items() if name not in inputs}

    class Pipeline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *given: Any) -> Any:
            return self.model({**dict(zip(inputs, given, strict=True)), **constant})["sentence_embedding"]

    return Pipeline().eval(), tuple(features[name] for name in inputs)
