"""Requests: attempts, waiting, and answers that would fill a memory or never end."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors.base import DocumentChanging, DocumentError, DocumentTooLarge, SourceUnavailable
from connectors.web.client import Answer as Head
from connectors.web.client import Client, gunzip
from connectors.web.settings import WebSettings
from connectors.web.site import parse
from tests.connectors.web.website import Answer, Website


class Asking:
    def __init__(self, url: str, *, patience: float = 5, timeout: float = 5, **settings: object) -> None:
        self.pauses: list[float] = []
        made = {"start": [url], "allow": ["127.0.0.1"], "rate": 1000} | settings
        self.client = Client(
            WebSettings.model_validate(made), pause=self.pauses.append, timeout=timeout, patience=patience
        )
        self._url = url

    def get(self, path: str = "/", limit: int = 100_000) -> tuple[int, bytes]:
        address = parse(path, self._url)
        assert address is not None
        return self.client.get(address, lambda answer: (answer.status, answer.read(limit)))


@pytest.fixture
def asking(site: Website) -> Iterator[Asking]:
    found = Asking(f"{site.url}/")
    yield found
    found.client.close()


def test_a_failing_server_is_asked_again_and_then_given_up(site: Website, asking: Asking) -> None:
    answers = iter([503, 200])
    site.answers["/a"] = lambda _: Answer(b"x", next(answers))
    assert asking.get("/a") == (200, b"x")
    site.status("/b", 503)
    with pytest.raises(DocumentError, match=r"/b answers 503 \(3 times\)\.$"):
        asking.get("/b")
    assert [path for path, _ in site.asked] == ["/a", "/a", "/b", "/b", "/b"]
    assert [pause for pause in asking.pauses if pause >= 1] == [1, 1, 4]


def test_retry_after_is_waited_for_and_counts_from_the_clock_of_the_server(
    site: Website, asking: Asking
) -> None:
    """The server's clock is years behind; its date is not a wait of years."""
    answers = iter(
        [
            Answer(b"", 429, {"Retry-After": "7"}),
            Answer(
                b"",
                429,
                {"Retry-After": "Tue, 01 Jan 2019 00:00:30 GMT", "Date": "Tue, 01 Jan 2019 00:00:00 GMT"},
            ),
            Answer(b"x"),
        ]
    )
    site.answers["/a"] = lambda _: next(answers)
    assert asking.get("/a") == (200, b"x")
    assert [round(pause) for pause in asking.pauses if pause >= 1] == [7, 30]


def test_a_wait_for_longer_than_a_sync_can_ends_the_attempts(site: Website, asking: Asking) -> None:
    site.status("/a", 429, Retry_After="86400")
    with pytest.raises(DocumentError, match=r"answers 429, and asks to wait for 86,400 s\. Sync later\.$"):
        asking.get("/a")
    assert len(site.asked) == 1


def test_a_host_is_asked_at_its_pace(site: Website) -> None:
    asking = Asking(f"{site.url}/", rate=2)
    site.file("/a", b"x")
    for _ in range(3):
        asking.get("/a")
    asking.client.delays[site.host] = 30
    asking.get("/a")
    asking.get("/a")
    assert [round(pause * 2) / 2 for pause in asking.pauses] == [0.5, 1.0, 1.5, 31.5]
    asking.client.close()


def test_a_body_that_breaks_off_is_read_again_and_then_is_no_version(site: Website, asking: Asking) -> None:
    answers = iter([Answer(b"x", cut=5), Answer(b"whole")])
    site.answers["/a"] = lambda _: next(answers)
    assert asking.get("/a") == (200, b"whole")
    site.answers["/b"] = Answer(b"x", cut=5)
    with pytest.raises(DocumentChanging, match=r"/b breaks off"):
        asking.get("/b")
    half = gzip.compress(b"words " * 1_000)[:-20]
    site.answers["/c"] = Answer(half, headers={"Content-Encoding": "gzip"})
    with pytest.raises(DocumentChanging, match=r"/c breaks off"):
        asking.get("/c")


