"""Bytes that arrive in blocks, written and hashed: what `Connector.fetch` does with them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from connectors.errors import DocumentChanging, DocumentTooLarge, shortened


class Received(NamedTuple):
    size: int
    """Bytes."""
    content_hash: str
    """sha256, hex."""


def receive(
    blocks: Iterable[bytes], uri: str, into: Path | None, max_size: int, *, announced: int | None = None
) -> Received:
    """Write the blocks to the new file `into`, or only hash them.

    Raises DocumentTooLarge above `max_size` bytes, without asking for more blocks; DocumentChanging when they
    are not as many bytes as were `announced`; and what the iteration raises. `into` is then gone again.
    """
    if announced is not None and announced > max_size:
        raise too_large(uri, announced, max_size)
    target = None if into is None else os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        digest, size = hashlib.sha256(), 0
        for block in blocks:
            size += len(block)
            if size > max_size:
                raise too_large(uri, None, max_size)
            digest.update(block)
            rest = memoryview(block)
            while target is not None and rest:
                rest = rest[os.write(target, rest) :]
        if announced is not None and size != announced:
            raise DocumentChanging(
                f"{shortened(uri)!r} came as {size:,} bytes where {announced:,} were announced."
            )
        return Received(size, digest.hexdigest())
    except BaseException:
        if into is not None:
            into.unlink()
        raise
    finally:
        if target is not None:
            os.close(target)


def too_large(uri: str, size: int | None, max_size: int) -> DocumentTooLarge:
    """The error of a document above the limit; its `size` in bytes, when it is known."""
    has = "more bytes than the limit" if size is None else f"{size:,} bytes; the limit is"
    return DocumentTooLarge(f"{shortened(uri)!r} has {has}{' of' if size is None else ''} {max_size:,}.")
