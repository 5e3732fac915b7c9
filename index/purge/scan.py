"""The search for traces: which files hold any piece of a text, a vector or an id.

A trace is searched for in every form in which store and ledger keep it, and in pieces: the store compresses
payloads (LZ4), which breaks a text up at whatever stood shortly before in the same payload; SQLite cuts long
values into pages. Sixteen bytes in a row that are kept as they are suffice. A piece that other documents
have, too, is found for good: `without` takes those out.

What the forms miss, in files of the embedded store: copies of vectors with a byte for each number; words of
the text index, which are numbers; and a short value (a title, a path) of which every four bytes stand earlier
in the same payload. The id of the document stands in each payload as it is, and the id of the point beside
it: to prove that a payload is gone, search for these, too.

SQLite's locks end when its process closes any descriptor of the file: a process that has a ledger open must
not scan it. `index.purge.apart` scans in a process of its own."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Bytes of a piece. Fifteen are the least that hold an aligned word of eight, wherever they lie.
PIECE_BYTES = 16
#: A shorter text is no trace: it stands everywhere.
SHORTEST_BYTES = 4
#: A piece in which a word has fewer different bytes, as a rule of dashes or a row of zeros, tells nothing.
_DIFFERENT_BYTES = 3
#: Bytes that are searched at a time: what is read stays in the processor's cache until it is searched.
WINDOW_BYTES = 1 << 20
#: Of the number of slots of the table in which words are looked up first, and words that are looked up at a
#: time: so that both stay in the processor's cache.
_TABLE_BITS = 20
_BLOCK_WORDS = 1 << 17
#: Files that are read at a time, each in a window of its own.
_THREADS_MAX = 4
_MIX = 0x9E3779B97F4A7C15
_WORD = 8


@dataclass(frozen=True, slots=True)
class Trace:
    """Something to be searched for, under a name of the caller's choice."""

    name: str
    pieces: frozenset[bytes]
    """Any of these is found: so is the trace."""


def text(name: str, value: str) -> Trace:
    """The trace of a text, a title, a path or an owner: as UTF-8, in lower case, and as JSON and messages
    escape it. Raises ValueError for a text of less than four bytes."""
    forms = set[bytes]()
    for spelled in (value, value.lower(), value.casefold()):
        for written in (
            spelled,
            json.dumps(spelled)[1:-1],
            json.dumps(spelled, ensure_ascii=False)[1:-1],
            repr(spelled)[1:-1],
        ):
            forms.add(written.encode("utf-8", "surrogatepass"))
    if min(map(len, forms)) < SHORTEST_BYTES:
        raise ValueError(f"A text of less than {SHORTEST_BYTES} bytes cannot be told from others.")
    return Trace(name, frozenset(piece for form in forms for piece in _pieces(form, 1)))


def vector(name: str, values: Sequence[float]) -> Trace:
    """The trace of a dense vector: four numbers in a row, as little-endian float32, as they are and
    normalised to length 1."""
    import numpy as np

    given = np.asarray(values, "<f4")
    length = math.sqrt(float(np.sum(given.astype(np.float64) ** 2)))
    forms = {given.tobytes(), (given / np.float32(length or 1)).astype("<f4").tobytes()}
    return Trace(name, frozenset(piece for form in forms for piece in _pieces(form, 4)))


def identifier(name: str, value: str) -> Trace:
    """The trace of a UUID, as text and as its sixteen bytes in both orders. Raises ValueError for another
    id."""
    number = uuid.UUID(value)
    whole = {str(number).encode(), number.hex.encode(), str(number).upper().encode()}
    orders = (number.bytes, number.bytes[::-1], number.bytes_le)
    return Trace(name, frozenset({*whole, *filter(telling, orders)}))


def without(traces: Collection[Trace], kept: Iterable[bytes]) -> list[Trace]:
    """The traces without the pieces that stand in these texts, which stay. A trace may be left with none."""
    pieces = {piece for trace in traces for piece in trace.pieces}
    by_length: dict[int, set[bytes]] = {}
    for piece in pieces:
        by_length.setdefault(len(piece), set()).add(piece)
    common: set[bytes] = set()
    for content in kept:
        for length, some in by_length.items():
            windows = {content[start : start + length] for start in range(len(content) - length + 1)}
            common |= windows & some
    return [replace(trace, pieces=trace.pieces - common) for trace in traces]


def _pieces(form: bytes, step: int) -> Iterator[bytes]:
    if len(form) < PIECE_BYTES:
        yield form
    for start in range(0, len(form) - PIECE_BYTES + 1, step):
        piece = form[start : start + PIECE_BYTES]
        if telling(piece):
            yield piece


def telling(piece: bytes) -> bool:
    """Whether a piece tells something: a rule of dashes, or a row of zeros, does not."""
    words = (piece[start : start + _WORD] for start in range(len(piece) - _WORD + 1))
    return all(len(set(word)) >= _DIFFERENT_BYTES for word in words)


