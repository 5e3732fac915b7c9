"""The child that converts a model: loaded by torch, traced as a whole, compared with itself, timed.

What is traced is the whole pipeline of sentence-transformers, from token ids to the vector of a text, so that
transformer, pooling and dense layers are one graph. The result is used when its vectors are those of torch:
over all probes at least `FAITHFUL` in the mean, and `WORST` for every one. In bfloat16 it computes where that
is faster: processors have instructions for it that compute half as fast as those of float32.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.embed.conversion import FILES, NOT_LOADED, Conversion, keep
from index.embed.identity import DOCUMENT_PROMPTS, ModelIdentity
from index.embed.openvino_model import OpenVinoModel, computes_bfloat16, library, prepare
from index.embed.probes import PASSAGES, QUESTIONS, seconds
from index.embed.torch_model import (
    ATTENTIONS,
    TorchModel,
    best_precision,
    prompt,
    set_attention,
    tensors,
    traced,
)
from index.errors import EmbedderError

if TYPE_CHECKING:
    import numpy as np

#: Cosine to torch in float32: the mean over all probes, and the least of any.
FAITHFUL, WORST = 0.9995, 0.998

#: Probes that are computed as one batch: padding next to text, and one text alone.
_TOGETHER = ((0, 1, 11, 15), (14,), (2,), (20, 3))


class Refused(Exception):
    """The model cannot be computed by OpenVINO as torch computes it; says why."""


def main() -> None:
    """``convert IDENTITY FOLDER``: writes the conversion, or the record of why there is none, into the
    folder. Exits with `NOT_LOADED` when torch cannot load the model, and with 1 when the folder cannot be
    written."""
    os.umask(0o077)
    warnings.simplefilter("ignore")
    facts = json.loads(sys.argv[2])
    for name in ("folder", "tokenizer_folder"):
        facts[name] = Path(facts[name])
    identity, folder = ModelIdentity(**facts), Path(sys.argv[3])
    try:
        exact = TorchModel(identity, "float32", "cpu")
        try:
            convert(exact, identity, folder)
        except OSError:
            raise
        except Exception as error:
            # Whatever a model's own code, the tracer or the compiler raises.
            why = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
            for name in FILES:
                (folder / name).unlink(missing_ok=True)
            keep(folder, {"refused": _brief(why), "precision": best_precision(identity, "cpu")})
    except EmbedderError as error:
        sys.exit(_exit(error, NOT_LOADED))
    except OSError as error:
        sys.exit(_exit(error, 1))


def convert(exact: TorchModel, identity: ModelIdentity, folder: Path) -> None:
    """Write the conversion and its record to the folder. Raises Refused, OSError, and whatever the libraries
    raise."""
    model = exact.model
    prompts = {"document_prompt": prompt(model, DOCUMENT_PROMPTS), "query_prompt": prompt(model, ("query",))}
    if any(prompts.values()) and any(getattr(module, "include_prompt", True) is False for module in model):
        raise Refused("its pooling leaves out the prompt")
    inputs = tensors(model)
    unknown = sorted(set(inputs) - {"input_ids", "attention_mask", "token_type_ids"})
    if unknown or "input_ids" not in inputs:
        raise Refused(f"it takes other inputs than tokens ({', '.join(unknown) or 'no token ids'})")
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise Refused("its tokenizer is not one of the library tokenizers")
    (folder / "tokenizer.json").write_text(backend.to_str(), encoding="utf-8")
    record: dict[str, Any] = {
        "inputs": inputs,
        "dimension": identity.dimension,
        "max_tokens": model.max_seq_length,
        **prompts,
    }
    expected = _vectors(exact)
    for attention in ATTENTIONS:
        set_attention(model, attention)
        _save(exact, inputs, folder)
        converted, likeness = _compared(exact, expected, folder, record, "f32")
        if _faithful(likeness):
            break
    else:
        mean, least = likeness
        raise Refused(f"its vectors are not those of torch (cosine {mean:.4f}, at least {least:.4f})")
    record |= {
        "likeness": {"f32": likeness},
        "seconds": {"f32": seconds(converted)},
        "computes": {"float32": "f32", "bfloat16": "f32"},
        "precision": "float32",
    }
    # The record of float32 stands, should the compiler crash on bfloat16.
    keep(folder, record)
    if computes_bfloat16():
        del converted
        converted, likeness = _compared(exact, expected, folder, record, "bf16")
        if _faithful(likeness):
            record["likeness"]["bf16"] = likeness
            record["seconds"]["bf16"] = seconds(converted)
            if record["seconds"]["bf16"] < record["seconds"]["f32"]:
                record["computes"]["bfloat16"] = "bf16"
                record["precision"] = "bfloat16"
        keep(folder, record)


def _save(exact: TorchModel, inputs: Sequence[str], folder: Path) -> None:
    ov = library()
    module, example = traced(exact.model, inputs)
    converted = ov.convert_model(module, example_input=example)
    if len(converted.inputs) != len(inputs):
        raise Refused("it does not use all of its inputs")
    for name, node in zip(inputs, converted.inputs, strict=True):
        node.get_tensor().set_names({name})
        node.get_node().set_partial_shape(ov.PartialShape([-1, -1]))
    converted.validate_nodes_and_infer_types()
    weights = sum(parameter.nbytes for parameter in exact.model.parameters())
    if shutil.disk_usage(folder).free < weights * 1.2 + (16 << 20):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    ov.save_model(converted, folder / "model.xml", compress_to_fp16=False)


def _compared(
    exact: TorchModel, expected: list[np.ndarray], folder: Path, record: dict[str, Any], precision: str
) -> tuple[OpenVinoModel, list[float]]:
    """The converted model, and mean and least cosine of its vectors to the expected ones."""
    prepare(folder, precision)
    facts = {**record, "computes": {"float32": precision}}
    converted = OpenVinoModel(Conversion(folder, **facts), "float32")
    _compare_tokens(exact, converted, record)
    return converted, _cosines_over(expected, converted)


def _cosines_over(expected: list[np.ndarray], converted: OpenVinoModel) -> list[float]:
    cosines = _cosines(expected, _vectors(converted))
    for group in _TOGETHER:
        found = converted.together([PASSAGES[at] for at in group])
        cosines += _cosines([expected[at] for at in group], list(found))
    return [round(sum(cosines) / len(cosines), 6), round(min(cosines), 6)]


def _faithful(likeness: Sequence[float]) -> bool:
    mean, least = likeness
    return mean >= FAITHFUL and least >= WORST


def _vectors(model: TorchModel | OpenVinoModel) -> list[np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for batch, vectors in model.documents(PASSAGES):
        found.update(zip(batch, vectors, strict=True))
    return [found[at] for at in range(len(PASSAGES))] + [model.query(text) for text in QUESTIONS]


def _compare_tokens(exact: TorchModel, converted: OpenVinoModel, record: dict[str, Any]) -> None:
    for prefix, texts in ((record["document_prompt"], PASSAGES), (record["query_prompt"], QUESTIONS)):
        for text in texts:
            expected = exact.model.preprocess([text], prompt=prefix or None)["input_ids"][0].tolist()
            if expected != converted.token_ids(prefix + text):
                raise Refused(f"its tokenizer gives other tokens for {text[:40]!r}")


def _cosines(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> list[float]:
    import numpy as np

    left, right = np.stack(expected).astype(np.float64), np.stack(found).astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    # Two zero vectors are the same; a NaN is like nothing.
    same = np.where((left == right).all(axis=1), 1.0, (left * right).sum(axis=1) / np.maximum(lengths, 1e-24))
    cosines: list[float] = np.nan_to_num(same, nan=-1.0).tolist()
    return cosines


def _brief(text: str) -> str:
    return " ".join(text.split())[:400]


def _exit(error: Exception, code: int) -> int:
    print(_brief(str(error)), file=sys.stderr)
    return code
