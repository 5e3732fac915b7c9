"""Readable uris of documents that have an identifier, and a title that need not be theirs alone."""

from __future__ import annotations

import re

from connectors.paths import encode

_LONGEST = 80
_TAIL = re.compile(r"~([A-Za-z0-9_-]+)$")


def named(title: str, identifier: str, suffix: str = "") -> str:
    """A segment of a uri: the title as far as a name can hold it, and the identifier, which makes it unique.

    >>> named("On/Off: a guide", "98309")
    'On_Off: a guide~98309'
    """
    readable = re.sub(r"[/\\\s\x00-\x1f\x7f\ud800-\udfff]+", lambda m: " " if m[0].isspace() else "_", title)
    return f"{encode(readable.strip()[:_LONGEST].strip())}~{identifier}{suffix}"


def identifier(uri: str, suffix: str = "") -> str | None:
    """The identifier that a uri ends with; None when it has none."""
    found = _TAIL.search(uri.removesuffix(suffix) if suffix else uri)
    return None if found is None else found[1]


def path(*names: str) -> str:
    """The uri that leads through these names."""
    return "/".join(encode(name.replace("/", "_")) for name in names)
