"""File names as uris, and back, and opening folders without following links.

A uri is the POSIX path relative to the root. A name that is valid UTF-8 stands in it as it is, with no
normalisation: NFC and NFD spellings are two names. In a name that is not valid UTF-8, or in which a percent
sign is followed by two hexadecimal digits, each byte outside UTF-8 becomes ``%XX`` and each percent sign
``%25``; so every name has exactly one uri, and every uri at most one name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def encode(name: str) -> str:
    """The uri of a name, or of a relative path, as `os.fsdecode` gives it."""
    return "/".join(map(_encode, name.split("/"))) if "/" in name else _encode(name)


def _encode(name: str) -> str:
    if name.isascii() and "%" not in name:
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        pass
    else:
        if not _ESCAPE.search(name):
            return name
    # Bytes outside UTF-8 are lone surrogates here, U+DC80 to U+DCFF.
    return "".join(
        "%25" if char == "%" else f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char
        for char in name
    )


def split(uri: str) -> list[str]:
    """The names that a uri leads through, none for "". Raises ValueError when no path has this uri."""
    return [_decode(segment) for segment in uri.split("/")] if uri else []


def _decode(segment: str) -> str:
    name = os.fsdecode(unquote_to_bytes(segment)) if _ESCAPE.search(segment) else segment
    if segment in ("", ".", "..") or "\0" in name or _encode(name) != segment:
        raise ValueError(f"{segment!r} is not the name of a file.")
    return name


def enter(name: str, folder: int) -> int:
    """A descriptor of the folder `name` in `folder`. Raises OSError; for a link ELOOP or ENOTDIR."""
    # After a slash the system would follow a link in spite of O_NOFOLLOW.
    return os.open(name.rstrip("/"), _ENTER, dir_fd=folder)


def descend(top: int, names: Sequence[str]) -> int:
    """A descriptor of the folder that these names lead to, with no link on the way. Raises OSError."""
    folder = os.dup(top)
    for name in names:
        try:
            deeper = enter(name, folder)
        finally:
            os.close(folder)
        folder = deeper
    return folder
