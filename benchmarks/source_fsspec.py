"""What a folder on a WebDAV server costs: requests while nothing changes; time and memory of a long listing.

The server makes its answers up as it goes, so that the figures are of the connector.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.measure import Bench, Row, seconds
from benchmarks.planning import peak_bytes
from benchmarks.processes import run

DOCUMENTS_PER_FOLDER = 100
_LIST = "import sys; from benchmarks.source_fsspec import report_listing; report_listing(*sys.argv[1:])"
_FOLDER = (
    "<d:response><d:href>{}</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype>"
    "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)
_FILE = (
    "<d:response><d:href>{}page-{:06}.md</d:href><d:propstat><d:prop><d:resourcetype/>"
    "<d:getcontentlength>1234</d:getcontentlength><d:getetag>&quot;{:x}&quot;</d:getetag>"
    "<d:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</d:getlastmodified></d:prop>"
    "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)


def listed(bench: Bench) -> Iterator[Row]:
    """Requests for unchanged documents; seconds and peak memory of a process that lists many."""
    few, many = min(1_000, bench.scale.files), bench.scale.files
    with server(few) as (url, requests):
        list_all(url)
        requests.clear()
        if list_all(url) != few:
            raise RuntimeError("Not all documents were listed.")
        asked = len(requests)
    yield Row(
        f"WebDAV: requests for {few:,} unchanged documents, {DOCUMENTS_PER_FOLDER} a folder",
        asked,
        "",
        None,
        detail="one for each folder, and the root before and after",
    )
    for per_folder, where in (
        (DOCUMENTS_PER_FOLDER, f"{DOCUMENTS_PER_FOLDER} a folder"),
        (many, "in one folder"),
    ):
        with server(many, per_folder) as (url, _):
            peak, number, took = run([sys.executable, "-c", _LIST, url]).stdout.split()
        if int(number) != many:
            raise RuntimeError(f"{number} of {many} documents were listed.")
        yield Row(
            f"WebDAV: a listing of {many:,} documents, {where}: peak memory",
            int(peak) / 1e6,
            " MB",
            None,
            detail=f"the whole process; {float(took):.1f} s",
        )


def list_all(url: str) -> int:
    """How many documents are listed there."""
    from connectors.base import Context
    from connectors.remote.connector import FsspecConnector
    from connectors.remote.settings import FsspecSettings

    with closing(FsspecConnector(FsspecSettings(url=url), Context("docs", Path("/"), 1))) as connector:
        listing = connector.list()
        found = sum(1 for _ in listing)
    if not listing.complete:
        raise RuntimeError(f"The listing is incomplete: {listing.errors}")
    return found


def report_listing(url: str) -> None:
    """List, and print peak memory in bytes, documents and seconds. Runs in a process of its own."""
    found: list[int] = []
    took = seconds(lambda: found.append(list_all(url)))
    print(peak_bytes(), found[0], took)


@contextmanager
def server(documents: int, per_folder: int = DOCUMENTS_PER_FOLDER) -> Iterator[tuple[str, list[str]]]:
    """The url of a folder with so many documents, and the requests that were made for it."""
    requests: list[str] = []
    folders = -(-documents // per_folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body go out together: the kernel would hold the second part back for 40 ms.
        wbufsize = 1 << 20

        def do_PROPFIND(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            requests.append(self.path)
            parts = [_FOLDER.format(self.path)]
            if self.headers["Depth"] == "1" and self.path == "/docs/":
                parts += [_FOLDER.format(f"{self.path}{number:05}/") for number in range(folders)]
            elif self.headers["Depth"] == "1":
                first = int(self.path.split("/")[2]) * per_folder
                numbers = range(first, min(first + per_folder, documents))
                parts += [_FILE.format(self.path, number, number) for number in numbers]
            body = f'<d:multistatus xmlns:d="DAV:">{"".join(parts)}</d:multistatus>'.encode()
            self.send_response(207)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.daemon_threads = True
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"webdav://127.0.0.1:{serving.server_port}/docs", requests
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
