"""One walk of the log: date, author and identity of each path.

The walk goes from the head to older commits, children first. The head's first parents are the states of the
branch; what a merge brought is told apart by its own commits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from connectors.base import known_time
from connectors.git.command import Git, GitError
from connectors.paths import encode

_MARK = b"\x01"
_BLOCK = 1 << 16

#: Renames of unchanged bytes need no blob. Merges are compared with their first parent.
_LOG = (
    "log",
    "-z",
    "--topo-order",
    "--name-status",
    "--find-renames=100%",
    "--diff-merges=first-parent",
    "--no-show-signature",
    "--no-mailmap",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--encoding=UTF-8",
    "--format=tformat:%x01%H%x01%P%x01%ct%x01%an",
)

_RENAMES = (
    "diff-tree",
    "-r",
    "-z",
    "--find-renames",
    "--diff-filter=R",
    "--name-status",
    "--no-ext-diff",
    "--no-textconv",
)


class Last(NamedTuple):
    """The last commit of a path."""

    at: int | None
    """Seconds since the epoch; None when it lies before what a shallow repository has, and for a commit with
    a date that git cannot read or no clock shows, as conversions from other systems leave them."""
    author: str | None


@dataclass(slots=True)
class Walk:
    """What happened to paths, by uri. Paths that are not named are as they were before the walk."""

    whole: bool
    """It goes back to the beginning of history."""
    last: dict[str, Last] = field(default_factory=dict)
    created: dict[str, str] = field(default_factory=dict)
    """{uri now: identity by the commit that created it and its name there}."""
    moved: dict[str, str] = field(default_factory=dict)
    """{uri before the walk: uri now}, of renames of unchanged bytes."""


class _Commit(NamedTuple):
    id: str
    parents: list[str]
    last: Last
    changes: list[tuple[bytes, str, str]]
    """(A, M, R …, uri before, uri after); both are the same but for a rename."""


def walk(git: Git, head: str, since: str | None, shallow: frozenset[str]) -> Walk:
    """What happened from the commit `since` to `head`; since the beginning where the first parents of `head`
    do not lead to `since`. Commits in `shallow` have parents that the repository lacks. Raises GitError."""
    if since is not None:
        try:
            trace = _trace(git, (head, f"^{since}"), shallow)
        except GitError:
            # The commit is gone: its branch was forced, or its clone was purged.
            pass
        else:
            if trace.state == since:
                return Walk(False, trace.last, trace.created, trace.moved)
    trace = _trace(git, (head,), shallow)
    return Walk(True, trace.last, trace.created, trace.moved)


def _trace(git: Git, commits: tuple[str, ...], shallow: frozenset[str]) -> _Trace:
    trace = _Trace(commits[0], shallow)
    with git.stream(*_LOG, *commits, "--") as out:
        for commit in _commits(out):
            trace.add(commit)
    return trace


class _Trace:
    """Commits taken in, children first."""

    def __init__(self, head: str, shallow: frozenset[str]) -> None:
        self.state: str | None = head
        """The next older commit that the branch was at."""
        self.last: dict[str, Last] = {}
        self.created: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self._shallow = shallow
        self._closed: set[str] = set()
        """Names that belong to no path of now any more: older ones of them are other documents."""
        self._step = 0
        self._sides: dict[str, int] = {}
        """Merged commits to come, each with the oldest step that contains it."""
        self._merged: dict[str, int] = {}
        """{uri: the merge that changed it}, of paths whose merged commit is still to come."""

    def add(self, commit: _Commit) -> None:
        if commit.id == self.state:
            self._add_state(commit)
        else:
            self._add_side(commit)

    def _add_state(self, commit: _Commit) -> None:
        self._step += 1
        self._sides.pop(commit.id, None)
        self.state = commit.parents[0] if commit.parents else None
        last = Last(None, None) if commit.id in self._shallow else commit.last
        for _, _, uri in commit.changes:
            if uri not in self.last:
                self.last[uri] = last
                if len(commit.parents) > 1:
                    self._merged[uri] = self._step
        self._identify(commit)
        self._remember(commit.parents[1:], self._step)

    def _identify(self, commit: _Commit) -> None:
        renamed = []
        for status, before, uri in commit.changes:
            if status not in (b"A", b"R"):
                continue
            now = self._path_of(uri)
            self.moved.pop(uri, None)
            self._closed.add(uri)
            if now is not None and status == b"A":
                self.created[now] = f"{commit.id}:{uri}"
            elif now is not None:
                renamed.append((before, now))
        # Only now, as a name may be given up and taken in one commit.
        self.moved.update(renamed)

    def _path_of(self, uri: str) -> str | None:
        """The path of now that had this name."""
        return self.moved.get(uri) or (None if uri in self._closed else uri)

    def _add_side(self, commit: _Commit) -> None:
        step = self._sides.pop(commit.id, 0)
        for _, _, uri in commit.changes:
            if self._merged.get(uri) == step:
                self.last[uri] = commit.last
                del self._merged[uri]
        self._remember(commit.parents, step)

    def _remember(self, parents: list[str], step: int) -> None:
        for parent in parents:
            self._sides[parent] = max(self._sides.get(parent, 0), step)


def _commits(out: IO[bytes]) -> Iterator[_Commit]:
    fields = _fields(out)
    commit: _Commit | None = None
    for part in fields:
        part = part.lstrip(b"\n")
        if part.startswith(_MARK):
            if commit is not None:
                yield commit
            id, parents, at, author = part[1:].split(_MARK, 3)
            last = Last(_seconds(at), author.decode(errors="replace") or None)
            commit = _Commit(id.decode(), parents.decode().split(), last, [])
        elif part:
            assert commit is not None
            before = uri_of(next(fields))
            after = uri_of(next(fields)) if part[:1] in b"RC" else before
            commit.changes.append((part[:1], before, after))
    if commit is not None:
        yield commit


def _seconds(at: bytes) -> int | None:
    try:
        seconds = int(at)
    except ValueError:
        return None
    return None if known_time(seconds * 1_000_000_000) is None else seconds


def _fields(out: IO[bytes]) -> Iterator[bytes]:
    """What stands between the zeros."""
    rest = b""
    while block := out.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        yield rest


def renames(git: Git, before: str, after: str) -> list[tuple[str, str]]:
    """(uri before, uri after) of the renames between two commits, as git sees them: by likeness of the bytes,
    which are brought when they are missing. None when the former commit is gone, as a history that was
    rewritten may leave it. Raises GitError when the network fails."""
    try:
        out = git.run(
            *_RENAMES, before, after, "--", network=not git.place.local, seconds=git.patience.transfer
        )
    except GitError as error:
        if error.passing:
            raise
        return []
    parts = out.split(b"\0")
    return [(uri_of(old), uri_of(new)) for old, new in zip(parts[1::3], parts[2::3], strict=True)]


def uri_of(path: bytes) -> str:
    return encode(os.fsdecode(path))
