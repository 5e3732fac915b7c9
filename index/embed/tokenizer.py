"""Counting in the model's own tokens, without loading the model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from index.errors import EmbedderError

if TYPE_CHECKING:
    import tokenizers

#: Characters handed to the tokenizer in one call; an encoding takes some hundred bytes a token.
_SLAB = 1 << 20

_SURROGATE = re.compile("[\ud800-\udfff]")


class TokenCounter(Protocol):
    """The part of a tokenizer that chunking uses."""

    special: int
    """Tokens that the model adds to every document: special ones, and those of its document prompt."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the added ones."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the text begins and ends, in characters, in ascending order."""


class Tokenizer:
    """The model's tokenizer, neither truncating nor padding. Safe to use from several threads."""

    def __init__(self, folder: Path, prompt: str = "") -> None:
        """`folder` is the model's; `prompt` is the model's prefix of every document.

        Raises EmbedderError when the folder gives no tokenizer.
        """
        # Set before the first use, or the library warns on stderr whenever the process forks later.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self._backend = _load(folder)
        self._backend.no_truncation()
        self._backend.no_padding()
        self.special = len(self._backend.encode(prompt, add_special_tokens=True))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the added ones."""
        counts: list[int] = []
        for slab in _slabs(texts):
            counts += map(len, self._backend.encode_batch_fast(slab, add_special_tokens=False))
        return counts

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the text begins and ends, in characters, in ascending order."""
        return list(self._backend.encode(well_formed(text), add_special_tokens=False).offsets)


def well_formed(text: str) -> str:
    """The text with lone surrogates, which no tokenizer accepts, replaced one for one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def _slabs(texts: Sequence[str]) -> Iterator[list[str]]:
    slab: list[str] = []
    size = 0
    for text in texts:
        if slab and (size + len(text) > _SLAB or len(slab) == 4096):
            yield slab
            slab, size = [], 0
        slab.append(well_formed(text))
        size += len(text)
    if slab:
        yield slab


def _load(folder: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Backend

    path = folder / "tokenizer.json"
    try:
        if path.is_file():
            return Backend.from_str(path.read_text(encoding="utf-8"))
        # Older models ship a vocabulary only; transformers knows how to make a tokenizer of it.
        from transformers import AutoTokenizer

        slow = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        return Backend.from_str(json.dumps(json.loads(slow.backend_tokenizer.to_str())))
    except Exception as error:
        raise EmbedderError(
            f"The tokenizer of the model in {folder} cannot be loaded ({type(error).__name__}: {error}). "
            "Choose a model with a tokenizer.json, or make one with: "
            "AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        ) from error
