"""Why a repository cannot be read, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

from connectors.git.command import GitError, GitMissing
from connectors.git.repository import NoRepository
from connectors.worktree import work_tree

#: What git says, and what that means for the repository. The first that matches counts.
_MEANINGS = [
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (
            r"host key verification failed",
            "has a host that ssh does not know: connect to it once by hand, or add its key to known_hosts",
        ),
        (
            r"could not read (username|password)|authentication failed|permission denied|error: 40[13]",
            "refuses these credentials, or asks for some: token is for https, ssh_key or an agent for ssh",
        ),
        (
            r"repository .*not found|error: 404|does not appear to be a git repository|does not exist",
            "is not there, or is not shown to these credentials",
        ),
        (r"certificate|\bssl\b|\btls\b", "has a certificate that is not trusted, or none that is valid"),
        (r"error: 429", "asks for fewer requests: sync less often"),
        (r"timed out|too slow", "does not answer in time"),
    )
]


def reason(error: Exception, path: Path, ref: str) -> str:
    """The end of a sentence that begins with a repository, without its full stop. `path` is that of a local
    one, `ref` what was looked for."""
    match error:
        case GitMissing():
            return "is read by the program git, which is not installed: install it, as by apt-get install git"
        case NoRepository():
            return _without_repository(path)
        case GitError():
            for pattern, meaning in _MEANINGS:
                if pattern.search(error.said):
                    return f"{meaning} ({error})"
            return f"cannot be read: {error}"
    if ref == "HEAD":
        return "has no commit at its HEAD; name another by the key branch or tag"
    kind = "tag" if ref.startswith("refs/tags/") else "branch"
    return f"has no {kind} {ref.split('/', 2)[2]!r}; was it removed? Name another by the key {kind}"


def _without_repository(path: Path) -> str:
    if not path.exists():
        return "does not exist; is it mounted"
    if (top := work_tree(path)) is not None:
        return f"is a folder in one: name {str(top)!r}, and the folder by the key include"
    return "is none: the folder is neither a work tree of git nor a bare repository"
