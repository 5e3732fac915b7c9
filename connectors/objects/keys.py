"""Keys of a bucket as uris of a source, and keys that can be none."""

from __future__ import annotations

import re
from collections.abc import MutableSequence
from typing import NamedTuple

from connectors.base import Entry, Unlisted, shortened
from connectors.paths import encode, split

#: Characters that obstore's clients take in no key.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

#: More keys than this that are no path are not named one by one.
NAMED = 100


class StoredObject(NamedTuple):
    """An object as a listing or an answer shows it."""

    key: str
    etag: str | None
    """Without quotes. None: the store gives none that tells versions apart."""
    size: int
    """Bytes."""
    modified_at: int
    """Whole seconds, in nanoseconds since the epoch, UTC."""

    def entry(self, uri: str) -> Entry:
        return Entry(uri, self.etag, self.size, self.modified_at, None)


def strong(etag: str | None) -> str | None:
    """The ETag as a token: the same for a listing, which may write it without quotes, and for a header. A
    weak one is none: versions of one meaning share it, not those of the same bytes."""
    if not etag or etag.startswith("W/"):
        return None
    return etag.strip('"') or None


def uri_of(key: str, prefix: str) -> str | None:
    """The uri of a key below this prefix; None when no path can be spelled so."""
    uri = encode(key.removeprefix(prefix))
    try:
        clean = bool(split(uri)) and not _CONTROL.search(uri)
    except ValueError:
        return None
    return uri if clean and key.startswith(prefix) else None


def key_of(uri: str, prefix: str) -> str | None:
    """The key of a uri; None when it is the uri of none."""
    try:
        key = prefix + "/".join(split(uri))
    except ValueError:
        return None
    return key if uri and uri_of(key, prefix) == uri else None


def is_folder(found: StoredObject) -> bool:
    """Whether this object is what consoles make of "new folder", and holds nothing."""
    return found.key.endswith("/") and not found.size


def leave_out(key: str, unlisted: MutableSequence[Unlisted]) -> None:
    """Names a key that is not a path. It stays out for good: nothing below it is a document of the source."""
    if len(unlisted) < NAMED:
        reason = (
            f"The key {shortened(key)!r} is not a path (an empty segment, a . or .. for one, a control "
            "character, or a slash at its beginning or end): it is not indexed. Rename it to "
            "have it."
        )
        unlisted.append(Unlisted(key, "not-a-path", reason))
    elif len(unlisted) == NAMED:
        reason = f"More than {NAMED} keys are not paths, {shortened(key)!r} and others besides those named."
        unlisted.append(Unlisted(key, "not-a-path", reason))
