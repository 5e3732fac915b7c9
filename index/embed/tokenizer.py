"""Counting in the model's own tokens, and texts as the model takes them, without loading the model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from index.errors import EmbedderError

if TYPE_CHECKING:
    import numpy as np
    import tokenizers

#: Characters handed to the tokenizer in one call; an encoding takes some hundred bytes a token.
_SLAB = 1 << 17
#: Characters that are counted here: to hand so few to the tokenizer's threads, and to wait for them, takes
#: longer than their help saves.
_ALONE = 8 << 10
#: Texts whose tokens are remembered: passages that many documents have, and those around an edited one.
_REMEMBERED = 1024

_SURROGATE = re.compile("[\ud800-\udfff]")


#: A batch is as wide as a multiple of this, so that few widths occur: each is compiled for the processor.
_WIDTHS = 8


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
        self._count = lru_cache(_REMEMBERED)(self._counted)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the added ones."""
        counts: list[int] = []
        for slab in _slabs(texts):
            if sum(map(len, slab)) <= _ALONE:
                counts += map(self._count, slab)
            else:
                counts += map(len, self._backend.encode_batch_fast(slab, add_special_tokens=False))
        return counts

    def _counted(self, text: str) -> int:
        return len(self._backend.encode(text, add_special_tokens=False))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the text begins and ends, in characters, in ascending order."""
        return list(self._backend.encode(well_formed(text), add_special_tokens=False).offsets)


class Tokens(NamedTuple):
    """A text as a model takes it, special tokens included."""

    ids: np.ndarray
    types: np.ndarray


class Encoder:
    """The tokenizer that a model was converted with: truncates and pads as sentence-transformers does. Safe
    to use from several threads."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        """`path` is a tokenizer.json that names padding and the side to truncate."""
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self._max_tokens = max_tokens
        self._backend = _backend(path)
        padding, truncation = self._backend.padding or {}, self._backend.truncation or {}
        self._pad = {"input_ids": padding["pad_id"], "token_type_ids": padding["pad_type_id"]}
        self._left = padding["direction"] == "left"
        self._backend.no_padding()
        self._backend.enable_truncation(max_tokens, direction=truncation.get("direction", "right"))

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        import numpy as np

        found: list[Tokens] = []
        for slab in _slabs(texts):
            for encoding in self._backend.encode_batch_fast(slab):
                ids, types = (
                    np.array(numbers, dtype=np.int32) for numbers in (encoding.ids, encoding.type_ids)
                )
                found.append(Tokens(ids, types))
        return found

    def padded(self, batch: Sequence[Tokens]) -> dict[str, np.ndarray]:
        """The batch as (texts, tokens) arrays, by the name of a model's input."""
        import numpy as np

        longest = max(len(tokens.ids) for tokens in batch)
        # Not beyond the limit, where a model has no positions.
        width = max(longest, min(-(-longest // _WIDTHS) * _WIDTHS, self._max_tokens))
        shape = (len(batch), width)
        arrays = {name: np.full(shape, pad, dtype=np.int64) for name, pad in self._pad.items()}
        arrays["attention_mask"] = np.zeros(shape, dtype=np.int64)
        for row, tokens in enumerate(batch):
            size = len(tokens.ids)
            place = slice(width - size, width) if self._left else slice(size)
            arrays["input_ids"][row, place] = tokens.ids
            arrays["token_type_ids"][row, place] = tokens.types
            arrays["attention_mask"][row, place] = 1
        return arrays


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


def _backend(path: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Backend

    return Backend.from_str(path.read_text(encoding="utf-8"))


def _load(folder: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Backend

    path = folder / "tokenizer.json"
    try:
        if path.is_file():
            return _backend(path)
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
