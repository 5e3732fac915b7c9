"""Connections: to the very address that was checked, and no longer than a server deserves.

A name is resolved once for a connection; each address is checked, and the connection is made to that address,
not to the name again. TLS asks for the host's name and checks its certificate as ever. No proxy is used,
whatever the environment says: it would resolve the name anew, where nobody checks.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import httpcore

from connectors.web.address import refusal

Resolve = Callable[[str, int], list[str]]

#: Bytes a second, below which a server is too slow to be waited for.
SLOWEST = 16_384


class Refused(Exception):
    """A host has an address that may not be connected to. The message is a sentence."""


class Guard(httpcore.NetworkBackend):
    """Connects to checked addresses. `begin` starts the time of a request: its answer may take `patience`
    seconds, and a second more for each `SLOWEST` bytes."""

    def __init__(self, allowed: Collection[str], resolve: Resolve, patience: float) -> None:
        self._allowed, self._resolve, self._patience = frozenset(allowed), resolve, patience
        self._inner = httpcore.SyncBackend()
        self._begun = time.monotonic()
        self._received = 0

    def begin(self) -> None:
        self._begun, self._received = time.monotonic(), 0

    def received(self, count: int) -> None:
        self._received += count

    def left(self, timeout: float | None) -> float:
        """Seconds to wait for the next bytes. Raises httpcore.ReadTimeout when the time is over."""
        over = self._begun + self._patience + self._received / SLOWEST
        left = over - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"it sends less than {SLOWEST:,} bytes a second")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"its name cannot be resolved: {error}") from error
        refused, failed = "", None
        for address in addresses:
            if kind := refusal(address, host, self._allowed):
                refused = refused or self._why(host, address, kind)
                continue
            try:
                stream = self._inner.connect_tcp(address, port, self.left(timeout), None, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = httpcore.ConnectError(str(error) or "it does not answer")
                continue
            peer = str(stream.get_extra_info("server_addr")[0])
            if kind := refusal(peer, host, self._allowed):
                stream.close()
                raise Refused(self._why(host, peer, kind))
            return Stream(stream, self)
        if failed is None and refused:
            raise Refused(refused)
        raise failed or httpcore.ConnectError("its name has no address")

    def _why(self, host: str, address: str, kind: str) -> str:
        return (
            f"The host {host!r} has the address {address}, which is not public ({kind}). If it is meant, "
            f"allow it by name: allow: [{host if kind in ('loopback', 'private', 'reserved') else address}]."
        )


class Stream(httpcore.NetworkStream):
    """A connection that ends with the time of its request."""

    def __init__(self, inner: httpcore.NetworkStream, guard: Guard) -> None:
        self._inner, self._guard = inner, guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        found = self._inner.read(max_bytes, self._guard.left(timeout))
        self._guard.received(len(found))
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._guard.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return Stream(
            self._inner.start_tls(ssl_context, server_hostname, self._guard.left(timeout)), self._guard
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def pool(guard: Guard, *, secure: bool) -> httpcore.ConnectionPool:
    """Connections that are kept for the next request; certificates as the system and certifi have them."""
    trusted = None
    if secure:
        import certifi

        trusted = ssl.create_default_context()
        trusted.load_verify_locations(certifi.where())
    return httpcore.ConnectionPool(
        ssl_context=trusted,
        max_connections=4,
        max_keepalive_connections=2,
        keepalive_expiry=30,
        network_backend=guard,
    )
