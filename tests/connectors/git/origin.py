"""A bare repository that tests write commits into, by git's fast-import: ten thousand take seconds."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: The committer's clock at the first commit; it goes on a minute with each.
BEGIN = 1_700_000_000
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/local/bin",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=stdin,
        capture_output=True,
        check=True,
        env={**ENVIRONMENT, "HOME": str(folder)},
    )
    return done.stdout.decode(errors="surrogateescape").strip()


@dataclass
class Origin:
    """`files` are those of the branch now, by path."""

    path: Path
    branch: str = "main"
    files: dict[bytes, bytes] = field(default_factory=dict)
    commits: int = 0
    script: list[bytes] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    """Branches that the script has commits of."""
    tips: dict[str, str] = field(default_factory=dict)
    states: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    """The files at each commit that the branch was at."""

    def __post_init__(self) -> None:
        if not self.path.exists():
            subprocess.run(
                ["git", "init", "-q", "--bare", "-b", self.branch, str(self.path)],
                check=True,
                env=ENVIRONMENT,
            )
            for name, value in {
                "uploadpack.allowFilter": "true",
                "uploadpack.allowAnySHA1InWant": "true",
                "http.receivepack": "true",
                "gc.auto": "0",
            }.items():
                git(self.path, "config", name, value)

    def add(
        self,
        put: Mapping[str | bytes, bytes] | None = None,
        remove: Iterable[str | bytes] = (),
        rename: Iterable[tuple[str, str]] = (),
        *,
        mode: str = "100644",
        author: str = "Anna",
        at: int | None = None,
        onto: str | None = None,
        merge: str | None = None,
        branch: str | None = None,
    ) -> None:
        """Another commit, which is written by `flush`. `onto` is its parent, where it is not the last commit
        of its branch."""
        self.commits += 1
        at = BEGIN + 60 * self.commits if at is None else at
        ref = f"refs/heads/{branch or self.branch}"
        said = f"commit {self.commits}".encode()
        lines = [
            f"commit {ref}\nmark :{self.commits}\n".encode(),
            f"author {author} <a@example.org> {at} +0000\n".encode(),
            f"committer {author} <a@example.org> {at} +0000\n".encode(),
            b"data %d\n%s\n" % (len(said), said),
        ]
        if onto is not None:
            lines.append(f"from {onto}\n".encode())
        elif ref not in self.begun and ref in self.tips:
            lines.append(f"from {self.tips[ref]}\n".encode())
        self.begun.add(ref)
        if merge is not None:
            lines.append(f"merge {merge}\n".encode())
        for old, new in rename:
            lines.append(b"R %s %s\n" % (quoted(old), quoted(new)))
            if branch is None:
                self.files[_raw(new)] = self.files.pop(_raw(old))
        for path in remove:
            lines.append(b"D %s\n" % quoted(path))
            if branch is None:
                del self.files[_raw(path)]
        for path, data in (put or {}).items():
            if mode == "160000":
                lines.append(b"M 160000 %s %s\n" % (data, quoted(path)))
                continue
            lines.append(b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), quoted(path), len(data), data))
            if branch is None and mode.startswith("100"):
                self.files[_raw(path)] = data
        self.script.append(b"".join(lines) + b"\n")

    def flush(self) -> str:
        """The commit that the branch is at once all are written."""
        ref = f"refs/heads/{self.branch}"
        if self.script:
            asked = b"".join(self.script) + f"get-mark :{self.commits}\ndone\n".encode()
            last = git(self.path, "fast-import", "--quiet", "--force", "--done", stdin=asked)
            if self.begun == {ref}:
                self.tips[ref] = last
            else:
                self.tips.update((each, git(self.path, "rev-parse", each)) for each in self.begun)
            self.script.clear()
            self.begun.clear()
        self.states[self.tips[ref]] = dict(self.files)
        return self.tips[ref]

    def commit(self, *arguments: object, **keywords: object) -> str:
        self.add(*arguments, **keywords)  # type: ignore[arg-type]
        return self.flush()

    def reset(self, commit: str) -> None:
        """Force the branch to this commit, at which it was before."""
        git(self.path, "update-ref", f"refs/heads/{self.branch}", commit)
        self.tips[f"refs/heads/{self.branch}"] = commit
        self.files = dict(self.states[commit])

    def tokens(self) -> dict[str, str]:
        """The blob of each file, by path."""
        return {
            os.fsdecode(path): hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()
            for path, data in self.files.items()
        }


def _raw(path: str | bytes) -> bytes:
    return path if isinstance(path, bytes) else path.encode(errors="surrogateescape")


def quoted(path: str | bytes) -> bytes:
    """A path as fast-import reads it: bytes that are not plain in octal."""
    return b'"%s"' % b"".join(
        bytes([byte]) if 0x20 <= byte < 0x7F and byte not in b'"\\' else b"\\%03o" % byte
        for byte in _raw(path)
    )
