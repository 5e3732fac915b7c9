"""A relay in front of a real server, which answers as look-alikes, portals and bad days do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

#: Headers of one connection, not of what is carried.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def lists(self) -> bool:
        return self.method == "GET" and ("list-type" in self.query or self.query.get("comp") == "list")

    @property
    def next_page(self) -> bool:
        return self.lists and ("continuation-token" in self.query or bool(self.query.get("marker")))


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Only so many bytes of the body are sent, and the connection ends."""
    measured: bool = True
    """Its length is told."""

    def with_body(self, body: bytes) -> Reply:
        return replace(self, body=body)


Before = Callable[[Asked], Reply | None]
After = Callable[[Asked, Reply], Reply]


def refusal(status: int, code: str, **headers: str) -> Reply:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>No, tok-SECRET.</Message></Error>'
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body.encode(), {"Content-Type": "application/xml", **told})


class Relay:
    """Hands requests on to the server at `port`. What `before` answers is never asked there, and `after` may
    alter what came from there."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.asked: list[Asked] = []
        self.before: list[Before] = []
        self.after: list[After] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def requests(self, method: str = "", *, lists: bool | None = None) -> int:
        """How many there were."""
        return sum(
            asked.method.startswith(method) and (lists is None or asked.lists is lists)
            for asked in self.asked
        )

    def answer(self, asked: Asked, body: bytes) -> Reply:
        self.asked.append(asked)
        for before in list(self.before):
            if (reply := before(asked)) is not None:
                return reply
        reply = self._handed_on(asked, body)
        for after in list(self.after):
            reply = after(asked, reply)
        return reply

    def _handed_on(self, asked: Asked, body: bytes) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        try:
            headers = {name: value for name, value in asked.headers.items() if name.lower() not in _HOP}
            connection.request(asked.method, asked.target, body or None, headers)
            with connection.getresponse() as response:
                data = response.read()
                told = {
                    name: value
                    for name, value in response.getheaders()
                    if name.lower() not in _HOP - {"content-length"}
                }
                return Reply(response.status, data, told)
        finally:
            connection.close()

    def close(self) -> None:
        """The server goes away. May be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _handler(relay: Relay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # A connection each: when the server goes away, nobody is left on one.
        protocol_version = "HTTP/1.0"

        def _relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = relay.answer(Asked(self.command, self.path, dict(self.headers.items())), body)
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            length = len(reply.body)
            if self.command == "HEAD":
                length = int(reply.headers.get("Content-Length") or reply.headers.get("content-length") or 0)
            if reply.measured:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _relay

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
