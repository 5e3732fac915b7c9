"""One repository: its head, and the commits, trees and blobs that it has.

A local repository is read where it is. Of a remote one a bare clone is kept in a folder that may be gone at
any time; it is begun anew then, and has no blobs but those that were asked for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from connectors.git.command import Git, GitError
from connectors.git.history import uri_of
from connectors.worktree import git_folder

_HEAD = "refs/freshkb/head"
_BLOCK = 1 << 16
#: Commands that bring objects write no other ref, and ask for no module.
_FETCH = (
    "fetch",
    "--quiet",
    "--force",
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--no-show-forced-updates",
    "--filter=blob:none",
)

REGULAR = frozenset({"100644", "100755", "100664"})
SUBMODULE = "160000"


class RefMissing(Exception):
    """The repository has no such branch or tag, or no commit at all."""


class NoRepository(Exception):
    """The folder holds none. The message says what is there."""


class TreeFile(NamedTuple):
    uri: str
    mode: str
    blob: str
    size: int | None
    """Bytes, where they are known without the blob."""


@dataclass(frozen=True, slots=True)
class Repository:
    git: Git
    ref: str

    @property
    def local(self) -> bool:
        return self.git.place.local

    def head(self) -> str:
        """The id of the commit that the branch or tag is at now. Raises RefMissing, GitError, and
        NoRepository when a local one is gone."""
        if self.local:
            if not (self.git.folder / "HEAD").is_file():
                raise NoRepository
            commit = self._commit(self.ref)
            if commit is None:
                # A damaged repository fails here, where it only seems to lack the branch.
                self.git.run("for-each-ref", "--count=1")
                raise RefMissing
            return commit
        names = (self.ref, f"{self.ref}^{{}}") if self.ref.startswith("refs/tags/") else (self.ref,)
        out = self.git.ask(
            "ls-remote", "--quiet", self.git.place.address, *names, seconds=self.git.patience.ask
        )
        found = {name: id for id, _, name in (line.partition("\t") for line in out.decode().splitlines())}
        commit = found.get(names[-1]) or found.get(names[0])
        if commit is None:
            raise RefMissing
        return commit

    def bring(self, commit: str) -> str:
        """Have this commit with its history; the commit that was brought, as the branch may have moved on.
        Raises GitError, RefMissing."""
        if self.local:
            return commit
        self._begin(len(commit))
        seconds = self.git.patience.transfer
        self.git.ask(*_FETCH, "--update-shallow", "origin", f"+{self.ref}:{_HEAD}", seconds=seconds)
        brought = self._commit(_HEAD)
        if brought is None:
            raise RefMissing
        return brought

    def _commit(self, name: str) -> str | None:
        try:
            found = self.git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except GitError:
            return None
        return found.decode().strip() or None

    def _begin(self, id_length: int) -> None:
        """An empty clone, where there is none."""
        folder = self.git.folder
        if (folder / "config").is_file():
            return
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        format = "sha256" if id_length == 64 else "sha1"
        self.git.run("init", "--quiet", "--bare", "--template=", f"--object-format={format}", str(folder))
        self.git.run("config", "remote.origin.url", self.git.place.address)

    def drop(self) -> None:
        """Remove the clone."""
        if not self.local:
            shutil.rmtree(self.git.folder, ignore_errors=True)

    def shallow(self) -> frozenset[str]:
        """Ids of the commits whose parents are missing on purpose."""
        folder = self._common()
        try:
            return frozenset((folder / "shallow").read_text(encoding="ascii").split())
        except FileNotFoundError:
            return frozenset()

    def _common(self) -> Path:
        """The folder that all work trees of a repository share."""
        try:
            return self.git.folder / (self.git.folder / "commondir").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return self.git.folder

    def files(self, commit: str) -> Iterator[TreeFile]:
        """All files of a commit's tree, links and submodules too. Raises GitError."""
        yield from self._files(commit, *(["--long"] if self.local and self._whole() else []))

    def _whole(self) -> bool:
        """Whether it has all blobs, so that their sizes are known: a partial clone lacks some."""
        try:
            self.git.run("config", "--get", "extensions.partialClone")
        except GitError:
            return True
        return False

    def files_at(self, commit: str, paths: Sequence[str]) -> list[TreeFile]:
        """Those of these paths that a commit's tree has. Raises GitError."""
        return list(self._files(commit, paths=paths))

    def _files(self, commit: str, *long: str, paths: Sequence[str] = ()) -> Iterator[TreeFile]:
        with self.git.stream("ls-tree", "-r", "-z", "--full-tree", *long, commit, *paths) as out:
            rest = b""
            while block := out.read(_BLOCK):
                *whole, rest = (rest + block).split(b"\0")
                for line in whole:
                    said, _, path = line.partition(b"\t")
                    mode, _, blob, *size = said.decode().split()
                    bytes = int(size[0]) if size and size[0].isdecimal() else None
                    yield TreeFile(uri_of(path), mode, blob, bytes)

    @contextmanager
    def blob(self, id: str) -> Iterator[tuple[int, IO[bytes]] | None]:
        """(size in bytes, the bytes) of a blob; None where the repository lacks it."""
        found = False
        try:
            with self.git.stream("cat-file", "--batch", stdin=f"{id}\n".encode()) as out:
                first = out.readline().split()
                if len(first) == 3 and first[1] == b"blob":
                    found = True
                    yield int(first[2]), out
                # Git would die of a pipe that nobody reads.
                while out.read(_BLOCK):
                    pass
        except GitError:
            # A clone that lacks a blob is kept from asking for it on its own: a request for each.
            if found:
                raise
        if not found:
            yield None

    def text(self, id: str, most: int) -> bytes | None:
        """The bytes of a blob, brought when they are missing; None for one of more than `most` bytes. Raises
        GitError."""
        for missing in (not self.local, False):
            with self.blob(id) as found:
                if found is not None:
                    size, out = found
                    return out.read(size) if size <= most else None
            if missing:
                self.bring_blobs([id])
        raise GitError(f"fatal: it lacks the blob {id}")

    def bring_blobs(self, ids: Sequence[str]) -> None:
        """Have these blobs, by one request. Raises GitError."""
        self._begin(len(ids[0]))
        self.git.ask(
            "-c",
            "fetch.negotiationAlgorithm=noop",
            *_FETCH,
            "--stdin",
            "origin",
            stdin="".join(f"{id}\n" for id in ids).encode(),
            seconds=self.git.patience.transfer,
        )

    def kept_by_lfs(self, oid: str) -> Path | None:
        """The file in which Git LFS keeps these bytes here."""
        path = self._common() / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        return path if path.is_file() else None


def folder_of(path: Path) -> Path:
    """Git's own folder of the work tree or bare repository at this path. Raises NoRepository."""
    git = git_folder(path)
    if (git / "HEAD").is_file():
        return git
    if (path / "HEAD").is_file() and (path / "objects").is_dir():
        return path
    raise NoRepository
