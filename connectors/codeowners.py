"""The CODEOWNERS file that says who owns the documents of a folder."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from connectors.paths import encode
from connectors.worktree import work_tree

#: Where the file may lie, below the top of a repository; the first that is there counts, as at GitHub.
PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")

#: Bytes; GitHub reads no larger one.
SIZE_MAX = 3_000_000

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class OwnersFile(NamedTuple):
    """A CODEOWNERS file, whose patterns are relative to the top of a repository."""

    text: str
    top: str = ""
    """The path of the source's top in the repository, spelled as uris are; "" where it is the top itself."""


def owners_file(root: Path) -> OwnersFile | None:
    """The file of the git work tree that a folder lies in, else that of the folder itself; None where there
    is none. A link is none. Raises OSError when it is there and cannot be read."""
    here = Path(os.path.realpath(root))
    tops = [top for top in (work_tree(here), here) if top is not None]
    for top in dict.fromkeys(tops):
        for place in PLACES:
            text = _text(top / place)
            if text is not None:
                path = here.relative_to(top).as_posix()
                return OwnersFile(text, "" if path == "." else encode(path))
    return None


def _text(path: Path) -> str | None:
    if path.is_symlink():
        return None
    try:
        file = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(file, "rb") as opened:
        if not S_ISREG(os.fstat(file).st_mode):
            return None
        raw = opened.read(SIZE_MAX + 1)
    if len(raw) > SIZE_MAX:
        raise OSError(None, f"is larger than {SIZE_MAX:,} bytes", str(path))
    return raw.decode("utf-8-sig", "replace")
