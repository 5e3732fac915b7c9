"""Documents in a folder.

Only regular files are documents: links are not followed, neither to files nor to folders, and neither on
the way to a file; so nothing outside the root is ever read, but for the CODEOWNERS file of the git work tree
that the root lies in. Nothing is ever written below the root, but by the mode that is a drop folder:
`connectors.drop`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, MutableSequence, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import ClassVar, Literal
from urllib.parse import quote_from_bytes

from pydantic import field_validator, model_validator

from connectors.base import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    DocumentForbidden,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Patterns,
    SourceUnavailable,
    Unlisted,
    shortened,
)
from connectors.codeowners import OwnersFile, owners_file
from connectors.paths import descend, encode, split
from connectors.patterns import PathFilter
from connectors.stable_read import document_errors, read_whole
from connectors.walk import entry_of, walk
from connectors.worktree import checked_out_at

#: Without O_NONBLOCK the opening of a pipe would wait for its writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class FilesSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"root", "mode", "archive", "quarantine"})

    root: str
    """The folder, relative to the configuration; ``~`` is the home folder."""
    hidden: bool = False
    """Whether files and folders whose names start with a dot are documents, too."""
    mode: Literal["mirror", "drop"] = "mirror"
    """``drop``: people put files in, and freshkb moves them on once they are in the index."""
    archive: str | None = None
    """Of a drop folder: where files go that are in the index. Without it they stay."""
    quarantine: str | None = None
    """Of a drop folder: where files go that could not be indexed, with a note beside each that says why."""

    @field_validator("root", "archive", "quarantine")
    @classmethod
    def _root_is_a_path(cls, root: str | None) -> str | None:
        if root is None:
            return None
        if not root.strip() or "\0" in root:
            raise ValueError("must name a folder")
        try:
            Path(root).expanduser()
        except RuntimeError as error:
            raise ValueError(f"{root!r} names the home folder of an unknown user") from error
        return root

    @model_validator(mode="after")
    def _places_are_apart(self) -> FilesSettings:
        """As far as the names tell: the connector looks at the folders themselves."""
        places = {"root": self.root, "archive": self.archive, "quarantine": self.quarantine}
        given = {
            key: _below(Path("/configuration"), path) for key, path in places.items() if path is not None
        }
        if self.mode != "drop" and len(given) > 1:
            raise ValueError(f"has {' and '.join([*given][1:])}, which need `mode: drop`")
        for inner, path in given.items():
            for outer, other in given.items():
                if inner != outer and path.is_relative_to(other):
                    raise ValueError(f"has its {inner} in its {outer}; name folders apart from each other")
        return self

    def folder(self, base: Path) -> Path:
        return _below(base.resolve(), self.root)


class FilesConnector(Connector):
    """A folder of the local file system, or of one that is mounted."""

    settings_model = FilesSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        token="mtime", watch=True, detects=frozenset({"renames", "owners", "dates"})
    )

    def __new__(cls, settings: ConnectorSettings, context: Context) -> FilesConnector:
        if cls is FilesConnector and isinstance(settings, FilesSettings) and settings.mode == "drop":
            from connectors.drop import DropConnector

            return super().__new__(DropConnector)
        return super().__new__(cls)

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, FilesSettings)
        self.root = settings.folder(context.base)
        self._hidden = settings.hidden
        self._include = Patterns(settings.include)
        self._exclude = Patterns(settings.exclude)
        self._filtered: tuple[str, PathFilter] | None = None
        """The filter made last, and the place it was made for."""

    def probe(self) -> str:
        """The root's real path, file system and inode. A mount that is missing shows the empty folder below
        it, which has another inode; but the tops of two file systems often have the same one."""
        with self._opened() as top:
            self._filter()
            try:
                file_system = os.fstatvfs(top).f_fsid
            except OSError as error:
                raise self._unavailable(error) from error
            place = os.path.realpath(self.root)
            return f"{place} (file system {file_system:x}, inode {os.fstat(top).st_ino})"

    def list(self, folders: Collection[str] | None = None) -> Listing:
        errors: list[str] = []
        unlisted: list[Unlisted] = []
        entries = self._entries(errors, unlisted, folders)
        # Runs up to where the top has been read, so that its failure is raised here, not to the reader.
        next(entries)
        return Listing(entries, errors, unlisted)

    def _entries(
        self,
        errors: MutableSequence[str],
        unlisted: MutableSequence[Unlisted],
        folders: Collection[str] | None,
    ) -> Iterator[Entry]:
        with self._opened() as top:
            try:
                found = walk(top, self._filter(), errors, unlisted, folders)
            except OSError as error:
                raise self._unavailable(error) from error
            yield _STARTED
            yield from found
            try:
                same = os.path.samestat(self.root.stat(), os.fstat(top))
            except OSError:
                same = False
            if not same:
                errors.append(f"The folder {str(self.root)!r} was replaced while it was listed.")

    def stat(self, uri: str) -> Entry | None:
        try:
            names = split(uri)
        except ValueError:
            return None
        with self._opened() as top:
            if not names or not self._filter().takes(uri):
                return None
            try:
                with document_errors(uri), _folder(top, names) as folder:
                    info = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
            except DocumentVanished:
                return None
        return entry_of(uri, info) if S_ISREG(info.st_mode) else None

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        try:
            names = split(uri)
        except ValueError as error:
            raise DocumentForbidden(f"{shortened(uri)!r} is not the uri of a file: {error}") from error
        with self._opened() as top:
            if not names or not self._filter().takes(uri):
                raise DocumentVanished(f"{shortened(uri)!r} is not a document of this source any more.")

            def open_again() -> int:
                with _folder(top, names) as folder:
                    return os.open(names[-1], _READ, dir_fd=folder)

            version = read_whole(open_again, uri, into, self.context.max_size)
        entry = entry_of(uri, version.info)
        return Fetched(entry._replace(token=None) if version.ambiguous else entry, version.content_hash)

    def url(self, uri: str) -> str:
        return _link(self.root.joinpath(*split(uri)))

    def home(self) -> str:
        return _link(self.root)

    def checked_out_at(self) -> int | None:
        return checked_out_at(self.root)

    def codeowners(self) -> OwnersFile | None:
        with self._opened():
            try:
                return owners_file(self.root)
            except OSError as error:
                raise SourceUnavailable(
                    f"The file {str(error.filename)!r}, which names the owners of source "
                    f"{self.context.source!r}, cannot be read: {error.strerror}. Mend or remove it."
                ) from error

    def watch(
        self, on_hint: Callable[[str | None], None], *, polling: bool = False
    ) -> AbstractContextManager[None]:
        """Hints from the kernel, or, with `polling`, from looking now and then, as network mounts need."""
        from connectors.watching import watching

        return watching(self.root, self._filter(), on_hint, polling=polling)

    def _filter(self) -> PathFilter:
        """The filter of the place where the root is now."""
        place = os.path.realpath(self.root)
        if self._filtered is None or self._filtered[0] != place:
            self._filtered = place, self._filter_of(Path(place))
        return self._filtered[1]

    def _filter_of(self, root: Path) -> PathFilter:
        for path in self.context.private:
            if root.is_relative_to(path):
                raise SourceUnavailable(
                    f"The folder {str(self.root)!r} of source {self.context.source!r} lies in {str(path)!r}, "
                    "where freshkb keeps its own files."
                )
        private = (path.relative_to(root) for path in self.context.private if path.is_relative_to(root))
        return PathFilter(
            self._include, self._exclude, self._hidden, frozenset(encode(path.as_posix()) for path in private)
        )

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the root. The root itself may be a link: it was configured on purpose."""
        try:
            top = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            yield top
        finally:
            os.close(top)

    def _unavailable(self, error: OSError) -> SourceUnavailable:
        match error:
            case FileNotFoundError():
                why = "does not exist; is it mounted?"
            case NotADirectoryError():
                why = "is not a folder."
            case PermissionError():
                why = f"may not be read: {error.strerror}."
            case _:
                why = f"cannot be read: {error.strerror or error}."
        return SourceUnavailable(f"The folder {str(self.root)!r} of source {self.context.source!r} {why}")


def _below(base: Path, name: str) -> Path:
    return Path(os.path.normpath(base / Path(name).expanduser()))


def _link(path: Path) -> str:
    return f"file://{quote_from_bytes(os.fsencode(path))}"


_STARTED = Entry("", None, None, None, None)


@contextmanager
def _folder(top: int, names: Sequence[str]) -> Iterator[int]:
    """The folder that the last name lies in."""
    folder = descend(top, names[:-1])
    try:
        yield folder
    finally:
        os.close(folder)
