"""Requests: one at a time, at a host's pace, tried again when that may help. Redirects are not followed."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpcore

from connectors.base import (
    DocumentChanging,
    DocumentError,
    DocumentTooLarge,
    SourceUnavailable,
    shortened,
)
from connectors.web.address import resolve
from connectors.web.settings import WebSettings
from connectors.web.site import Address
from connectors.web.transport import Guard, Refused, Resolve, pool

Result = TypeVar("Result")

ATTEMPTS = 3
#: Seconds before the second and the third attempt.
_BACK_OFF = (1.0, 4.0)
#: The longest Retry-After that is waited for, in seconds.
_WAIT_MAX = 120.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_BLOCK = 65_536
#: The name that robots.txt calls this crawler by.
AGENT = "freshkb"


class Answer:
    """The head of an answer, and its body as it comes."""

    def __init__(self, url: str, response: httpcore.Response) -> None:
        self.url, self.status, self._response = url, response.status, response
        self._begun = False
        self.headers: dict[str, str] = {}
        for name, value in response.headers:
            self.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())

    @property
    def encoded(self) -> bool:
        return self.headers.get("content-encoding", "identity").lower() not in ("", "identity")

    @property
    def announced(self) -> int | None:
        """Bytes of the document, where they are said and not compressed."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() and not self.encoded else None

    @property
    def asked_at(self) -> datetime:
        """The server's time, or that of this machine."""
        return instant(self.headers.get("date", "")) or datetime.now(UTC)

    def blocks(self) -> Iterator[bytes]:
        """The body, decompressed in small blocks. Raises DocumentError for what was not asked for."""
        self._begun = True
        encoding = self.headers.get("content-encoding", "").lower()
        if not self.encoded:
            yield from self._response.iter_stream()
            return
        if encoding not in ("gzip", "x-gzip"):
            raise DocumentError(
                f"{shortened(self.url)} comes with the encoding {encoding[:20]!r}, which was not asked for."
            )
        yield from gunzip(self._response.iter_stream(), self.url)

    def drain(self) -> None:
        """Read a short body to its end, so that the connection can be used again."""
        if self._begun:
            return
        with suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
            left = _BLOCK
            for block in self._response.iter_stream():
                left -= len(block)
                if left < 0:
                    break

    def read(self, limit: int) -> bytes:
        """The whole body. Raises DocumentTooLarge above `limit` bytes, before it reads more."""
        if self.announced is not None and self.announced > limit:
            raise DocumentTooLarge(
                f"{shortened(self.url)} has {self.announced:,} bytes; the limit is {limit:,}."
            )
        found = bytearray()
        for block in self.blocks():
            found += block
            if len(found) > limit:
                raise DocumentTooLarge(f"{shortened(self.url)} has more bytes than the limit of {limit:,}.")
        return bytes(found)


