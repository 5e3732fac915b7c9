"""The link that a person opens: the document's own, else one made from its source's template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from index.freshness.properties import canonical

#: Properties that name a document's own address, first choice first; their names are compared without case,
#: and ``-`` and ``_`` alike.
NAMES = ("canonical", "canonical_url", "canonicalurl", "og:url", "url")

#: Longest link that is taken from a document.
_LENGTH_MAX = 2_000

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
#: An escaped byte of a uri.
_ESCAPED = re.compile("(%[0-9A-Fa-f]{2})")


def is_name(name: str) -> bool:
    """Whether a property of this name may hold a document's own address."""
    return canonical(name) in NAMES


def own(properties: Mapping[str, Any]) -> str:
    """The http(s) url that a document's properties say is its address; "" when there is none."""
    said = {canonical(name): value for name, value in reversed(list(properties.items())) if is_name(name)}
    links = (said[name] for name in NAMES if name in said)
    return next((link.strip() for link in links if isinstance(link, str) and _is_web(link.strip())), "")


def check(template: str) -> str:
    """The template as it is. Raises ValueError when no link can be made of it."""
    unknown = [name for name in _PLACEHOLDER.findall(template) if name not in ("path", "stem")]
    if unknown:
        raise ValueError(f"has the placeholder {{{unknown[0]}}}; there are {{path}} and {{stem}}")
    rest, placed = _PLACEHOLDER.subn("x", template)
    if "{" in rest or "}" in rest:
        raise ValueError("has a brace that is no part of {path} or {stem}; write %7B or %7D for it")
    if not _is_web(rest) or "{" in _host(template):
        raise ValueError('should be a web address such as "https://wiki.example.org/{path}"')
    if not placed:
        raise ValueError("should have {path} or {stem} in it; without, all documents had the same link")
    return template


def fill(template: str, uri: str) -> str:
    """The link of the document at this uri: ``{path}`` is the uri, ``{stem}`` the uri without its suffix.

    >>> fill("https://wiki.example.org/{stem}/", "Réunion/notes & plans.md")
    'https://wiki.example.org/R%C3%A9union/notes%20%26%20plans/'
    """
    suffix = PurePosixPath(uri).suffix
    parts = {"path": _quoted(uri), "stem": _quoted(uri.removesuffix(suffix) if suffix else uri)}
    return _PLACEHOLDER.sub(lambda match: parts[match[1]], template)


def _quoted(uri: str) -> str:
    """Percent-encoded; escapes that a uri has already are a name's bytes outside of UTF-8."""
    parts = _ESCAPED.split(uri)
    return "".join(part if number % 2 else quote(part, errors="replace") for number, part in enumerate(parts))


def _host(url: str) -> str:
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]


def _is_web(text: str) -> bool:
    """Whether it is a whole http(s) url, fit to be shown and opened: no blanks, no user or password."""
    if len(text) > _LENGTH_MAX or not text.isprintable() or re.search(r"[\s\\<>\"'`]", text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port  # Parsed only at access.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
