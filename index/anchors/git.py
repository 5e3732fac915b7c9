"""A branch of a git repository: a commit for each checkpoint.

The branch is this log's own. Only objects and its reference are written: no work tree, no index and no other
branch is touched, and none of the repository's hooks runs.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from index.anchors.anchor import is_of
from index.anchors.spec import AnchorSpec
from index.errors import AnchorError

#: The file in each commit.
_FILE = "checkpoint"
_TIMEOUT_SECONDS = 60
#: Settings of the user or the repository that could run programs, ask for a passphrase or lose the commit.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsync": "all",
    "commit.gpgSign": "false",
    "user.name": "freshkb",
    "user.email": "freshkb@localhost",
}


class GitAnchor:
    readable = True

    def __init__(self, spec: AnchorSpec) -> None:
        assert spec.path is not None
        self.spec = spec
        self._path: Path = spec.path

    def newest(self, origin: str) -> str | None:
        heads = list(self._heads(origin))
        return next(iter(self._notes(origin, heads[:1])), None)

    def all(self, origin: str, having: str = "") -> Sequence[str]:
        heads = self._heads(origin)
        commits = self._git("rev-list", "--reverse", *heads).split() if heads else []
        return self._notes(origin, commits, having)

    def write(self, origin: str, note: str) -> None:
        heads = self._heads(_above(origin))
        before = next(iter(self._heads(origin, below=False)), None)
        # Times have whole seconds, and the newest of several branches is told by them.
        at = max([int(time.time()), *(made + 1 for head, made in heads.items() if head != before)])
        blob = self._git("hash-object", "-w", "--stdin", given=note).strip()
        tree = self._git("mktree", given=f"100644 blob {blob}\t{_FILE}\n").strip()
        parent = ["-p", before] if before else []
        size = note.split("\n")[1]
        message = ("-m", f"{size} entries")
        commit = self._git("commit-tree", tree, *parent, *message, at=at).strip()
        # Refused when another process was faster; its checkpoint is the newer one, or the next run's will be.
        self._git("update-ref", "-m", "checkpoint", _branch(origin), commit, before or "0" * len(commit))

    def _heads(self, origin: str, *, below: bool = True) -> dict[str, int]:
        """{newest commit: its time} of the branch of this origin, newest first; `below`: of those below it,
        too."""
        self._git("rev-parse", "--git-dir")
        branches = [_branch(origin), *([f"{_branch(origin)}-*"] if below else [])]
        form = "--format=%(objectname) %(committerdate:unix)"
        found = self._git("for-each-ref", "--sort=-committerdate", form, *branches).splitlines()
        return {commit: int(made) for commit, made in map(str.split, found)}

    def _notes(self, origin: str, commits: Sequence[str], having: str = "") -> list[str]:
        if not commits:
            return []
        asked = "".join(f"{commit}:{_FILE}\n" for commit in commits)
        answer, notes = self._git("cat-file", "--batch", given=asked).encode(), []
        while answer:
            head, _, answer = answer.partition(b"\n")
            if head.endswith(b" missing"):
                continue
            size = int(head.split()[-1])
            notes.append(answer[:size].decode("utf-8", "replace"))
            answer = answer[size + 1 :]
        return [note for note in notes if having in note and is_of(note, origin)]

    def _git(self, *arguments: str, given: str = "", at: int | None = None) -> str:
        """What git prints; `at` is the time of a commit. Raises AnchorError when it fails."""
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        # Variables of a git that has started this process, such as GIT_DIR, are about another repository.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        environment |= {"GIT_COMMITTER_DATE": f"{at} +0000"} if at is not None else {}
        # A folder inside of another repository is no repository of its own.
        environment |= {"GIT_CEILING_DIRECTORIES": str(self._path.parent)}
        try:
            done = subprocess.run(
                ["git", "-C", str(self._path), *settings, *arguments],
                input=given.encode(),
                capture_output=True,
                env=environment,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise AnchorError(f"The anchor {self.spec} cannot be used: git is not installed.") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AnchorError(f"The anchor {self.spec} cannot be used: {error}.") from error
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[:500]
            raise AnchorError(f"The anchor {self.spec} cannot be used: git {arguments[0]}: {said}")
        return done.stdout.decode("utf-8", "replace")


def _above(origin: str) -> str:
    """The origin that this one is below of, or itself: a program's name and an id, without what follows."""
    return "/".join(origin.split("/")[:2])


def _branch(origin: str) -> str:
    return f"refs/heads/{origin.replace('/', '-')}"
