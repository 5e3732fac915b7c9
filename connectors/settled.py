"""What became of documents in the index, for a source that does something with them then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Settled(NamedTuple):
    """The version of a document that the index has done with: durable there, or failed for good."""

    reason: str
    """Why it could not be indexed, a sentence; "" when it is in the index."""
    content_hash: str | None
    """sha256 of its bytes, hex; None where they were never read."""
    token: str | None
    """Its change token; None beside no hash either: the reason holds for whatever has this uri."""


#: Uris to those of their documents that are settled.
Settlement = Callable[[Sequence[str]], Mapping[str, Settled]]
