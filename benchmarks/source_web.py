"""What a web site costs: requests for what has not changed, and a listing of very many pages."""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.measure import Bench, Row
from benchmarks.processes import run
from connectors.base import Context
from connectors.web.client import Client
from connectors.web.connector import WebConnector
from connectors.web.settings import WebSettings

_LIST = "import sys; from benchmarks.source_web import report; report(sys.argv[1], sys.argv[2])"
_PAGE = "<html><body><nav>Menu</nav><main><h1>Page {0}</h1><p>{1} {0}</p></main></body></html>"
_WORDS = "Trains come first, and whoever travels by plane says why in the form of the travel desk. " * 10


def unchanged(bench: Bench) -> Iterator[Row]:
    """Requests and downloads of a listing of 1,000 pages, and of the same a second time."""
    yield from _listed(bench, min(1_000, bench.scale.files))


def listing(bench: Bench) -> Iterator[Row]:
    """Seconds and peak memory of listings of `Scale.files` pages, the first one and an unchanged one."""
    yield from _listed(bench, bench.scale.files)


def _listed(bench: Bench, count: int) -> Iterator[Row]:
    with bench.folder() as folder, _Site(count) as site:
        for turn in ("first", "unchanged"):
            site.requests = site.downloads = 0
            printed = run([sys.executable, "-c", _LIST, site.url, str(folder / "cache")]).stdout.split()
            listed, took, used, peak = int(printed[0]), *map(float, printed[1:])
            if listed != count:
                raise RuntimeError(f"The listing has {listed} of {count} pages.")
            yield Row(
                f"web, listing of {count:,} pages, {turn}: requests per 1,000 documents",
                site.requests / count * 1_000,
                "",
                detail=f"{site.downloads:,} downloads, {took:.1f} s, {used / count * 1e3:.2f} ms CPU a page, "
                f"peak memory {peak / 1e6:.0f} MB",
            )


def report(url: str, cache: str) -> None:
    """List, and print pages, seconds, seconds of CPU, peak memory in bytes. Runs in a process of its own."""
    settings = WebSettings.model_validate(
        {"sitemaps": [f"{url}/sitemap.xml"], "allow": ["127.0.0.1"], "rate": 1_000, "pages": 1_000_000}
    )
    connector = WebConnector(settings, Context("web", Path("/"), 50_000_000, cache=Path(cache)))
    # The machine is its own host: it is asked as fast as it answers.
    connector.client = Client(settings, pause=lambda seconds: None)
    begun = time.perf_counter()
    found = connector.list()
    count = sum(1 for _ in found)
    took = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    connector.close()
    if not found.complete:
        raise RuntimeError(found.errors[0])
    print(count, took, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


class _Site:
    """A server of so many pages under one sitemap, with validators."""

    def __init__(self, count: int) -> None:
        self.requests = self.downloads = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                site.requests += 1
                name = self.path.strip("/")
                if self.headers.get("If-None-Match") == f'"{name}"':
                    return self._answer(304)
                if name == "sitemap.xml":
                    urls = "".join(f"<url><loc>{site.url}/{number}</loc></url>" for number in range(count))
                    return self._answer(200, f"<urlset>{urls}</urlset>")
                if not name.isdigit():
                    return self._answer(404)
                site.downloads += 1
                return self._answer(200, _PAGE.format(name, _WORDS), f'"{name}"')

            def _answer(self, status: int, text: str = "", etag: str = "") -> None:
                body = text.encode()
                self.send_response_only(status)
                self.send_header("Content-Type", "text/html")
                if etag:
                    self.send_header("ETag", etag)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> _Site:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
