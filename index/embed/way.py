"""The way to compute a model on this machine: by torch on a GPU, by OpenVINO on a processor.

Vectors of either way are the same within the precision, so an index does not depend on it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from index import idle
from index.cores import cores
from index.embed import conversion, openvino_model, torch_model
from index.embed.conversion import Conversion, Unavailable
from index.embed.identity import ModelIdentity

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger("freshkb.embed")


class Model(Protocol):
    """A loaded model. Threads may share it."""

    def documents(self, texts: Sequence[str]) -> Generator[tuple[list[int], np.ndarray]]:
        """Batches of indices and their vectors, not normalised. Close it when it is left early."""

    def query(self, text: str) -> np.ndarray:
        """The vector of a question, not normalised."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is computed here: by OpenVINO from its conversion, or by torch for a reason."""

    identity: ModelIdentity
    conversion: Conversion | None
    reason: str = ""
    device: str | None = None
    """The GPU."""

    @property
    def precision(self) -> str:
        """The precision that `auto` means. Loads the model by torch when nothing has recorded it."""
        if self.conversion is not None:
            return self.conversion.precision
        return torch_model.best_precision(self.identity)

    def describe(self, dtype: str) -> str:
        """One line: by which library, at which precision, on how many streams, and why."""
        if self.conversion is None or self.conversion.refused:
            return f"by torch (precision {dtype}), because {self.reason}"
        computed = self.conversion.computes[dtype]
        mean, least = self.conversion.likeness[computed]
        streams, usable = openvino_model.streams(), cores()
        return (
            f"by OpenVINO on the processor, {_precision(self.conversion, computed)}, "
            f"{_counted(streams, 'stream')} on {_counted(usable, 'core')}; "
            f"cosine to torch {mean:.5f}, at least {least:.5f}"
        )


def choose(identity: ModelIdentity) -> Way:
    """The way on this machine; the model is converted first, where that is missing."""
    return _way(identity, conversion.ensure)


def describe(identity: ModelIdentity, dtype: str) -> str:
    """The way on this machine in words; `dtype` may be "auto". Neither loads nor converts a model."""
    try:
        found = _way(identity, conversion.find)
    except LookupError:
        if (why := conversion.obstacle()) is not None:
            return f"by torch, because {why}"
        return "by OpenVINO once it is converted, which takes some seconds when a model is needed first"
    if dtype == "auto":
        dtype = found.conversion.precision if found.conversion else dtype
    return found.describe(dtype)


def load(identity: ModelIdentity, dtype: str) -> Model:
    """The model, ready to compute. Raises EmbedderError when it cannot be loaded, ModelChanged when its
    folder holds another one by now."""
    begun = time.perf_counter()
    for _ in range(2):
        way = choose(identity)
        if way.conversion is None or way.conversion.refused:
            break
        try:
            model = openvino_model.OpenVinoModel(way.conversion, dtype)
        except Exception as error:
            # Whatever OpenVINO raises for files that it cannot use. They are made anew, once.
            log.warning("The converted model in %s cannot be loaded (%s).", way.conversion.folder, error)
            conversion.discard(way.conversion)
            continue
        log.debug("Model loaded in %.2f s: %s.", time.perf_counter() - begun, way.describe(dtype))
        return model
    if way.conversion is None and way.device is None:
        log.warning("The model %s is computed by torch: %s.", identity.model, way.reason)
    return torch_model.TorchModel(identity, dtype)


def give_back() -> None:
    """Give the memory of models that nothing holds any more back to the machine, and the GPU's to others."""
    idle.give_back()
    torch_model.give_back()


def _way(identity: ModelIdentity, conversion_of: Callable[[ModelIdentity], Conversion | None]) -> Way:
    """Raises LookupError when the model is not converted."""
    if (device := torch_model.gpu()) is not None:
        return Way(identity, None, f"there is a GPU ({device})", device)
    try:
        found = conversion_of(identity)
    except Unavailable as error:
        return Way(identity, None, str(error))
    if found is None:
        raise LookupError(identity.model)
    return Way(identity, found, found.refused and f"OpenVINO cannot compute the model: {found.refused}")


def _precision(found: Conversion, computed: str) -> str:
    """That of OpenVINO, and why."""
    if "bf16" not in found.seconds:
        return "in float32, because the processor or the model is not fit for bfloat16"
    times = found.seconds["f32"] / found.seconds["bf16"]
    if computed == "bf16":
        return f"in bfloat16, {times:.1f} times as fast here as float32"
    if found.precision == "bfloat16":
        return f"in float32 as the index says; bfloat16 is {times:.1f} times as fast here"
    return f"in float32, {1 / times:.1f} times as fast here as bfloat16"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
