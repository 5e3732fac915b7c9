"""The documents of a folder tree, in ascending order of uri.

The walk goes from descriptor to descriptor and follows no link, so a folder that is swapped for a link while
it runs cannot lead out of the root. It holds one descriptor and one folder's names for each level of depth.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator, MutableSequence
from typing import NamedTuple

from connectors.base import Entry, Unlisted, shortened
from connectors.paths import encode, enter, split
from connectors.patterns import PathFilter

#: Each level costs a descriptor, of which a process has some hundreds.
MAX_DEPTH = 200
#: One broken disk must not fill the memory with sentences.
MAX_ERRORS = 100
#: The name is gone, or is something else now.
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class _Level(NamedTuple):
    folder: int
    prefix: str
    segments: Iterator[str]
    """Sorted; folders end in a slash, which is what puts their contents in the right place."""
    names: dict[str, str]
    """Of the segments that are not their own names."""


def entry_of(uri: str, info: os.stat_result) -> Entry:
    """The inode identifies a file only while it has a single name: two hard links are two documents, and
    pairing them by their inode would take a copy for a move."""
    size, modified_at, inode = info.st_size, info.st_mtime_ns, str(info.st_ino)
    token = f"{size}-{modified_at}-{inode}"
    return Entry(uri, token, size, modified_at, inode if info.st_nlink == 1 else None)


def walk(
    top: int,
    accept: PathFilter,
    errors: MutableSequence[str],
    unlisted: MutableSequence[Unlisted],
    folders: Collection[str] | None = None,
) -> Iterator[Entry]:
    """The documents below the open folder `top`, or only those directly in `folders`.

    A file or folder that cannot be read becomes a sentence in `errors`; a folder that lies too deep goes to
    `unlisted`. A file that vanishes meanwhile is simply gone; a folder that does is an error: a whole tree
    may have moved to where the walk has already been. A folder of `folders` that is gone lists nothing.
    Raises OSError at once when `top` cannot be read.
    """
    route = None if folders is None else _Route(folders)
    return _walk([_level(top, "", accept, route)], accept, errors, unlisted, route)


def _walk(
    levels: list[_Level],
    accept: PathFilter,
    errors: MutableSequence[str],
    unlisted: MutableSequence[Unlisted],
    route: _Route | None,
) -> Iterator[Entry]:
    def fail(uri: str, error: OSError) -> None:
        if len(errors) < MAX_ERRORS:
            errors.append(f"{shortened(uri)!r} could not be listed: {error.strerror or error}.")

    # The innermost loop runs once a file, for millions of them: its names are local.
    private, include, exclude = accept.private, accept.include.match, accept.exclude.match
    everything = accept.include.everything
    status, is_regular = os.stat, stat.S_ISREG
    try:
        while levels:
            folder, prefix, segments, names = levels[-1]
            for segment in segments:
                uri = prefix + segment
                name = names[segment] if names and segment in names else segment
                if segment[-1] == "/":
                    if not accept.enters(uri[:-1]):
                        continue
                    if len(levels) >= MAX_DEPTH and len(unlisted) < MAX_ERRORS:
                        unlisted.append(_too_deep(uri[:-1]))
                        continue
                    try:
                        levels.append(_enter(name, folder, uri, accept, route, len(levels)))
                    except OSError as error:
                        if route is None or error.errno not in GONE:
                            fail(uri, error)
                        continue
                    break
                if exclude(uri) or uri in private or not (everything or include(uri)):
                    continue
                try:
                    info = status(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    fail(uri, error)
                    continue
                if is_regular(info.st_mode):
                    yield entry_of(uri, info)
                elif stat.S_ISDIR(info.st_mode):
                    fail(uri, OSError(errno.EISDIR, "it became a folder meanwhile"))
            else:
                levels.pop()
                if levels:
                    os.close(folder)
    finally:
        for level in levels[1:]:
            os.close(level.folder)


def _too_deep(folder: str) -> Unlisted:
    return Unlisted(
        folder,
        "too-deep",
        f"{shortened(folder)!r} lies more than {MAX_DEPTH} folders deep. What is in it is not looked at, and "
        "what was indexed from there stays as it was.",
    )


def _enter(name: str, parent: int, uri: str, accept: PathFilter, route: _Route | None, depth: int) -> _Level:
    if depth >= MAX_DEPTH:
        raise OSError(errno.EMFILE, f"it lies more than {MAX_DEPTH} folders deep")
    folder = enter(name, parent)
    try:
        return _level(folder, uri, accept, route)
    except OSError:
        os.close(folder)
        raise


class _Route:
    """The way to some folders: which to read, and where to turn."""

    def __init__(self, folders: Collection[str]) -> None:
        self.read: set[str] = set()
        self.turns: dict[str, set[str]] = {}
        for folder in folders:
            try:
                split(folder)
            except ValueError:
                # No folder has this uri, so nothing lies in it.
                continue
            prefix = ""
            for segment in folder.split("/") if folder else ():
                self.turns.setdefault(prefix, set()).add(f"{segment}/")
                prefix += f"{segment}/"
            self.read.add(prefix)


def _level(folder: int, prefix: str, accept: PathFilter, route: _Route | None) -> _Level:
    if route is None:
        found = _scan(folder, accept.hidden, with_folders=True)
    else:
        found = _scan(folder, accept.hidden, with_folders=False) if prefix in route.read else []
    together = "".join(found)
    names: dict[str, str] = {}
    if not together.isascii() or "%" in together:
        names = {segment: name for name in found if (segment := encode(name)) != name}
        found = [encode(name) for name in found]
    for turn in route.turns.get(prefix, ()) if route else ():
        found.append(turn)
        names[turn] = split(turn[:-1])[0]
    found.sort()
    return _Level(folder, prefix, iter(found), names)


def _scan(folder: int, hidden: bool, *, with_folders: bool) -> list[str]:
    """Regular files and folders, these with a slash; links, sockets, pipes and devices are no documents."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == "." and not hidden:
                continue
            if entry.is_file(follow_symlinks=False):
                found.append(name)
            elif with_folders and entry.is_dir(follow_symlinks=False):
                found.append(name + "/")
    return found
