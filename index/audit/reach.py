"""The answer of an external address, asked over HTTP: its status, and nothing of what it says.

A base is made by many: its links must not make this machine ask what only this machine can reach. Names are
resolved here, only public addresses are asked, and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from urllib.parse import SplitResult, quote, urljoin, urlsplit

#: Seconds for each step of an answer, and for all of it.
STEP_SECONDS = 10.0
ANSWER_SECONDS = 30.0
REDIRECTS_MAX = 5
#: Answers that say an address is gone.
GONE = frozenset({404, 410})
#: Answers to HEAD after which GET is asked: some servers know no HEAD, or answer it otherwise.
_AGAIN = frozenset({400, 401, 403, 404, 405, 406, 410, 501})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = "/%:=&?~+!$,;'@()*[]-._"

#: A function that says whether an address (of IP, as text) may be asked.
Permits = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Whether an address of IP is one of the public network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not found.is_multicast


def status_of(url: str, permits: Permits = is_public) -> int:
    """The status that an http(s) url has in the end, redirects followed; 0 when there is no answer."""
    for method in ("HEAD", "GET"):
        status = _followed(url, method, permits)
        if status not in _AGAIN:
            return status
    return status


def _followed(url: str, method: str, permits: Permits) -> int:
    for _ in range(REDIRECTS_MAX + 1):
        try:
            status, target = _asked(urlsplit(url), method, permits)
        except (OSError, HTTPException, ValueError):
            return 0
        if status not in _REDIRECTS or not target:
            return status
        url = urljoin(url, target)
    return 0


def _asked(url: SplitResult, method: str, permits: Permits) -> tuple[int, str]:
    """(status, target of a redirect). Raises OSError, HTTPException or ValueError without an answer."""
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
        raise ValueError("It is no web address.")
    host = url.hostname.encode("idna").decode()
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not all(permits(address) for address in addresses):
        raise ValueError("It is no public address.")
    sock = socket.create_connection((addresses[0], port), STEP_SECONDS)
    # A server that answers a byte at a time would never be late.
    late = threading.Timer(ANSWER_SECONDS, _end, [sock])
    late.daemon = True
    late.start()
    try:
        if secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        with closing(HTTPConnection(host, port, timeout=STEP_SECONDS)) as connection:
            connection.sock = sock
            connection.default_port = 443 if secure else 80
            path = quote(url.path or "/", safe=_SAFE)
            if url.query:
                path += f"?{quote(url.query, safe=_SAFE)}"
            agent = f"freshkb/{version('freshkb')} (link check)"
            connection.request(method, path, headers={"User-Agent": agent, "Accept": "*/*"})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location", "")
    finally:
        late.cancel()
        sock.close()


def _end(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
