"""The git work tree that a folder lies in, and when git last wrote one there."""

from __future__ import annotations

import os
from pathlib import Path

#: Characters of a ``.git`` file, which names a folder.
_LINK_MAX = 10_000


def checked_out_at(folder: Path) -> int | None:
    """When the work tree that this folder lies in was cloned, or was last switched to another branch:
    nanoseconds since the epoch, UTC. None: it lies in none that can be looked into.

    Git writes HEAD then, and not at a commit.
    """
    found = _found(folder)
    return None if found is None else found[1]


def work_tree(folder: Path) -> Path | None:
    """The top of the work tree that this folder lies in; None where it lies in none."""
    found = _found(folder)
    return None if found is None else found[0]


def _found(folder: Path) -> tuple[Path, int] | None:
    """(top of the work tree, when its HEAD was written)."""
    here = Path(os.path.realpath(folder))
    for place in (here, *here.parents):
        try:
            return place, (git_folder(place) / "HEAD").stat().st_mtime_ns
        except (OSError, ValueError):
            continue
    return None


def git_folder(place: Path) -> Path:
    """Git's own folder. In linked work trees and submodules ``.git`` is a file that names it."""
    git = place / ".git"
    if not git.is_file():
        return git
    with git.open(encoding="utf-8", errors="surrogateescape") as file:
        return place / file.read(_LINK_MAX).removeprefix("gitdir:").strip()
