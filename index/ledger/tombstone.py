"""Tombstones: keyed hashes that keep erased documents out of the index, and say nothing to others.

A key is an HMAC under a secret of the ledger, with its kind before its value, so that no hash of one kind is
taken for one of another.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

#: The name in `meta` of the key of tombstones, in hex.
KEY = "tombstone key"


class TombstoneKind(StrEnum):
    URI = "uri"
    """A path of a source: no version of it comes back."""
    CONTENT = "content"
    """The hash of a file's bytes: they come back under no name."""
    PHRASE = "phrase"
    """Words in a row: no text that has them is indexed."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    key_hash: str
    kind: TombstoneKind
    words: int = 0
    """Of a phrase: how many words it has."""


class Keys:
    """The keyed hashes of one ledger."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def uri(self, source: str, uri: str) -> str:
        return self._key(TombstoneKind.URI, f"{source}\n{uri}")

    def content(self, content_hash: str) -> str:
        return self._key(TombstoneKind.CONTENT, content_hash)

    def phrase(self, words: str) -> str:
        """`words`: folded (`index.phrase.folded`)."""
        return self._key(TombstoneKind.PHRASE, words.strip())

    def person(self, name: str) -> str:
        """Of an owner's folded name, in records that outlive its documents."""
        return self._key("person", name)

    def links(self) -> bytes:
        """The secret of signed links to the owners' page."""
        return hmac.digest(self._secret, b"freshkb links", "sha256")

    def url(self, url: str) -> str:
        """Of an external address."""
        return self._key("url", url)

    def _key(self, kind: str, value: str) -> str:
        data = f"{kind}\n{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, data, "sha256").hex()


def derived(log_key: bytes) -> bytes:
    """The secret of a ledger whose log has this key."""
    return hmac.digest(log_key, b"freshkb tombstones", "sha256")


def windows(words: str, length: int) -> Iterator[str]:
    """Each run of so many words in a folded text.

    >>> list(windows(" zoe o neil ", 2))
    ['zoe o', 'o neil']
    """
    said = words.split()
    return (" ".join(said[at : at + length]) for at in range(len(said) - length + 1))
