"""The connector for folders on servers: WebDAV, SFTP, SMB, FTP.

Nothing is kept between two questions that could be out of date: no listings, no descriptions of files. Only
regular files are documents, links are not followed where the protocol shows them, and nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, MutableSequence, Sequence
from contextlib import closing
from dataclasses import replace
from heapq import merge
from pathlib import Path
from typing import ClassVar, TypeVar
from urllib.parse import quote

from connectors.base import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    DocumentChanging,
    DocumentError,
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
from connectors.paths import split
from connectors.patterns import PathFilter
from connectors.receive import Received, receive, too_large
from connectors.remote.asking import ask
from connectors.remote.clock import Clock, just_now
from connectors.remote.opening import server_of
from connectors.remote.server import (
    Changed,
    Dropped,
    Item,
    Missing,
    Names,
    Refused,
    Server,
    Trouble,
    Unusable,
)
from connectors.remote.settings import FsspecSettings, address
from connectors.remote.tree import directly, entry_of, walk
from connectors.stable_read import PAUSES

#: What a browser opens a WebDAV folder with.
_LINKS = {"webdav": "http", "webdavs": "https"}

Answer = TypeVar("Answer")


class FsspecConnector(Connector):
    """A folder on a WebDAV, SFTP, SMB or FTP server."""

    settings_model = FsspecSettings
    capabilities: ClassVar[Capabilities] = Capabilities(token="mtime", detects=frozenset({"dates"}))

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, FsspecSettings)
        self._url, self._address = settings.url, address(settings.url)
        self._settings = settings
        self._filter = PathFilter(Patterns(settings.include), Patterns(settings.exclude), settings.hidden)
        self._made: Server | None = None
        self._clock = Clock()

    @property
    def _server(self) -> Server:
        if self._made is None:
            self._made = server_of(self._settings, self.context.base, self.context.source)
            self._describe()
        return self._made

    def _describe(self) -> None:
        """Capabilities are the server's: which it has shows when it answers."""
        assert self._made is not None
        had = self.capabilities
        now = replace(had, token=self._made.token, detects=self._made.detects)
        if now != had:
            vars(self)["capabilities"] = now

    def probe(self) -> str:
        """The url, and what tells its folder from another one there: the real path and file system (SFTP),
        file ids (Nextcloud, SMB, some FTP servers). Where a disk is not mounted, there is another folder."""
        told = self._root()
        self._describe()
        home = f"{self._address.scheme}://{self._address.hostport}{_path(self._address.path)}"
        return f"{home} ({told})" if told else home

    def list(self, folders: Collection[str] | None = None) -> Listing:
        before = self._root()
        errors: list[str] = []
        unlisted: list[Unlisted] = []
        if folders is None:
            try:
                top = self._ask(lambda: self._scan(()))
            except Trouble as trouble:
                raise self._unavailable(trouble) from trouble
            found = walk(top, self._scanned, self._filter, errors, unlisted)
        else:
            parts = [
                directly(folder, self._scanned, self._looked, self._filter, errors) for folder in {*folders}
            ]
            found = merge(*parts)
        return Listing(self._noted(found, before, errors), errors, unlisted)

    def _noted(self, found: Iterator[Entry], before: str, errors: MutableSequence[str]) -> Iterator[Entry]:
        for entry in found:
            self._clock.saw(entry.uri, entry.token, entry.modified_at)
            yield entry
        self._describe()
        try:
            if self._root() != before:
                errors.append(f"{self._place} was replaced while it was listed.")
        except SourceUnavailable as error:
            errors.append(str(error))

    def stat(self, uri: str) -> Entry | None:
        try:
            names = tuple(split(uri))
        except ValueError:
            names = ()
        if not names or not self._filter.takes(uri):
            self._root()
            return None
        item = self._document(uri, names)
        if item is None:
            return None
        entry = entry_of(uri, item)
        self._clock.saw(uri, entry.token, entry.modified_at)
        return entry

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        try:
            names = tuple(split(uri))
        except ValueError as error:
            raise DocumentForbidden(f"{shortened(uri)!r} is not the uri of a file: {error}") from error
        if not names or not self._filter.takes(uri):
            raise DocumentVanished(f"{shortened(uri)!r} is not a document of this source any more.")
        why = "it changed during each of them"
        for pause in (0.0, *PAUSES):
            time.sleep(pause)
            before = self._document(uri, names)
            if before is None:
                raise DocumentVanished(f"{shortened(uri)!r} is gone.")
            if before.size is not None and before.size > self.context.max_size:
                raise too_large(uri, before.size, self.context.max_size)
            try:
                return self._whole(uri, names, before, into)
            except Changed as changed:
                why = str(changed)
        raise DocumentChanging(
            f"{shortened(uri)!r} could not be read whole in {len(PAUSES) + 1} attempts: {why}."
        )

    def _whole(self, uri: str, names: Names, before: Item, into: Path | None) -> Fetched:
        """This version. Raises Changed when it is not the one that is there before and after."""
        now = self._server.time()
        entry = entry_of(uri, before)
        ambiguous = self._clock.ambiguous(uri, entry.token, entry.modified_at, now)
        received = self._received(uri, names, before, into)
        try:
            # In the same second its writer may have gone on, and left size and time as they were.
            if just_now(before.modified_at, now) and self._received(uri, names, before, None) != received:
                raise Changed("it changed while it was read")
            after = self._document(uri, names)
            if after is None:
                raise DocumentVanished(f"{shortened(uri)!r} is gone.")
            if after != before:
                raise Changed("it changed while it was read")
        except BaseException:
            if into is not None:
                into.unlink()
            raise
        entry = entry._replace(size=received.size)
        return Fetched(entry._replace(token=None) if ambiguous else entry, received.content_hash)

    def _received(self, uri: str, names: Names, item: Item, into: Path | None) -> Received:
        def read() -> Received:
            with closing(self._server.read(names, item)) as blocks:
                limited = _limited(blocks, item.size)
                return receive(limited, uri, into, self.context.max_size, announced=item.size)

        try:
            return self._ask(read)
        except DocumentChanging as error:
            raise Changed("as many bytes as were announced never came") from error
        except Changed:
            raise
        except Trouble as trouble:
            raise self._document_error(uri, trouble) from trouble

    def _document(self, uri: str, names: Names) -> Item | None:
        """The file as it is now; None when there is none."""
        try:
            item = self._ask(lambda: self._server.look(names))
        except Missing:
            # Where the root is gone too, it is not this document that was removed.
            self._root()
            return None
        except Trouble as trouble:
            raise self._document_error(uri, trouble) from trouble
        if item.kind == "unknown":
            raise DocumentForbidden(
                f"{shortened(uri)!r} may not be looked at: the server does not say what it is."
            )
        return item if item.kind == "file" else None

    def _document_error(self, uri: str, trouble: Trouble) -> DocumentError | SourceUnavailable:
        match trouble:
            case Unusable():
                return self._unavailable(trouble)
            case Dropped():
                # The server may fail for this document alone.
                self._root()
                return DocumentError(f"{shortened(uri)!r} cannot be read: {trouble}.")
            case Missing():
                self._root()
                return DocumentVanished(f"{shortened(uri)!r} is gone.")
            case Refused():
                return DocumentForbidden(f"{shortened(uri)!r} may not be read: {trouble}.")
            case _:
                return DocumentError(f"{shortened(uri)!r} cannot be read: {trouble}.")

    def url(self, uri: str) -> str:
        return f"{self.home().rstrip('/')}{_path(tuple(split(uri)))}"

    def home(self) -> str:
        scheme = _LINKS.get(self._address.scheme, self._address.scheme)
        return f"{scheme}://{self._address.hostport}{_path(self._address.path) or '/'}"

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    def _root(self) -> str:
        """What tells the root from others. Raises SourceUnavailable when it cannot be asked."""
        try:
            return self._ask(lambda: self._server.root())
        except Trouble as trouble:
            raise self._unavailable(trouble) from trouble

    def _scan(self, path: Names) -> Sequence[Item]:
        return self._server.scan(path)

    def _scanned(self, path: Names) -> Sequence[Item]:
        return self._ask(lambda: self._scan(path))

    def _looked(self, path: Names) -> Item:
        return self._ask(lambda: self._server.look(path))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        return ask(self._server, question)

    @property
    def _place(self) -> str:
        return f"The folder {shortened(self._url)!r} of source {self.context.source!r}"

    def _unavailable(self, trouble: Trouble) -> SourceUnavailable:
        if isinstance(trouble, Missing):
            return SourceUnavailable(f"{self._place} does not exist; is it mounted there, or was it renamed?")
        return SourceUnavailable(f"{self._place} cannot be asked: {trouble}.")


def _limited(blocks: Iterator[bytes], size: int | None) -> Iterator[bytes]:
    """The same, as long as they are not more than this version has: a file that grows has no end."""
    done = 0
    for block in blocks:
        done += len(block)
        if size is not None and done > size:
            raise Changed("it changed while it was read")
        yield block


def _path(names: Names) -> str:
    """The path of a url, "" for no names."""
    return "".join(f"/{quote(os.fsencode(name), safe='~')}" for name in names)
