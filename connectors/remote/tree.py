"""The documents below a server's folder, in ascending order of uri.

One question for each folder. One folder's names are held for each level of depth; nothing else is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from typing import NamedTuple

from connectors.base import Entry, Unlisted, shortened
from connectors.paths import encode, split
from connectors.patterns import PathFilter
from connectors.remote.server import Dropped, Item, Missing, Names, Trouble, Unusable
from connectors.walk import MAX_DEPTH, MAX_ERRORS

#: Folders in a row that get no answer, after which the server is not asked for more.
GIVEN_UP = 3

Scan = Callable[[Names], Sequence[Item]]


class _Level(NamedTuple):
    path: Names
    prefix: str
    found: Iterator[tuple[str, Item]]
    """Sorted by what stands in the uri: folders end in a slash, which puts their contents in their place."""
    native_id: str | None


def entry_of(uri: str, item: Item) -> Entry:
    """The entry of a file."""
    return Entry(uri, item.token, item.size, item.modified_at, item.native_id)


def walk(
    top: Sequence[Item],
    scan: Scan,
    accept: PathFilter,
    errors: MutableSequence[str],
    unlisted: MutableSequence[Unlisted],
) -> Iterator[Entry]:
    """The documents below the root, whose names are `top`.

    A folder that cannot be listed becomes a sentence in `errors`, also when it is gone: a whole tree may have
    moved to where the walk has already been. The walk ends early, with an error, when the server refuses to
    be asked, or several folders in a row get no answer.
    """
    levels = [_Level((), "", _sorted(top, "", accept, errors), None)]
    unanswered = 0
    while levels:
        path, prefix, found, _ = levels[-1]
        for segment, item in found:
            uri = prefix + segment
            if item.kind == "file":
                yield entry_of(uri, item)
                continue
            if item.native_id is not None and item.native_id in (level.native_id for level in levels):
                # The server follows a link to a folder above.
                continue
            if len(levels) >= MAX_DEPTH:
                if len(unlisted) < MAX_ERRORS:
                    unlisted.append(too_deep(uri[:-1]))
                continue
            below = (*path, item.name)
            try:
                names = scan(below)
            except Trouble as trouble:
                fail(errors, uri, trouble)
                unanswered = unanswered + 1 if isinstance(trouble, Dropped) else 0
                if isinstance(trouble, Unusable) or unanswered >= GIVEN_UP:
                    return
                continue
            unanswered = 0
            levels.append(_Level(below, uri, _sorted(names, uri, accept, errors), item.native_id))
            break
        else:
            levels.pop()


def directly(
    folder: str, scan: Scan, look: Callable[[Names], Item], accept: PathFilter, errors: MutableSequence[str]
) -> list[Entry]:
    """The documents directly in one folder, in ascending order; none when it is gone, or is none."""
    try:
        path = tuple(split(folder))
    except ValueError:
        return []
    if path and not accept.covers(f"{folder}/_"):
        return []
    prefix = f"{folder}/" if path else ""
    try:
        if path and look(path).kind != "folder":
            return []
        names = scan(path)
    except Missing:
        return []
    except Trouble as trouble:
        fail(errors, folder, trouble)
        return []
    found = _sorted(names, prefix, accept, errors)
    return [entry_of(prefix + segment, item) for segment, item in found if item.kind == "file"]


def fail(errors: MutableSequence[str], uri: str, trouble: object) -> None:
    """One sentence more; one broken server must not fill the memory with them."""
    if len(errors) < MAX_ERRORS:
        errors.append(f"{shortened(uri)!r} could not be listed: {trouble}.")


def too_deep(folder: str) -> Unlisted:
    return Unlisted(
        folder,
        "too-deep",
        f"{shortened(folder)!r} lies more than {MAX_DEPTH} folders deep. What is in it is not looked at, and "
        "what was indexed from there stays as it was.",
    )


def _sorted(
    names: Sequence[Item], prefix: str, accept: PathFilter, errors: MutableSequence[str]
) -> Iterator[tuple[str, Item]]:
    """(segment of the uri, item) of the files that are documents and the folders that may hold some."""
    found: dict[str, Item] = {}
    for item in names:
        if not is_name(item.name):
            fail(errors, f"{prefix}{item.name}", "the server gives it a name that no file can have")
            continue
        segment = encode(item.name)
        uri = prefix + segment
        hidden = item.name.startswith(".") and not accept.hidden
        if item.kind == "other" or hidden:
            continue
        if item.kind == "unknown":
            if accept.enters(uri):
                fail(errors, uri, "the server does not say what it is")
            continue
        if item.kind == "file" and not (accept.include.match(uri) and not accept.exclude.match(uri)):
            continue
        if item.kind == "folder":
            if not accept.enters(uri):
                continue
            segment += "/"
        if segment in found:
            fail(errors, uri, "the server lists it twice")
            continue
        found[segment] = item
    return iter(sorted(found.items()))


def is_name(name: str) -> bool:
    """Whether a file can have this name, and a uri can lead to it."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name
