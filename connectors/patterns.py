"""Patterns of paths, as in .gitignore."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.urls import check_url as check_url


class Patterns:
    """Gitignore-style patterns; a uri matches when the last one that matches it is not negated with ``!``.

    Raises ValueError for what is not a pattern.

    >>> Patterns(["docs/", "!docs/old/**"]).match("docs/a.md")
    True
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.everything = tuple(patterns) == ("**/*",)
        """Every uri matches."""
        self._parts: list[tuple[bool, str, re.Pattern[str]]] = []
        if self.everything:
            return
        import pathspec

        compiled = pathspec.lookup_pattern("gitignore")
        for pattern in reversed(patterns):
            # Blanks at the end are no part of it.
            end = len(pattern.rstrip())
            try:
                part = compiled(_one_line(pattern[:end]) + pattern[end:])
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a pattern: {error}.") from error
            assert isinstance(part, pathspec.RegexPattern)
            if part.include is None or part.regex is None:
                raise ValueError(f"{pattern!r} is blank or a comment, and matches nothing.")
            self._parts.append((part.include, _one_line(_literal(pattern)), part.regex))

    def match(self, uri: str) -> bool:
        if self.everything:
            return True
        if "\n" in uri:
            uri = _one_line(uri)
        for include, literal, regex in self._parts:
            if literal in uri and regex.search(uri):
                return include
        return False

    def match_all_below(self, folder: str) -> bool:
        """Whether every uri below this folder surely matches. False may also mean that it cannot be told."""
        if self.everything:
            return True
        if not all(include for include, _, _ in self._parts):
            return False
        # A pattern of the folder itself matches at its slash, whatever follows. Some take the slash for a
        # letter (``[!a]``): these do not match a name that is longer than any.
        uris = [_one_line(f"{folder}/{name}") for name in ("", _NO_NAME)]
        return any(all(regex.search(uri) for uri in uris) for _, _, regex in self._parts)


_NO_NAME = "\x01" * 300


def _one_line(text: str) -> str:
    """The same with another character for line breaks, which names may contain and regular expressions stop
    at; no uri contains it."""
    return text.replace("\n", "\0")


def _literal(pattern: str) -> str:
    """The longest text that every uri the pattern matches must contain: looked for first, because finding
    a text is ten times as fast as a regular expression that fails."""
    if "\\" in pattern or "[" in pattern:
        return ""
    return max(re.split(r"[*?/]", pattern.removeprefix("!").rstrip()), key=len)


@dataclass(frozen=True, slots=True)
class PathFilter:
    """Which paths below a root are documents."""

    include: Patterns
    exclude: Patterns
    hidden: bool
    private: frozenset[str] = frozenset()
    """Uris that are left out, with everything below them."""

    def enters(self, folder: str) -> bool:
        """Whether documents may lie below this folder, provided that its parent is entered."""
        if not self.hidden and folder.rpartition("/")[2].startswith("."):
            return False
        return folder not in self.private and not self.exclude.match_all_below(folder)

    def takes(self, uri: str) -> bool:
        """Whether this file is a document."""
        name = uri.rpartition("/")[2]
        if uri in self.private or (not self.hidden and name.startswith(".")):
            return False
        return self.include.match(uri) and not self.exclude.match(uri) and self.covers(uri)

    def covers(self, uri: str) -> bool:
        """Whether every folder above this path is entered."""
        cut = uri.find("/")
        while cut >= 0:
            if not self.enters(uri[:cut]):
                return False
            cut = uri.find("/", cut + 1)
        return True
