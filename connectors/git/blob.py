"""The bytes of one document: those of its blob, or those that its blob points to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from connectors.errors import DocumentForbidden, shortened
from connectors.git.lfs import POINTER_MAX, POINTER_MIN, Pointer, content, pointer_of
from connectors.git.repository import Repository
from connectors.receive import Received, receive, too_large

_BLOCK = 1 << 16


def read(repository: Repository, id: str, uri: str, into: Path | None, max_size: int) -> Received | None:
    """Write the document with this blob to the new file `into`, or only hash it. None where the repository
    lacks the blob. Raises DocumentError."""
    with repository.blob(id) as found:
        if found is None:
            return None
        size, out = found
        if size > max_size:
            raise too_large(uri, size, max_size)
        blocks: Iterator[bytes] = _blocks(out, size)
        pointer = None
        if POINTER_MIN <= size <= POINTER_MAX:
            text = b"".join(blocks)
            pointer, blocks = pointer_of(text), iter([text])
        if pointer is None:
            return receive(blocks, uri, into, max_size, announced=size)
    # Git has ended by now: what LFS keeps may take longer than anything that is read from the disk.
    return _read_lfs(repository, pointer, uri, into, max_size)


def _read_lfs(
    repository: Repository, pointer: Pointer, uri: str, into: Path | None, max_size: int
) -> Received:
    if pointer.size > max_size:
        raise too_large(uri, pointer.size, max_size)
    with content(repository, pointer, uri) as blocks:
        received = receive(blocks, uri, into, max_size, announced=pointer.size)
    if received.content_hash != pointer.oid:
        if into is not None:
            into.unlink()
        raise DocumentForbidden(
            f"{shortened(uri)!r} is kept by Git LFS, and the bytes that came are not those that its pointer "
            "names; git lfs fsck says more."
        )
    return received


def _blocks(out: IO[bytes], size: int) -> Iterator[bytes]:
    """As many bytes, or fewer where the stream ends before."""
    while size and (block := out.read(min(size, _BLOCK))):
        size -= len(block)
        yield block