class Client:
    """Asks the hosts of one source. Used by one thread at a time."""

    def __init__(
        self,
        settings: WebSettings,
        *,
        resolve: Resolve = resolve,
        pause: Callable[[float], None] = time.sleep,
        timeout: float = 20.0,
        patience: float = 60.0,
    ) -> None:
        self._settings, self._pause, self._timeout = settings, pause, timeout
        self._guard = Guard(settings.allow, resolve, patience)
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._next: dict[str, float] = {}
        self.delays: dict[str, float] = {}
        """Seconds between two requests to a host, as its robots.txt demands."""
        self.requests = 0

    def get(
        self, address: Address, handle: Callable[[Answer], Result], headers: Mapping[str, str] | None = None
    ) -> Result:
        """What `handle` makes of the answer; it may be called again when the body breaks off.

        Raises SourceUnavailable when the host cannot be reached, or may not be,
        DocumentChanging when the answer breaks off each time, DocumentError when the server fails or asks
        to wait for longer than a sync can.
        """
        trouble: DocumentError | SourceUnavailable = DocumentError("")
        shown = shortened(address.url)
        for attempt in range(ATTEMPTS):
            delay = _BACK_OFF[min(attempt, len(_BACK_OFF) - 1)]
            try:
                with self._asked(address, headers or {}) as answer:
                    if answer.status not in _RETRIED:
                        return handle(answer)
                    wait = _retry_after(answer)
                    times = "" if attempt == 0 else f" ({attempt + 1} times)"
                    trouble = DocumentError(f"{shown} answers {answer.status}{times}.")
                    if wait > _WAIT_MAX:
                        long = f"asks to wait for {wait:,.0f} s. Sync later."
                        raise DocumentError(f"{shown} answers {answer.status}, and {long}")
                    delay = max(delay, wait)
            except Refused as error:
                raise SourceUnavailable(str(error)) from error
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                why = str(error) or "it does not answer in time"
                trouble = SourceUnavailable(f"The host {address.host!r} cannot be reached: {why}.")
            except (httpcore.RemoteProtocolError, zlib.error) as error:
                trouble = DocumentChanging(f"{shown} breaks off: {error}.")
            except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
                why = str(error) or "no bytes come in time"
                trouble = DocumentError(f"{shown} cannot be read: {why}.")
            if attempt + 1 < ATTEMPTS:
                self._pause(delay)
        raise trouble

    def close(self) -> None:
        for connections in self._pools.values():
            connections.close()
        self._pools.clear()

    @contextmanager
    def _asked(self, address: Address, headers: Mapping[str, str]) -> Iterator[Answer]:
        self._take_turn(address.host)
        if address.scheme not in self._pools:
            # Reading the certificates takes longer than a request.
            self._pools[address.scheme] = pool(self._guard, secure=address.scheme == "https")
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        url = httpcore.URL(
            scheme=address.scheme.encode(),
            host=address.name.encode(),
            port=address.port,
            target=address.target.encode(),
        )
        sent = [(b"Host", address.host.encode())]
        sent += [(n.encode(), v.encode()) for n, v in {**self._common(), **headers}.items()]
        self.requests += 1
        self._guard.begin()
        with self._pools[address.scheme].stream(
            "GET", url, headers=sent, extensions={"timeout": timeout}
        ) as response:
            answer = Answer(address.url, response)
            yield answer
            if answer.status != 200:
                answer.drain()

    def _common(self) -> dict[str, str]:
        contact = f" (+{self._settings.contact})" if self._settings.contact else ""
        said = {
            "User-Agent": f"{AGENT}/0.1{contact}",
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "Accept-Encoding": "gzip",
        }
        return said | {name: value.get_secret_value() for name, value in self._settings.headers.items()}

    def _take_turn(self, host: str) -> None:
        """Wait until the host may be asked again."""
        now = time.monotonic()
        wait = self._next.get(host, now) - now
        if wait > 0:
            self._pause(wait)
        gap = max(1 / self._settings.rate, self.delays.get(host, 0.0))
        self._next[host] = max(now, self._next.get(host, now)) + gap


def gunzip(blocks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """Decompressed blocks of bounded size, however much one of them unpacks to. Raises DocumentChanging when
    the stream ends early, zlib.error when it is none."""
    unpacking = zlib.decompressobj(wbits=31)
    for block in blocks:
        while block:
            if unpacking.eof:
                # Another member follows; padding does not.
                if not block.strip(b"\0"):
                    break
                unpacking = zlib.decompressobj(wbits=31)
            yield unpacking.decompress(block, _BLOCK)
            block = unpacking.unconsumed_tail or unpacking.unused_data
    yield from iter(lambda: unpacking.decompress(unpacking.unconsumed_tail, _BLOCK), b"")
    if not unpacking.eof:
        raise DocumentChanging(f"{shortened(url)} breaks off in the middle of its compressed bytes.")


def instant(text: str) -> datetime | None:
    """An HTTP date, in UTC; None when it is none."""
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _retry_after(answer: Answer) -> float:
    """Seconds; 0 when the server does not say. A date counts from the server's own clock."""
    said = answer.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said[:9])
    until = instant(said)
    return max(0.0, (until - answer.asked_at).total_seconds()) if until else 0.0
