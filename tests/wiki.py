"""A small wiki on a loopback port, and a connector for it: versions, no suffixes, and things that it says of
its pages."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Collection, Iterator, MutableSequence
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

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
from connectors.urls import HttpUrl
from tests.onethread import OneThread

#: Pages of one answer to a question for the list.
PAGE = 4
#: Attempts to read one version of a page.
ATTEMPTS = 3


@dataclass(slots=True)
class Page:
    """`version` is None in a wiki that keeps no history."""

    id: str
    body: bytes
    format: str | None
    version: int | None
    properties: dict[str, str] | None

    def about(self, uri: str) -> dict[str, Any]:
        return {
            "uri": uri,
            "id": self.id,
            "size": len(self.body),
            "format": self.format,
            "version": self.version,
            "properties": self.properties,
        }


@dataclass
class Wiki:
    """The server. Its attributes are what is in it; `reads` has the uri of each page that was read."""

    pages: dict[str, Page] = field(default_factory=dict)
    name: str = "handbook"
    forbidden: set[str] = field(default_factory=set)
    changing: set[str] = field(default_factory=set)
    concealed: set[str] = field(default_factory=set)
    reads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def put(
        self,
        uri: str,
        body: bytes | str,
        format: str | None = None,
        properties: dict[str, str] | None = None,
    ) -> Page:
        """A new page, or a new version of one."""
        data = body.encode() if isinstance(body, str) else body
        page = self.pages.get(uri)
        if page is None:
            page = self.pages[uri] = Page(f"p{next(self._ids)}", data, format, 1, properties)
        else:
            page.body, page.version = data, (page.version or 0) + 1
        return page

    def remove(self, uri: str) -> None:
        del self.pages[uri]

    def rename(self, old: str, new: str) -> None:
        self.pages[new] = self.pages.pop(old)

    def close(self) -> None:
        """The server goes away. May be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _handler(wiki: Wiki) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query, True).items()}
            uri = asked.get("uri", "")
            page = wiki.pages.get(uri)
            if parts.path == "/about":
                self._say({"name": wiki.name})
            elif parts.path == "/pages":
                self._say(self._listed(asked.get("after", ""), asked.get("folder")))
            elif page is None:
                self.send_error(404)
            elif parts.path == "/page":
                self._say(page.about(uri))
            elif uri in wiki.forbidden:
                self.send_error(403)
            else:
                if uri in wiki.changing:
                    page.version = (page.version or 0) + 1
                wiki.reads.append(uri)
                self._say(page.about(uri), page.body)

        def _listed(self, after: str, folder: str | None) -> dict[str, Any]:
            found = sorted(
                uri
                for uri in wiki.pages
                if uri > after
                and uri.rpartition("/")[0] not in wiki.concealed
                and folder in (None, uri.rpartition("/")[0])
            )
            pages = [wiki.pages[uri].about(uri) for uri in found[:PAGE]]
            return {"pages": pages, "more": len(found) > PAGE, "restricted": sorted(wiki.concealed)}

        def _say(self, told: dict[str, Any], body: bytes | None = None) -> None:
            data = json.dumps(told).encode() if body is None else body
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            if body is not None:
                self.send_header("X-About", json.dumps(told))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class WikiSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"server"})

    server: HttpUrl


class WikiConnector(Connector):
    settings_model = WikiSettings
    capabilities: ClassVar[Capabilities] = Capabilities(token="version")

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, WikiSettings)
        self._server = settings.server.rstrip("/")
        self._include, self._exclude = Patterns(settings.include), Patterns(settings.exclude)
        self._opener = build_opener(ProxyHandler({}))

    def probe(self) -> str:
        return f"{self._json('/about')['name']} at {self._server}"

    def list(self, folders: Collection[str] | None = None) -> Listing:
        # The first answer is waited for here, so that a server that is away raises here.
        wanted = [None] if folders is None else sorted(set(folders))
        first = {folder: self._json("/pages", **_given(folder=folder)) for folder in wanted}
        errors: list[str] = []
        # A page of a folder may come between those of another.
        parts = (self._entries(folder, answer, errors) for folder, answer in first.items())
        entries = next(parts) if folders is None else iter(sorted(itertools.chain(*parts)))
        return Listing(entries, errors)

    def _entries(
        self, folder: str | None, answer: dict[str, Any], errors: MutableSequence[str]
    ) -> Iterator[Entry]:
        while True:
            for about in answer["pages"]:
                if self._takes(about["uri"]):
                    yield _entry(about)
            if not answer["more"]:
                errors.extend([f"The folder {name!r} may not be listed." for name in answer["restricted"]])
                return
            answer = self._json("/pages", after=answer["pages"][-1]["uri"], **_given(folder=folder))

    def stat(self, uri: str) -> Entry | None:
        try:
            about = self._json("/page", uri=uri)
        except DocumentVanished:
            return None
        return _entry(about) if self._takes(uri) else None

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        for _ in range(ATTEMPTS):
            entry = self.stat(uri)
            if entry is None:
                raise DocumentVanished(f"The page {uri!r} is not there any more.")
            if entry.size is not None and entry.size > self.context.max_size:
                raise DocumentTooLarge(
                    f"The page {uri!r} has {entry.size:,} bytes; the limit is {self.context.max_size:,}."
                )
            about, body = self._ask("/content", uri=uri)
            if _entry(json.loads(about)) == entry:
                if into is not None:
                    into.write_bytes(body)
                return Fetched(entry, hashlib.sha256(body).hexdigest())
        raise DocumentChanging(f"The page {uri!r} was changed during each of {ATTEMPTS} attempts to read it.")

    def url(self, uri: str) -> str:
        return f"{self._server}/wiki/{quote(uri)}"

    def home(self) -> str:
        return f"{self._server}/wiki"

    def _takes(self, uri: str) -> bool:
        return self._include.match(uri) and not self._exclude.match(uri)

    def _json(self, path: str, **asked: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask(path, **asked)[1])
        return found

    def _ask(self, path: str, **asked: str) -> tuple[str, bytes]:
        uri = asked.get("uri", "")
        try:
            with self._opener.open(f"{self._server}{path}?{urlencode(asked)}", timeout=10) as answer:
                return answer.headers.get("X-About", ""), answer.read()
        except HTTPError as error:
            with error:
                if error.code == 404:
                    raise DocumentVanished(f"The page {uri!r} is not there any more.") from None
                if error.code == 403:
                    raise DocumentForbidden(f"The page {uri!r} may not be read.") from None
                raise SourceUnavailable(f"The wiki answers {error.code}.") from None
        except (OSError, HTTPException) as error:
            raise SourceUnavailable(f"The wiki at {self._server} does not answer: {error}.") from error


class GuardedWiki(OneThread):
    """The same for the registry, used by one thread at a time or not at all."""

    settings_model = WikiSettings
    capabilities = WikiConnector.capabilities

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(WikiConnector(settings, context))


def _given(**asked: str | None) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value is not None}


def _entry(about: dict[str, Any]) -> Entry:
    version = about["version"]
    return Entry(
        about["uri"],
        None if version is None else str(version),
        about["size"],
        None,
        about["id"],
        about["properties"],
        about["format"],
    )
