"""The internet as a test has it: a proxy on loopback, behind which stand-ins answer under the services' own
names.

Clients find it by the environment (``HTTPS_PROXY``, and a certificate authority of the test's own), so that
libraries whose addresses are fixed ask exactly what they would ask the service. Whatever else is asked for is
a stranger, and refused.
"""

from __future__ import annotations

import datetime
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Kind = Literal["429", "500", "503", "401", "403", "404", "cut", "hang", "html", "odd"]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    host: str
    path: str
    """Without its query, percent-decoded."""
    raw: str
    """As it was asked for."""
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(slots=True)
class Answer:
    status: int = 200
    body: Any = None
    """JSON, or bytes."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """Requests whose address contains `at` fail in this way, so many `times`, after `skip` that did not."""

    kind: Kind
    at: str
    times: int
    skip: int
    retry_after: str | None


class Site:
    """One stand-in. A subclass answers; what is in it are its attributes."""

    hosts: tuple[str, ...]

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        """METHOD and address of each request, in order."""
        self.released = threading.Event()
        self.clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def fail(
        self,
        kind: Kind,
        at: str = "",
        *,
        times: int = 1_000_000,
        skip: int = 0,
        retry_after: str | None = None,
    ) -> None:
        self.faults.append(Fault(kind, at, times, skip, retry_after))

    def heal(self) -> None:
        self.faults.clear()

    def fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.at in request.raw and fault.times > 0:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


class Loopback:
    """The proxy. `strangers` has each host that was asked for and is no site's."""

    def __init__(self, folder: Path, hosts: tuple[str, ...]) -> None:
        self.sites: dict[str, Site] = {}
        self.strangers: list[str] = []
        self.certificate = folder / "ca.pem"
        self.tls = _tls(folder, self.certificate, hosts)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HTTPS_PROXY": self.url,
            "https_proxy": self.url,
            "HTTP_PROXY": self.url,
            "http_proxy": self.url,
            "REQUESTS_CA_BUNDLE": str(self.certificate),
            "SSL_CERT_FILE": str(self.certificate),
        }

    def serve(self, *sites: Site) -> None:
        """These sites, and no others."""
        self.sites = {host: site for site in sites for host in site.hosts}
        self.strangers.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients break off: that is what some tests are about."""


def _tls(folder: Path, certificate: Path, hosts: tuple[str, ...]) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "freshkb test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate.write_bytes(pem)
    (folder / "server.pem").write_bytes(secret + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _handler(net: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        host = ""

        def do_CONNECT(self) -> None:
            host = self.path.partition(":")[0]
            if host not in net.sites:
                net.strangers.append(host)
                self.send_error(502)
                return
            self.host = host
            self.send_response(200)
            self.end_headers()
            try:
                self.connection = net.tls.wrap_socket(self.connection, server_side=True)
            except OSError:
                self.close_connection = True
                return
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb")
            self.close_connection = False

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def _any(self) -> None:
            site = net.sites.get(self.host)
            if site is None:
                net.strangers.append(self.headers.get("Host", "?"))
                self.send_error(502)
                return
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(
                self.command,
                self.host,
                unquote(parts.path),
                self.path,
                {name: values[0] for name, values in parse_qs(parts.query, True).items()},
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            site.asked.append(f"{self.command} {self.path}")
            fault = site.fault(request)
            if fault is not None and fault.kind == "hang":
                site.released.wait(30)
                self.close_connection = True
                return
            answer = _failed(fault) or site.answer(request)
            self._say(site, answer, cut=fault is not None and fault.kind == "cut")

        do_GET = do_POST = do_HEAD = _any

        def _say(self, site: Site, answer: Answer, *, cut: bool) -> None:
            plain = isinstance(answer.body, bytes)
            data = answer.body if plain else b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response_only(answer.status)
            self.send_header("Date", format_datetime(site.clock(), usegmt=True))
            headers = {"Content-Type": "text/html" if plain else "application/json", **answer.headers}
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection |= cut

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


def _failed(fault: Fault | None) -> Answer | None:
    """The answer of a fault; None where the site's own goes out."""
    if fault is None or fault.kind == "cut":
        return None
    if fault.kind == "html":
        return Answer(200, b"<html><body>Please log in.</body></html>", {"Content-Type": "text/html"})
    if fault.kind == "odd":
        return Answer(200, {"surprise": True})
    status = int(fault.kind)
    # Atlassian, Graph and Notion each have other words; only the status is read.
    said = {
        "object": "error",
        "status": status,
        "code": _NOTION.get(status, "internal_server_error"),
        "message": "what the stand-in says",
        "error": {"code": "fault", "message": "what the stand-in says"},
    }
    return Answer(status, said, {"Retry-After": fault.retry_after} if fault.retry_after else {})


_NOTION = {
    401: "unauthorized",
    403: "restricted_resource",
    404: "object_not_found",
    429: "rate_limited",
    503: "service_unavailable",
}
