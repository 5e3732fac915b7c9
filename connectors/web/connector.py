"""The connector of `type: web`."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, MutableSequence, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.ascending import ascending
from connectors.base import (
    BYTES,
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    DocumentError,
    DocumentForbidden,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Need,
    Notice,
    Patterns,
    SourceUnavailable,
    Unlisted,
    shortened,
)
from connectors.needs import packages
from connectors.patterns import PathFilter
from connectors.receive import Received, receive
from connectors.web.memory import Memory, Row, Shelf
from connectors.web.settings import WebSettings
from connectors.web.site import Site

if TYPE_CHECKING:
    from connectors.web.client import Client
    from connectors.web.look import Look, Looker
    from connectors.web.robots import Robots

#: Bytes of pages that a listing downloaded, kept for `fetch`; what does not fit is downloaded again.
_KEPT_MAX = 256_000_000
#: Characters of a text that is long enough for half of it to be a loss.
_LONG = 400


class WebConnector(Connector):
    """Pages of some hosts, found by their links and sitemaps."""

    settings_model = WebSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        token="etag", detects=frozenset({"dates", "titles", "links"})
    )

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, WebSettings)
        self.site = Site((*settings.start, *settings.sitemaps))
        self._web = settings
        self._filter = PathFilter(Patterns(settings.include), Patterns(settings.exclude), hidden=True)
        self._shelf = Shelf(context.cache, _made_by())
        self._kept: set[str] = set()
        """Pages whose bytes the last listing kept."""
        self._room = 0
        """Bytes that may still be kept."""

    @cached_property
    def client(self) -> Client:
        from connectors.web.client import Client

        return Client(self._web)

    @cached_property
    def _robots(self) -> Robots:
        from connectors.web.robots import Robots

        return Robots(self.client, self.site, self.context.source)

    @cached_property
    def _looker(self) -> Looker:
        from connectors.web.look import Looker

        return Looker(self.client, self.site, self._robots, self.context.source, self.context.max_size)

    def probe(self) -> str:
        """The hosts. One of them has to answer."""
        self._reach()
        return self.site.tops

    def list(self, folders: Collection[str] | None = None) -> Listing:
        self._reach()
        errors: list[str] = []
        unlisted: list[Unlisted] = []
        found = self._entries(errors, unlisted)
        if folders is not None:
            asked = set(folders)
            found = (entry for entry in found if entry.uri.rpartition("/")[0] in asked)
        return Listing(found, errors, unlisted)

    def _reach(self) -> None:
        """Ask each host for its robots.txt anew. Raises SourceUnavailable when none can be reached."""
        self._robots.forget()
        self._looker.forget()
        away: list[SourceUnavailable] = []
        for host in self.site.hosts:
            address = self.site.address(f"{host}/")
            assert address is not None
            try:
                # Without its robots.txt a host may not be asked for pages now: the listing says so.
                with suppress(DocumentError):
                    self._robots.allows(address)
            except SourceUnavailable as error:
                away.append(error)
        if len(away) == len(self.site.hosts):
            raise away[0]

    def _entries(self, errors: MutableSequence[str], unlisted: MutableSequence[Unlisted]) -> Iterator[Entry]:
        from connectors.web.crawl import Crawl

        with self._shelf.opened() as memory:
            self._clear()
            crawl = Crawl(
                self._web,
                self.site,
                self.client,
                self._looker,
                memory,
                self._filter,
                errors,
                unlisted,
                self._keep,
            )
            crawl.run()
            found = ascending(crawl.entries(), errors)
            # All of it is taken in before the first comes out: nothing is held while the index works on it.
            first = next(found, None)
        if first is not None:
            yield first
            yield from found

    def stat(self, uri: str) -> Entry | None:
        """The entry as it is now. Raises DocumentError for a page that is not there, or not itself, without
        evidence enough that it is gone."""
        from connectors.web.crawl import MISSES
        from connectors.web.look import Kind

        if not self._takes(uri):
            return None
        with self._shelf.opened() as memory:
            known = memory.get(uri)
            found = self._looker.look(uri, known, trusted=self._starts(uri))
            missed = known.misses if known is not None else 0
            match found.kind:
                case Kind.DOCUMENT | Kind.UNCHANGED:
                    assert found.row is not None
                    if found.row.canonical is not None and missed >= MISSES:
                        return None
                    self._put(memory, found.row, known)
                    return found.row.entry
                case Kind.GONE:
                    return None
                case Kind.MISSING | Kind.NOINDEX if missed >= MISSES:
                    return None
                case Kind.MOVED if missed >= MISSES and found.permanent:
                    return None
                case Kind.MISSING | Kind.NOINDEX if not missed:
                    # Without a memory this is the first that is heard of it.
                    memory.put((known or Row(uri))._replace(misses=1))
        raise self._error(uri, found)

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        if not self._takes(uri):
            raise DocumentVanished(f"{shortened(uri)!r} is not a page of this source.")

        def sink(blocks: Iterator[bytes], announced: int | None) -> Received:
            return receive(blocks, uri, into, self.context.max_size, announced=announced)

        with self._shelf.opened() as memory:
            known = memory.get(uri)
            clean = self._kept_bytes(uri, known)
            if clean is not None and known is not None:
                return Fetched(known.entry, sink(iter([clean]), None).content_hash, _notices(known))
            found = self._looker.look(uri, known, sink, trusted=self._starts(uri))
            if found.received is not None and found.row is not None:
                self._put(memory, found.row, known)
                return Fetched(found.row.entry, found.received.content_hash, _notices(found.row))
        raise self._error(uri, found)

    def url(self, uri: str) -> str:
        return self.site.url(uri)

    def home(self) -> str:
        return (*self._web.start, *self._web.sitemaps)[0]

    def needs(self) -> Sequence[Need]:
        return tuple(packages("web"))

    def close(self) -> None:
        if "client" in vars(self):
            self.client.close()
        self._shelf.close()

    # ── What is kept ──────────────────────────────────────────────────────────────────────────────────

    def _put(self, memory: Memory, row: Row, known: Row | None) -> None:
        """Remember a page as it is now; it is listed from the next listing on, whatever leads to it."""
        memory.put(row._replace(listed=1, misses=known.misses if known and row.canonical else 0))

    def _clear(self) -> None:
        self._kept.clear()
        self._room = _KEPT_MAX
        if self._shelf.folder is not None:
            shutil.rmtree(self._shelf.folder / BYTES, ignore_errors=True)

    def _keep(self, uri: str, clean: bytes) -> None:
        """Keep what a listing downloaded, so that the same page is not asked for twice."""
        if self._shelf.folder is None or len(clean) > self._room:
            return
        folder = self._shelf.folder / BYTES
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / _name(uri)).write_bytes(clean)
        self._kept.add(uri)
        self._room -= len(clean)

    def _kept_bytes(self, uri: str, known: Row | None) -> bytes | None:
        """The bytes that this connector's last listing kept of this version; None when it kept none. They
        are gone then."""
        if uri not in self._kept or self._shelf.folder is None or known is None:
            return None
        self._kept.remove(uri)
        path = self._shelf.folder / BYTES / _name(uri)
        try:
            clean = path.read_bytes()
            path.unlink()
        except FileNotFoundError:
            return None
        return clean if sha256(clean).hexdigest().startswith(known.token or "-") else None

    # ── Pages ─────────────────────────────────────────────────────────────────────────────────────────

    def _takes(self, uri: str) -> bool:
        return self.site.address(uri) is not None and self._filter.takes(uri)

    def _starts(self, uri: str) -> bool:
        return any(self.site.uri(url) == uri for url in self._web.start)

    def _error(self, uri: str, found: Look) -> DocumentError:
        from connectors.web.look import Kind

        shown, why = shortened(uri), found.kind.value
        if found.kind is Kind.FORBIDDEN:
            return DocumentForbidden(
                f"The page {shown!r} may not be read: its server answers {found.status}."
            )
        if found.kind is Kind.MOVED:
            why = (
                f"redirects to {shortened(found.target)!r}"
                if found.target
                else "redirects out of this source"
            )
        if found.kind in (Kind.LOGIN, Kind.SOFT):
            return DocumentError(f"The page {shown!r} {why}.")
        return DocumentVanished(f"The page {shown!r} {why}; it stays until another listing finds it so, too.")


def _notices(row: Row) -> tuple[Notice, ...]:
    """A text of which half is gone may be a page that cannot be read as it was."""
    if row.before < _LONG or row.length * 2 >= row.before:
        return ()
    return (
        Notice(
            "shrunk",
            f"Its text has shrunk from {row.before:,} to {row.length:,} characters: read the page, and see "
            "whether its text was cut, or is only built otherwise.",
        ),
    )


def _name(uri: str) -> str:
    return sha256(uri.encode()).hexdigest()


def _made_by() -> str:
    """The parts that decide what the text of a page is."""
    try:
        return f"1 trafilatura {version('trafilatura')}"
    except PackageNotFoundError:
        return "none"