def test_compressed_bodies_are_read_and_no_other_encoding_is(site: Website, asking: Asking) -> None:
    two = gzip.compress(b"one ") + gzip.compress(b"two")
    site.answers["/a"] = Answer(two, headers={"Content-Encoding": "gzip"})
    assert asking.get("/a") == (200, b"one two")
    assert site.seen_headers[-1]["Accept-Encoding"] == "gzip"
    site.answers["/b"] = Answer(b"\x0b\x02\x80abc", headers={"Content-Encoding": "br"})
    with pytest.raises(DocumentError, match="encoding 'br', which was not asked for"):
        asking.get("/b")
    site.answers["/c"] = Answer(b"no gzip", headers={"Content-Encoding": "gzip"})
    with pytest.raises(DocumentError):
        asking.get("/c")


def test_a_bomb_is_left_when_it_passes_the_limit_and_unpacks_in_small_blocks(
    site: Website, asking: Asking
) -> None:
    packing = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packing.compress(bytes(1_000_000)) for _ in range(60)), packing.flush()])
    assert len(bomb) < 70_000
    site.answers["/a"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(DocumentTooLarge, match=r"has more bytes than the limit of 100,000\.$"):
        asking.get("/a")
    blocks = gunzip(iter([bomb]), "/a")
    assert max(map(len, (next(blocks) for _ in range(100)))) <= 65_536


def test_what_is_announced_to_be_too_large_is_not_read(site: Website, asking: Asking) -> None:
    site.file("/a", bytes(100_001))
    with pytest.raises(DocumentTooLarge, match=r"has 100,001 bytes; the limit is 100,000\.$"):
        asking.get("/a")
    assert asking.get("/a", limit=100_001)[0] == 200


@contextmanager
def _dripping(before: bytes, drop: bytes) -> Iterator[str]:
    """A server that sends this, and then a drop every 50 ms for as long as it is listened to."""
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(before)
                    while not over.wait(0.05):
                        connection.sendall(drop)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        over.set()
        # Wakes the thread that accepts.
        socket.create_connection(server.getsockname()).close()
        thread.join()
        server.close()


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ],
)
def test_a_server_that_drips_is_left(before: bytes, drop: bytes) -> None:
    """Each drop comes in time; all of them together do not."""
    with _dripping(before, drop) as url:
        asking = Asking(url, patience=0.15)
        with pytest.raises(
            DocumentError, match=r"cannot be read: (timed out|it sends less than 16,384 bytes a second)\.$"
        ):
            asking.get("/", limit=2_000_000)
        asking.client.close()


def test_a_server_that_says_nothing_is_left() -> None:
    with _dripping(b"", b"") as url:
        asking = Asking(url, timeout=0.05)
        with pytest.raises(DocumentError, match=r"cannot be read: "):
            asking.get("/")
        asking.client.close()


def test_a_server_that_speaks_no_http_is_an_error(site: Website) -> None:
    with _dripping(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"") as url:
        asking = Asking(url, timeout=0.2)
        with pytest.raises(DocumentError, match=r"\.$"):
            asking.get("/")
        asking.client.close()


def test_a_host_that_is_away_is_named(asking: Asking) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SourceUnavailable, match=rf"The host '127.0.0.1:{port}' cannot be reached: .*refused"):
        asking.get(f"http://127.0.0.1:{port}/")


def test_headers_and_a_contact_are_sent_and_a_connection_is_used_again(site: Website) -> None:
    asking = Asking(f"{site.url}/", headers={"Authorization": "Bearer s3cret-word"}, contact="kb@example.org")
    site.status("/missing", 404)
    site.file("/a", b"x")
    for path in ("/missing", "/a"):
        asking.get(path)
    sent = site.seen_headers[-1]
    assert sent["Authorization"] == "Bearer s3cret-word"
    assert sent["User-Agent"] == "freshkb/0.1 (+kb@example.org)"
    assert "s3cret-word" not in repr(asking.client._settings)
    asking.client.close()


def test_the_length_of_a_compressed_body_is_not_that_of_the_document() -> None:
    class Response:
        status = 200
        headers = ((b"Content-Length", b"10"), (b"Content-Encoding", b"gzip"))

    assert Head("http://a.example/", Response()).announced is None  # type: ignore[arg-type]
