"""A web site on a loopback port that does as it is told, and connectors for it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from connectors.base import Context
from connectors.web.client import Client
from connectors.web.connector import WebConnector
from connectors.web.settings import WebSettings

WORDS = "Trains come first, and whoever travels by plane says why in the form of the travel desk."


@dataclass(slots=True)
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    """Bytes that are announced and never come."""


#: What a path answers: an answer, or a function of the request's headers that makes one.
Scripted = Answer | Callable[[Any], Answer]


class Website:
    """The server. `answers` has what each path answers; `asked` each request, and its status."""

    def __init__(self) -> None:
        self.answers: dict[str, Scripted] = {}
        self.otherwise: Scripted = Answer(b"<h1>Not found</h1>", 404, {"Content-Type": "text/html"})
        self.asked: list[tuple[str, int]] = []
        self.seen_headers: list[dict[str, str]] = []
        self.menu = ""
        """Stands in every page that `page` wrote."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def clear(self) -> None:
        self.answers.clear()
        self.asked.clear()
        self.seen_headers.clear()
        self.menu = ""
        self.otherwise = Answer(b"<h1>Not found</h1>", 404, {"Content-Type": "text/html"})

    def page(
        self,
        path: str,
        text: str = WORDS,
        links: tuple[str, ...] = (),
        *,
        head: str = "",
        modified: str = "",
    ) -> None:
        """An HTML page with a strong validator, a menu, and a main part of this text and these links."""
        headers = {"Content-Type": "text/html; charset=utf-8"}
        headers |= {"Last-Modified": modified} if modified else {}
        anchors = "".join(f'<li><a href="{link}">{link}</a></li>' for link in links)

        def answer(_: Any) -> Answer:
            body = (
                f"<html lang=en><head><title>Page {path}</title>{head}</head><body>"
                f"<nav>{self.menu}<ul>{anchors}</ul></nav><main><h1>About {path}</h1><p>{text}</p></main>"
                "<footer>Imprint</footer></body></html>"
            ).encode()
            etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
            return Answer(body, 200, headers | {"ETag": etag})

        self.answers[path] = answer

    def file(self, path: str, body: bytes, type: str = "application/pdf", **headers: str) -> None:
        etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        self.answers[path] = Answer(body, 200, {"Content-Type": type, "ETag": etag} | headers)

    def status(self, path: str, status: int, **headers: str) -> None:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = Answer(b"", status, said)

    def sitemap(self, path: str, *urls: str, kind: str = "url") -> None:
        outer = {"url": "urlset", "sitemap": "sitemapindex"}[kind]
        entries = "".join(f"<{kind}><loc>{self.url}{url}</loc></{kind}>" for url in urls)
        body = f'<{outer} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{outer}>'
        self.answers[path] = Answer(body.encode(), 200, {"Content-Type": "application/xml"})

    def bodies(self) -> list[str]:
        """Paths whose body was sent since `asked` was cleared, robots.txt apart."""
        return [path for path, status in self.asked if status == 200 and path != "/robots.txt"]

    def close(self) -> None:
        """The server goes away. May be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _handler(site: Website) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else head and body are two packets, and the second waits for the first to be acknowledged.
        wbufsize = -1

        def do_GET(self) -> None:
            site.seen_headers.append(dict(self.headers))
            path = unquote(self.path)
            scripted = site.answers.get(path, site.otherwise)
            answer = scripted(self.headers) if callable(scripted) else scripted
            etag = answer.headers.get("ETag")
            if answer.status == 200 and etag and self.headers.get("If-None-Match") == etag:
                answer = Answer(b"", 304, {"ETag": etag})
            site.asked.append((path, answer.status))
            self.send_response_only(answer.status)
            if "Date" not in answer.headers:
                self.send_header("Date", self.date_time_string())
            if answer.status != 304:
                self.send_header("Content-Length", str(len(answer.body) + answer.cut))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.cut:
                self.close_connection = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError):
                # A client that has read enough goes.
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def connect(
    site: Website, cache: Path | None = None, *, max_size: int = 100_000, **settings: object
) -> WebConnector:
    """A connector of the site that never waits; its pauses are in ``paused``."""
    made: dict[str, object] = {"start": [f"{site.url}/"], "allow": ["127.0.0.1"], "rate": 1000.0} | settings
    found = WebConnector(WebSettings.model_validate(made), Context("site", Path("/"), max_size, cache=cache))
    found.client = Client(found.settings, pause=lambda seconds: None, timeout=5, patience=5)  # type: ignore[arg-type]
    return found


def uris(connector: WebConnector) -> list[str]:
    """The uris of a complete listing, without the host."""
    listing = connector.list()
    found = [entry.uri.partition("/")[2] for entry in listing]
    assert listing.complete, listing.errors
    return found
