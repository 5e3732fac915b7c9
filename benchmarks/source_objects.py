"""The cost of looking at a bucket in which nothing has changed: requests, seconds and memory of a listing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from benchmarks.measure import Bench, Row
from benchmarks.planning import peak_bytes
from benchmarks.processes import run

BUCKET = "bench"
PAGE = 1_000

_LIST = "import sys; from benchmarks.source_objects import report_listing; report_listing(sys.argv[1])"


def listed(bench: Bench) -> Iterator[Row]:
    """A listing over HTTP of a service that has its pages ready, in a process of its own."""
    count = bench.scale.files
    with _service(count) as (url, requests):
        peak, number, took = run([sys.executable, "-c", _LIST, url]).stdout.split()
        asked = len(requests)
    if int(number) != count:
        raise RuntimeError(f"The listing had {number} of {count} objects.")
    yield Row(
        f"listing of {count:,} objects of S3: seconds",
        float(took),
        " s",
        detail=f"peak memory of the process {int(peak) / 1e6:.0f} MB; the service takes a part of the time",
    )
    yield Row(
        "requests for 1,000 unchanged objects of S3",
        asked * 1_000 / count,
        "",
        detail=f"{asked} for {count:,}: one a page, one that proves the end",
    )


def report_listing(url: str) -> None:
    """List, and print peak memory in bytes, objects and seconds. Runs in a process of its own."""
    from connectors.base import Context, connector_class

    kind = connector_class("s3")
    keys = {"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}
    settings = kind.settings_model.model_validate({"url": f"s3://{BUCKET}", "endpoint": url, **keys})
    connector = kind(settings, Context("bench", Path("/"), 1))
    start = time.perf_counter()
    listing = connector.list()
    count = sum(1 for _ in listing)
    took = time.perf_counter() - start
    if not listing.complete:
        raise RuntimeError(f"The listing is incomplete: {listing.errors}")
    print(peak_bytes(), count, took)


@contextmanager
def _service(count: int) -> Iterator[tuple[str, list[str]]]:
    """(its address, the requests that it has had): lists `count` objects."""
    requests: list[str] = []
    pages = {first: _page(first, count) for first in range(0, count + 1, PAGE)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            asked = dict(parse_qsl(urlsplit(self.path).query))
            first = count if "start-after" in asked else int(asked.get("continuation-token", 0))
            body = pages.get(first) or _page(first, count)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(first: int, count: int) -> bytes:
    numbers = range(first, min(first + PAGE, count))
    records = "".join(
        f"<Contents><Key>{number // 1000:04}/page-{number:07}.md</Key>"
        f'<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"{number:032x}"</ETag>'
        "<Size>4000</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for number in numbers
    )
    more = first + PAGE < count
    token = f"<NextContinuationToken>{first + PAGE}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><Prefix></Prefix><KeyCount>{len(numbers)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{records}"
        "</ListBucketResult>"
    ).encode()