class Scan:
    """Traces, made ready to be searched for."""

    def __init__(self, traces: Collection[Trace]) -> None:
        self._short: list[tuple[bytes, str]] = []
        self._at: dict[bytes, list[tuple[bytes, int, str]]] = {}
        """By the word that an aligned place of a file has, or by two in a row for a piece that has two
        wherever it lies, as words of a text are met everywhere: pieces with the place of this word, and their
        trace."""
        self._overlap = 0
        for trace in traces:
            for piece in trace.pieces:
                self._overlap = max(self._overlap, len(piece) - 1)
                if len(piece) < 2 * _WORD - 1:
                    self._short.append((piece, trace.name))
                    continue
                length = 2 * _WORD if len(piece) >= 3 * _WORD - 1 else _WORD
                for offset in range(_WORD):
                    words = piece[offset : offset + length]
                    self._at.setdefault(words, []).append((piece, offset, trace.name))
        self._all = frozenset(trace.name for trace in traces if trace.pieces)

    @cached_property
    def _words(self) -> np.ndarray:
        import numpy as np

        first = {int.from_bytes(words[:_WORD], "little") for words in self._at}
        return np.sort(np.fromiter(first, np.uint64, len(first)))

    @cached_property
    def _table(self) -> np.ndarray:
        import numpy as np

        table = np.zeros(1 << _TABLE_BITS, np.bool_)
        table[_slots(self._words)] = True
        return table

    def within(self, content: bytes | bytearray) -> set[str]:
        """Names of the traces of which a piece stands in these bytes."""
        if len(content) < _WORD:
            return self._in_short(content)
        import numpy as np

        words = np.frombuffer(content, "<u8", len(content) // _WORD)
        # Files of the store are larger than what they hold, and no piece is of zeros alone.
        if not words.any() and not any(content[words.nbytes :]):
            return set()
        found = self._in_short(content)
        if not self._at:
            return found
        mixed, seen = np.empty(_BLOCK_WORDS, np.uint64), np.empty(_BLOCK_WORDS, np.bool_)
        for first in range(0, len(words), _BLOCK_WORDS):
            block = words[first : first + _BLOCK_WORDS]
            # No piece has a word of zeros.
            for place in self._places(block, mixed, seen) if block.any() else ():
                at = (first + place) * _WORD
                for length in (_WORD, 2 * _WORD):
                    for piece, offset, name in self._at.get(bytes(content[at : at + length]), ()):
                        start = at - offset
                        if name not in found and start >= 0 and content.startswith(piece, start):
                            found.add(name)
        return found

    def _in_short(self, content: bytes | bytearray) -> set[str]:
        """Names of the traces of which a piece that is too short to have two words stands in these bytes."""
        return {name for piece, name in self._short if piece in content}

    def _places(self, words: np.ndarray, mixed: np.ndarray, seen: np.ndarray) -> list[int]:
        """Where one of the words that are looked for stands. The other two are room for as many words."""
        import numpy as np

        slots = _slots(words, mixed[: len(words)])
        # The slots are within the table; "clip" spares a copy.
        places = np.flatnonzero(
            np.take(self._table, slots.view(np.int64), out=seen[: len(words)], mode="clip")
        )
        # A binary search for each: they are few, and `isin` would sort all words each time.
        wanted = words[places]
        nearest = self._words[np.searchsorted(self._words[:-1], wanted)]
        found: list[int] = places[nearest == wanted].tolist()
        return found

    def file(self, path: Path) -> set[str]:
        """Names of the traces in the bytes of this file. Raises OSError when it cannot be read; a file that
        is gone holds nothing."""
        found = set[str]()
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            for window in _windows(file, self._overlap):
                found |= self.within(window)
                if found == self._all:
                    break
        return found

    def folders(self, folders: Iterable[Path]) -> dict[Path, set[str]]:
        """{file: names of the traces in it, or in its path from there} of the files below these folders that
        hold any. Raises OSError when a folder or a file cannot be read."""
        held: dict[Path, set[str]] = {}
        below = {path: folder for folder in folders for path in files(folder)}
        with ThreadPoolExecutor(min(_THREADS_MAX, os.cpu_count() or 1)) as pool:
            for (path, folder), within in zip(below.items(), pool.map(self.file, below), strict=True):
                named = self.within(os.fsencode(path.relative_to(folder)))
                if found := named | within:
                    held[path] = found
        return held


def files(folder: Path) -> Iterator[Path]:
    """All regular files below this folder. Links are not followed. Raises OSError when a folder cannot be
    read."""
    for top, _, names in os.walk(folder, onerror=_fail):
        for name in sorted(names):
            path = Path(top, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _fail(error: OSError) -> None:
    """An unreadable folder must not look empty."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _slots(words: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    import numpy as np

    mixed: np.ndarray = np.multiply(words, np.uint64(_MIX), out=out)
    mixed >>= np.uint64(64 - _TABLE_BITS)
    return mixed


def _windows(file: FileIO, overlap: int) -> Iterator[bytes | bytearray]:
    """The bytes of an open file without its holes; each window begins with the end of the one before. Each
    may be written over by the next one."""
    end = os.fstat(file.fileno()).st_size
    room, at = bytearray(min(WINDOW_BYTES + overlap, end)), 0
    while at < end:
        try:
            at = file.seek(at, os.SEEK_DATA)
            until = file.seek(at, os.SEEK_HOLE)
        except OSError:
            # The rest is a hole, or was cut off just now.
            return
        # A piece may have zeros at its ends.
        at, until = max(0, at - overlap), min(end, until + overlap)
        while at < until:
            file.seek(at)
            count = file.readinto(memoryview(room)[: until - at])
            if not count:
                return
            yield room if count == len(room) else bytes(room[:count])
            at += max(1, count - overlap) if at + count < until else count
