"""The connector for git repositories."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterator, MutableSequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote_from_bytes

from connectors.base import (
    BYTES,
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    DocumentForbidden,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    OwnersFile,
    Patterns,
    SourceUnavailable,
    Unlisted,
    shortened,
)
from connectors.cache import held
from connectors.codeowners import PLACES, SIZE_MAX
from connectors.git.blob import read
from connectors.git.command import Git, GitError, GitMissing, Patience
from connectors.git.history import renames, walk
from connectors.git.hosting import links
from connectors.git.lfs import POINTER_MAX, POINTER_MIN
from connectors.git.reasons import reason
from connectors.git.repository import REGULAR, SUBMODULE, NoRepository, RefMissing, Repository, folder_of
from connectors.git.settings import GitSettings, place_of
from connectors.git.tree import Row, Tree, suffix_of
from connectors.paths import split
from connectors.patterns import PathFilter

#: Blobs of one request: few at first, as nobody knows how many are wanted.
_BLOBS_FIRST, _BLOBS_MOST = 32, 512


class GitConnector(Connector):
    """A branch or tag of a repository, as it is committed."""

    settings_model = GitSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        token="content", detects=frozenset({"renames", "owners", "dates", "links"})
    )

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, GitSettings)
        place = place_of(settings.repository)
        self._path = Path(os.path.normpath(context.base.absolute() / Path(place.address).expanduser()))
        self._place = place
        self._ref = settings.ref
        self._token = settings.token.get_secret_value() if settings.token else None
        self._key = settings.key_file(context.base)
        self._filter = PathFilter(Patterns(settings.include), Patterns(settings.exclude), settings.hidden)
        self._home, self._link = links(place, settings.branch, settings.tag)
        self.patience = Patience()
        self._asked: tuple[float, str] | None = None
        """When a remote repository was asked for its head, and what it said."""
        self._suffixes: set[str] = set()
        """Those of the documents that were fetched."""
        self._window = _BLOBS_FIRST

    def probe(self) -> str:
        with self._errors():
            self._head(self._repository(Path(os.devnull)))
        return self._identity()

    def list(self, folders: Collection[str] | None = None) -> Listing:
        with self._present() as (tree, _):
            rows = tree.copied()
        unlisted: list[Unlisted] = []
        entries = self._entries(rows, None if folders is None else frozenset(folders), unlisted)
        next(entries)
        return Listing(entries, [], unlisted)

    def _entries(
        self, rows: Iterator[Row], folders: frozenset[str] | None, unlisted: MutableSequence[Unlisted]
    ) -> Iterator[Entry]:
        """The entry of no document first, so that what has begun is ended when nobody reads on."""
        yield self._entry(next(rows))
        for row in rows:
            if folders is not None and row.uri.rpartition("/")[0] not in folders:
                continue
            if row.mode in REGULAR:
                if self._takes(row.uri):
                    yield self._entry(row)
            elif row.mode == SUBMODULE and folders is None and self._filter.covers(f"{row.uri}/"):
                unlisted.append(_submodule(row))

    def stat(self, uri: str) -> Entry | None:
        with self._present() as (tree, _):
            row = tree.row(uri)
        return self._entry(row) if row and row.mode in REGULAR and self._takes(uri) else None

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        with self._present() as (tree, repository):
            row = tree.row(uri)
            if row is None or row.mode not in REGULAR or not self._takes(uri):
                raise DocumentVanished(f"{shortened(uri)!r} is not a document of this source any more.")
            self._suffixes.add(suffix_of(uri))
            fetched = self._read(row, repository, into)
            if fetched is None and not repository.local:
                fetched = self._read_remote(row, tree, repository, into)
        if fetched is None:
            raise DocumentForbidden(
                f"{shortened(uri)!r} is in the commit, and its bytes, the blob {row.blob}, cannot be read "
                f"from the repository {self._shown()}; git fsck says what is wrong with it."
            )
        return fetched

    def _read(self, row: Row, repository: Repository, into: Path | None) -> Fetched | None:
        """One document; None where the repository lacks its bytes."""
        received = read(repository, row.blob, row.uri, into, self.context.max_size)
        if received is None:
            return None
        return Fetched(self._entry(row)._replace(size=received.size), received.content_hash)

    def _read_remote(self, row: Row, tree: Tree, repository: Repository, into: Path | None) -> Fetched | None:
        """A document whose bytes are not in the clone; None where the server lacks them, too."""
        for clone in ("as it is", "made anew"):
            try:
                if not self._bring(row, tree, repository):
                    return None
                fetched = self._read(row, repository, into)
            except GitError as error:
                if clone == "made anew" or not error.damage:
                    raise
                fetched = None
            if fetched is not None:
                return fetched
            repository.drop()
        return None

    def _bring(self, row: Row, tree: Tree, repository: Repository) -> bool:
        """Have the bytes of this document, and of those that are likely next; whether the server has them."""
        rows = tree.after(row, self._suffixes, self._window)
        self._window = min(2 * self._window, _BLOBS_MOST)
        # Where the server lacks one of many, that must not keep the others away.
        for wanted in (rows, [row]):
            try:
                repository.bring_blobs(sorted({each.blob for each in wanted}))
            except GitError as error:
                if not error.refused:
                    raise
            else:
                tree.read(wanted)
                return True
        return False

    def url(self, uri: str) -> str:
        path = quote_from_bytes(os.fsencode("/".join(split(uri))))
        if self._place.local:
            return f"{self.home().rstrip('/')}/{path}"
        return self._link(path)

    def home(self) -> str:
        return f"file://{quote_from_bytes(os.fsencode(self._path))}" if self._place.local else self._home

    def codeowners(self) -> OwnersFile | None:
        with self._present() as (tree, _):
            text = tree.owners
        return None if text is None else OwnersFile(text)

    def close(self) -> None:
        """Nothing is held but the last answer of a server, which is not believed any more."""
        self._asked = None

    @contextmanager
    def _present(self) -> Iterator[tuple[Tree, Repository]]:
        """The tree of the present head. No other process changes tree or clone meanwhile."""
        with self._errors(), ExitStack() as stack:
            try:
                cache = stack.enter_context(held(self.context.cache))
            except OSError as error:
                raise SourceUnavailable(
                    f"The folder {str(self.context.cache)!r}, in which source {self.context.source!r} keeps "
                    f"its clone, cannot be used: {error.strerror or error}."
                ) from error
            repository = self._repository(cache)
            head = self._head(repository)
            try:
                with Tree.opened(cache / "tree.db", self._identity()) as tree:
                    if tree.commit != head:
                        self._update(tree, repository, head)
                    yield tree, repository
            except sqlite3.DatabaseError as error:
                (cache / "tree.db").unlink(missing_ok=True)
                raise SourceUnavailable(
                    f"What is kept of source {self.context.source!r} in {str(cache)!r} was damaged, and has "
                    f"been removed ({error}). The next attempt begins anew."
                ) from error

    def _update(self, tree: Tree, repository: Repository, head: str) -> None:
        try:
            self._replace(tree, repository, head)
        except GitError as error:
            if repository.local or not error.damage:
                raise
            repository.drop()
            self._replace(tree, repository, head)

    def _replace(self, tree: Tree, repository: Repository, head: str) -> None:
        commit = repository.bring(head)
        git, before = repository.git, tree.commit
        walked = walk(git, commit, before, repository.shallow())
        found = renames(git, before, commit) if before and walked.created else []
        owners = self._owners(repository, commit)
        tree.replace(commit, repository.files(commit), walked, found, owners)
        self._asked = (time.monotonic(), commit)

    def _owners(self, repository: Repository, commit: str) -> str | None:
        """The text of the first CODEOWNERS file of a commit. Raises GitError."""
        places = {file.uri: file.blob for file in repository.files_at(commit, PLACES) if file.mode in REGULAR}
        blob = next((places[place] for place in PLACES if place in places), None)
        if blob is None:
            return None
        if (text := repository.text(blob, SIZE_MAX)) is not None:
            return text.decode("utf-8-sig", "replace")
        raise SourceUnavailable(
            f"The file CODEOWNERS of the repository {self._shown()} of source {self.context.source!r} is "
            f"larger than {SIZE_MAX:,} bytes."
        )

    def _repository(self, cache: Path) -> Repository:
        """Raises NoRepository."""
        folder = folder_of(self._path) if self._place.local else cache / BYTES / "clone.git"
        return Repository(Git(folder, self._place, self.patience, self._token, self._key), self._ref)

    def _head(self, repository: Repository) -> str:
        """The head as it is now, or was some seconds ago. Raises what `Repository.head` raises."""
        now = time.monotonic()
        if self._asked is None or repository.local or now - self._asked[0] >= self.patience.trust:
            self._asked = None
            self._asked = (now, repository.head())
        return self._asked[1]

    def _identity(self) -> str:
        place = self._place
        where = str(self._path.resolve()) if place.local else f"{place.scheme}://{place.host}/{place.path}"
        return f"{where} ({self._ref.removeprefix('refs/heads/').removeprefix('refs/')})"

    def _takes(self, uri: str) -> bool:
        # Git itself makes no such names, but a tree may have them.
        return self._filter.takes(uri) and not {".", ".."}.intersection(uri.split("/"))

    def _entry(self, row: Row) -> Entry:
        # A file as small as a pointer of LFS may stand for another.
        size = None if row.size is not None and POINTER_MIN <= row.size <= POINTER_MAX else row.size
        at = None if row.at is None else row.at * 1_000_000_000
        said = {"author": row.author} if row.author else {}
        return Entry(row.uri, row.blob, size, at, row.native, said)

    def _shown(self) -> str:
        return repr(shortened(str(self._path) if self._place.local else self._place.address))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises SourceUnavailable for what befalls the repository as a whole."""
        try:
            yield
        except (GitMissing, NoRepository, RefMissing, GitError) as error:
            raise SourceUnavailable(
                f"The repository {self._shown()} of source {self.context.source!r} "
                f"{reason(error, self._path, self._ref)}."
            ) from error


def _submodule(row: Row) -> Unlisted:
    return Unlisted(
        row.uri,
        "submodule",
        f"{shortened(row.uri)!r} is a submodule, a repository of its own. To have its documents, add it as a "
        "source.",
    )
