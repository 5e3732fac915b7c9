"""Hand-written stand-ins that pass the contract suites of what they stand in for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from connectors.base import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    DocumentChanging,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Patterns,
    SourceUnavailable,
)


class MemoryConnector(Connector):
    """A source in a dict. The public attributes script what goes wrong."""

    capabilities = Capabilities(token="version", watch=True)

    def __init__(
        self,
        documents: Mapping[str, bytes] | None = None,
        *,
        settings: ConnectorSettings | None = None,
        max_size: int = 50_000_000,
    ) -> None:
        super().__init__(settings or ConnectorSettings(), Context("memory", Path("/"), max_size))
        self._include, self._exclude = Patterns(self.settings.include), Patterns(self.settings.exclude)
        self._documents: dict[str, tuple[Entry, bytes]] = {}
        self._versions = 0
        self._on_hint: Callable[[str | None], None] | None = None
        self.identity = "memory"
        self.unavailable = ""
        """Why the source cannot be asked; empty while it can."""
        self.errors: list[str] = []
        """Errors that every listing meets on its way."""
        self.forbidden: set[str] = set()
        self.changing: set[str] = set()
        for uri, data in (documents or {}).items():
            self.put(uri, data)

    def put(
        self, uri: str, data: bytes, *, modified_at: int = 0, properties: Mapping[str, str] | None = None
    ) -> None:
        self._versions += 1
        version = f"v{self._versions}"
        native_id = self._documents[uri][0].native_id if uri in self._documents else version
        entry = Entry(uri, version, len(data), modified_at, native_id, properties)
        self._documents[uri] = (entry, data)

    def describe(self, uri: str, properties: Mapping[str, str] | None) -> None:
        """Say this of a document, whose version stays."""
        entry, data = self._documents[uri]
        self._documents[uri] = (entry._replace(properties=properties), data)

    def remove(self, uri: str) -> None:
        del self._documents[uri]

    def rename(self, old: str, new: str) -> None:
        entry, data = self._documents.pop(old)
        self._documents[new] = (entry._replace(uri=new), data)

    def hint(self, folder: str | None) -> None:
        if self._on_hint is not None:
            self._on_hint(folder)

    def probe(self) -> str:
        self._ask()
        return self.identity

    def list(self, folders: Collection[str] | None = None) -> Listing:
        self._ask()
        listing = Listing(iter(()))
        listing.entries = self._entries(folders, listing)
        return listing

    def _entries(self, folders: Collection[str] | None, listing: Listing) -> Iterator[Entry]:
        for uri, (entry, _) in sorted(self._documents.items()):
            if self._passes(uri) and (folders is None or uri.rpartition("/")[0] in folders):
                yield entry
        listing.errors.extend(self.errors)

    def stat(self, uri: str) -> Entry | None:
        self._ask()
        return self._documents[uri][0] if uri in self._documents and self._passes(uri) else None

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        entry = self.stat(uri)
        if entry is None:
            raise DocumentVanished(f"{uri!r} is gone.")
        if uri in self.forbidden:
            raise DocumentForbidden(f"{uri!r} may not be read.")
        if uri in self.changing:
            raise DocumentChanging(f"{uri!r} changed during every attempt to read it.")
        data = self._documents[uri][1]
        if len(data) > self.context.max_size:
            raise DocumentTooLarge(f"{uri!r} has {len(data)} bytes; the limit is {self.context.max_size}.")
        if into is not None:
            into.write_bytes(data)
        return Fetched(entry, hashlib.sha256(data).hexdigest())

    def url(self, uri: str) -> str:
        return f"memory:///{uri}"

    def home(self) -> str:
        return "memory:///"

    def watch(
        self, on_hint: Callable[[str | None], None], *, polling: bool = False
    ) -> AbstractContextManager[None]:
        return self._watching(on_hint)

    @contextmanager
    def _watching(self, on_hint: Callable[[str | None], None]) -> Iterator[None]:
        self._on_hint = on_hint
        try:
            yield
        finally:
            self._on_hint = None

    def _ask(self) -> None:
        if self.unavailable:
            raise SourceUnavailable(self.unavailable)

    def _passes(self, uri: str) -> bool:
        return self._include.match(uri) and not self._exclude.match(uri)
