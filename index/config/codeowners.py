"""The owners of documents by a CODEOWNERS file, read as GitHub documents it.

The last pattern that matches a path counts. Patterns are those of .gitignore but for what GitHub leaves
out: ``!`` negates nothing, ``[ ]`` is no range, ``\\#`` escapes no comment, and ``docs/*`` means the files
directly in ``docs``. Owners are ``@user``, ``@org/team`` or a mail address. A line that is none of this is
passed over. A pattern without owners takes its paths out: for them, the file names nobody.
"""

from __future__ import annotations

import re
from functools import cached_property

from connectors.base import Connector, OwnersFile, SourceUnavailable
from index.freshness.owners import distinct
from index.model import digest
from index.redact import redact

_OWNER = re.compile(r"@[\w.-]+(?:/[\w.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
#: Blanks that no backslash escapes.
_BLANKS = re.compile(r"(?<!\\)[ \t]+")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")


class CodeOwners:
    """A CODEOWNERS file, or none."""

    def __init__(self, file: OwnersFile | None = None, trouble: str = "") -> None:
        self.trouble = trouble
        """Why the file cannot be read; its owners are then those that are on record."""
        self._top = f"{file.top}/" if file is not None and file.top else ""
        self._lines = _lines(file.text) if file is not None else []
        # The last match wins, so the first that matches of the reversed lines does.
        self._compiled = [(_literal(p), _regex(p), owners) for p, owners in reversed(self._lines)]

    def owners(self, uri: str) -> tuple[str, ...]:
        """The owners of a document, in order; none when the file names nobody for it."""
        path = self._top + uri
        for literal, regex, owners in self._compiled:
            if literal in path and regex.fullmatch(path):
                return owners
        return ()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides owners here; "" where there is no file."""
        if self.trouble:
            return digest(["cannot be read"])
        return digest([self._top, self._lines]) if self._lines else ""


def codeowners_of(connector: Connector) -> CodeOwners:
    """The present CODEOWNERS file of a source, its trouble where it cannot be read."""
    try:
        return CodeOwners(connector.codeowners())
    except SourceUnavailable as error:
        return CodeOwners(trouble=redact(str(error)))


def _lines(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """(pattern, owners) of each valid line."""
    found = []
    for line in text.splitlines():
        words = _BLANKS.split(_COMMENT.sub("", line).strip())
        pattern, owners = words[0], words[1:]
        if _valid(pattern) and all(map(_OWNER.fullmatch, owners)):
            found.append((pattern, distinct(owners)))
    return found


def _valid(pattern: str) -> bool:
    return (
        bool(pattern.strip("/"))
        and not pattern.startswith(("!", "\\#"))
        and not re.search(r"[\[\]]|\*\*\*|//|\\$", pattern)
    )


def _regex(pattern: str) -> re.Pattern[str]:
    names = pattern.removeprefix("/").removesuffix("/").split("/")
    if not pattern.startswith("/") and len(names) == 1:
        names.insert(0, "**")
    if pattern.endswith("/"):
        names.append("**")
    # A name matches what lies below it, too; an asterisk alone matches only what lies there.
    end, below = (r"\Z", "") if names[-1] in ("*", "**") else (r"(?![^/])", "(?:/.*)?")
    runs = [""]
    for name in names[:-1]:
        if name == "**":
            runs.append("")
        else:
            runs[-1] += _name(name) + "/"
    runs += [".+"] if names[-1] == "**" else [runs.pop() + _name(names[-1]) + end]
    return re.compile(_apart(runs, "(?:[^/]+/)*?") + below, re.DOTALL)


def _name(name: str) -> str:
    """One name of a path as a regular expression."""
    if name == "*":
        return "[^/]+"
    pieces = [""]
    for piece in re.findall(r"\\.|\*+|\?|[^\\*?]+", name, re.DOTALL):
        if piece[0] == "*":
            pieces.append("")
        else:
            pieces[-1] += "[^/]" if piece == "?" else re.escape(piece.removeprefix("\\"))
    if len(pieces) > 1:
        pieces[-1] += r"(?![^/])"
    return _apart(pieces, "[^/]*?")


def _apart(parts: list[str], gap: str) -> str:
    """These parts in order, each but the first behind a gap.

    Where a part matches first leaves most to those behind it, so no second place is tried for it: several
    gaps with all of their places take longer than anybody waits. The last part says where it ends.
    """
    return parts[0] + "".join(f"(?>{gap}{part})" for part in parts[1:])


def _literal(pattern: str) -> str:
    """The longest text that every path that matches must contain: looked for first, as it is faster."""
    return "" if "\\" in pattern else max(re.split(r"[*?/]", pattern), key=len)
