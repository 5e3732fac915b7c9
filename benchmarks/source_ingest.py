"""A listing of Confluence, which is one request for 250 pages: its requests, seconds and memory."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.measure import Bench, Row
from benchmarks.planning import peak_bytes
from benchmarks.processes import run

_PAGE = 250
_LIST = "import sys; from benchmarks.source_ingest import report; report(sys.argv[1])"


def listed(bench: Bench) -> Iterator[Row]:
    """Two listings after each other, in a process of its own; the server is in this one."""
    count = bench.scale.files
    with _served(count) as (url, asked):
        peak, number, took = run([sys.executable, "-c", _LIST, url]).stdout.split()
        requests = len(asked) / 2
    if int(number) != count:
        raise RuntimeError(f"The listing has {number} of {count} pages.")
    detail = f"{float(took):.1f} s, {requests:.0f} requests"
    yield Row(
        f"listing of {count:,} pages of Confluence: peak memory", int(peak) / 1e6, " MB", 400, "≤", detail
    )
    yield Row(
        "requests for 1,000 unchanged pages of Confluence",
        round(requests / count * 1000, 2),
        "",
        10 if count >= 1000 else None,
        "≤",
        "250 pages an answer, and one for its space",
    )


def report(url: str) -> None:
    """List twice, and print peak memory in bytes, documents, and seconds of the second time."""
    from connectors.base import Context
    from connectors.ingest import IngestConnector, IngestSettings

    settings = {"url": url, "token": "benchmark-token", "spaces": ["KB"]}
    given = IngestSettings.model_validate({"connector": "confluence", "settings": settings})
    connector = IngestConnector(given, Context("wiki", Path("/"), 1_000_000))
    number, took = 0, 0.0
    for _ in range(2):
        start = time.perf_counter()
        listing = connector.list()
        number = sum(1 for _ in listing)
        took = time.perf_counter() - start
        if not listing.complete:
            raise RuntimeError(listing.errors[0])
    connector.close()
    print(peak_bytes(), number, took)


@contextmanager
def _served(count: int) -> Iterator[tuple[str, list[str]]]:
    """The address of a Confluence with so many pages, and the requests that it has had."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(count, asked))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/wiki", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(count: int, asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            first = int(parse_qs(parts.query).get("cursor", ["0"])[0])
            answer: dict[str, Any] = {"results": [{"id": "7", "key": "KB"}], "_links": {}}
            if parts.path.endswith("/pages"):
                last = min(first + _PAGE, count)
                answer["results"] = [_page(number) for number in range(first, last)]
                if last < count:
                    answer["_links"]["next"] = f"/wiki/api/v2/pages?space-id=7&limit={_PAGE}&cursor={last}"
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


def _page(number: int) -> dict[str, Any]:
    version = {"number": 3, "message": "", "minorEdit": False, "createdAt": "2026-03-01T09:00:00.251Z"}
    return {
        "id": str(98305 + number),
        "status": "current",
        "title": f"Page {number} of a wiki",
        "spaceId": "7",
        "createdAt": "2026-03-01T08:00:00.000Z",
        "version": version,
        "_links": {"webui": f"/spaces/KB/pages/{98305 + number}"},
    }
