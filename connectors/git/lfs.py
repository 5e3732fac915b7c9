"""Documents that Git LFS keeps: the repository has a pointer in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

from connectors.errors import DocumentError, DocumentForbidden, SourceUnavailable, shortened
from connectors.git.command import GitError, GitMissing
from connectors.git.repository import Repository

#: Bytes of a pointer, by the specification of LFS; the shortest has a size of one digit.
POINTER_MIN, POINTER_MAX = 120, 1024

_BLOCK = 1 << 16

_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n(?:ext-[^\n]+\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n"
)


class Pointer(NamedTuple):
    oid: str
    """sha256 of the document, hex."""
    size: int
    text: bytes


def pointer_of(text: bytes) -> Pointer | None:
    """The pointer that these bytes are."""
    found = _POINTER.fullmatch(text)
    return None if found is None else Pointer(found[1].decode(), int(found[2]), text)


@contextmanager
def content(repository: Repository, pointer: Pointer, uri: str) -> Iterator[Iterator[bytes]]:
    """The bytes of the document, in blocks. Raises DocumentError where they cannot be had."""
    if (kept := repository.kept_by_lfs(pointer.oid)) is not None:
        with kept.open("rb") as file:
            yield iter(lambda: file.read(_BLOCK), b"")
        return
    named = f"{shortened(uri)!r} is kept by Git LFS"
    if repository.local:
        raise DocumentError(
            f"{named}, and its bytes are not in the repository {shortened(repository.git.place.address)!r}: "
            "run git lfs fetch there."
        )
    git = repository.git
    given = False
    try:
        with git.stream(
            "smudge",
            stdin=pointer.text,
            network=True,
            seconds=git.patience.transfer,
            program=("git-lfs",),
        ) as out:
            first = out.read(_BLOCK)
            # What it cannot fetch it leaves as it is, and says so.
            given = not first.startswith(pointer.text)
            if given:
                yield chain([first], iter(lambda: out.read(_BLOCK), b""))
    except GitMissing as error:
        raise DocumentError(
            f"{named}, and the program git-lfs, which fetches it, is not installed: https://git-lfs.com."
        ) from error
    except GitError as error:
        if error.passing:
            raise SourceUnavailable(f"{named}, and its server does not answer: {error}.") from error
        raise DocumentForbidden(f"{named}, and its server does not give it: {error}.") from error
    if not given:
        raise DocumentForbidden(f"{named}, and its server does not give it.")
