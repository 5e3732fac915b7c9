"""A converted model, computed by OpenVINO on the processor: small batches, each on one of its streams.

A stream computes one batch at a time on threads of its own. As many batches as there are streams are under
way, over all threads of the process; a question is queued behind these, so that it waits for one small batch
at most.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from index.cores import cores
from index.embed.batching import batches
from index.embed.tokenizer import Encoder, Tokens

if TYPE_CHECKING:
    import numpy as np

    from index.embed.conversion import Conversion

log = logging.getLogger("freshkb.embed")

#: Tokens of a batch, padding included. Twice as many compute hardly faster, and a question waits twice as
#: long.
BATCH_TOKENS = 1536

_CPUINFO = Path("/proc/cpuinfo")
#: How the names of instructions for vectors and matrices begin, on x86 and ARM.
_VECTORS = ("avx", "amx", "asimd", "bf16", "sve")

#: A stream has memory of its own; with more cores each has several threads.
STREAMS_MAX = 8


def library() -> Any:
    """The module `openvino`, without its telemetry: it reports each import and each conversion to its makers
    when it finds the package that does so."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def processor() -> tuple[str, list[str], list[str]]:
    """The processor's name, the formats that OpenVINO computes in on it, and its instructions for vectors and
    matrices, as far as Linux tells: virtual machines may show different ones under one name."""
    core = library().Core()
    formats = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return core.get_property("CPU", "FULL_DEVICE_NAME"), sorted(formats), _instructions()


def _instructions() -> list[str]:
    try:
        with _CPUINFO.open(encoding="utf-8") as file:
            # Of the first core; there may be hundreds.
            told = file.read(8192)
    except OSError:
        return []
    flags = re.search(r"^(?:flags|Features)\s*: (.*)$", told, re.MULTILINE)
    return sorted(flag for flag in (flags[1].split() if flags else ()) if flag.startswith(_VECTORS))


def computes_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16; they may be slow."""
    return "BF16" in processor()[1]


def streams() -> int:
    return min(cores(), STREAMS_MAX)


def prepare(folder: Path, precision: str) -> None:
    """Compile the model of this folder for this processor at a precision of OpenVINO, and keep the result
    beside it: loading that takes half of the time. It holds no weights."""
    compiled = library().Core().compile_model(folder / "model.xml", "CPU", _settings(precision))
    (folder / f"{precision}.blob").write_bytes(compiled.export_model().getvalue())


def _settings(precision: str) -> dict[str, str]:
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": str(streams()),
        # Threads that are bound to a core wait for it while another core is idle.
        "ENABLE_CPU_PINNING": "NO",
        # Without weights.
        "CACHE_MODE": "OPTIMIZE_SIZE",
    }


def _compiled(folder: Path, precision: str) -> Any:
    core, settings = library().Core(), _settings(precision)
    try:
        prepared = (folder / f"{precision}.blob").read_bytes()
        weights = {"WEIGHTS_PATH": str(folder / "model.bin")}
        return core.import_model(prepared, "CPU", settings | weights)
    except Exception as error:
        # Whatever OpenVINO raises for one that it does not take.
        log.debug("Compiled anew, because %s.", error)
        return core.compile_model(folder / "model.xml", "CPU", settings)


class OpenVinoModel:
    """A converted model at one precision, ready to compute. Threads may share it."""

    def __init__(self, conversion: Conversion, dtype: str) -> None:
        """Raises whatever OpenVINO raises when the files cannot be used."""
        self._conversion = conversion
        self._encoder = Encoder(conversion.folder / "tokenizer.json", conversion.max_tokens)
        compiled = _compiled(conversion.folder, conversion.computes[dtype])
        self._streams = int(compiled.get_property("NUM_STREAMS"))
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._streams):
            self._requests.put(compiled.create_infer_request())
        self._question = compiled.create_infer_request()
        self._asking = threading.Lock()

    def documents(self, texts: Sequence[str]) -> Generator[tuple[list[int], np.ndarray]]:
        """Batches of indices and their vectors, not normalised. Close it when it is left early."""
        texts = [self._conversion.document_prompt + text for text in texts]
        tokens = self._encoder.encode(texts)
        lengths = [len(one.ids) for one in tokens]
        under_way: deque[tuple[Any, list[int]]] = deque()
        try:
            for batch in batches(lengths, BATCH_TOKENS):
                inputs = self._inputs([tokens[index] for index in batch])
                request, done = self._free(under_way)
                under_way.append((request, batch))
                request.start_async(inputs)
                if done is not None:
                    yield done
            while under_way:
                request, done = self._free(under_way, wait=True)
                self._requests.put(request)
                assert done is not None
                yield done
        finally:
            for request, _ in under_way:
                with contextlib.suppress(RuntimeError):
                    request.wait()
                self._requests.put(request)

    def query(self, text: str) -> np.ndarray:
        """The vector of a question, not normalised."""
        vector: np.ndarray = self._alone([self._conversion.query_prompt + text])[0]
        return vector

    def together(self, texts: Sequence[str]) -> np.ndarray:
        """The vectors of documents that are computed as one batch, whatever their lengths."""
        return self._alone([self._conversion.document_prompt + text for text in texts])

    def token_ids(self, text: str) -> list[int]:
        """The token ids of a text with its prompt."""
        ids: list[int] = self._encoder.encode([text])[0].ids.tolist()
        return ids

    def _alone(self, texts: Sequence[str]) -> np.ndarray:
        inputs = self._inputs(self._encoder.encode(texts))
        with self._asking:
            self._question.start_async(inputs)
            return _vectors(self._question, self._conversion.dimension)

    def _inputs(self, batch: Sequence[Tokens]) -> list[np.ndarray]:
        arrays = self._encoder.padded(batch)
        return [arrays[name] for name in self._conversion.inputs]

    def _free(
        self, under_way: deque[tuple[Any, list[int]]], *, wait: bool = False
    ) -> tuple[Any, tuple[list[int], np.ndarray] | None]:
        """A request that computes nothing, and the batch that it has computed, if that was one of these."""
        if not wait:
            with contextlib.suppress(Empty):
                return self._requests.get_nowait(), None
            if not under_way:
                # Other threads compute, and give theirs back.
                return self._requests.get(), None
        request, batch = under_way[0]
        vectors = _vectors(request, self._conversion.dimension)
        under_way.popleft()
        return request, (batch, vectors)


def _vectors(request: Any, dimension: int) -> np.ndarray:
    request.wait()
    # A copy: the request computes the next batch into the same memory.
    vectors: np.ndarray = request.get_output_tensor(0).data[:, :dimension].astype("float32", copy=True)
    return vectors
