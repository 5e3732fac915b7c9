"""WebDAV: one PROPFIND for each folder, one for each file that is looked at.

The server's ETag is the token where it is a strong one, else size and time. Redirections are not followed:
they would carry the password to another place.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote, urlsplit

import httpx

from connectors.base import Detection
from connectors.remote.multistatus import QUESTION, Part, moment, parts, strong
from connectors.remote.server import (
    BLOCK,
    TIMEOUT_SECONDS,
    Access,
    Changed,
    Dropped,
    Failed,
    Item,
    Missing,
    Names,
    Refused,
    Server,
    Unusable,
)
from connectors.remote.tls import tls_context, untrusted

#: Answers that say "later".
_LATER = frozenset({408, 425, 429, 502, 503, 504})
_SCHEMES = {"webdav": "http", "webdavs": "https"}


class _Redirected(Failed):
    def __init__(self, location: str) -> None:
        super().__init__(f"the server says that it is at {location}; if that is so, write that address")
        self.location = location


class WebdavServer(Server):
    token: Literal["mtime", "etag"] = "etag"
    detects: frozenset[Detection] = frozenset({"dates", "links"})

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._open: httpx.Client | None = None
        self._date: tuple[int, int] | None = None
        """The server's clock when it answered last, and ours, which never goes back, then."""

    def root(self) -> str:
        with self._answered((), slash=True, depth=0) as found:
            part = next(found, None)
        if part is None or part.item.kind == "file":
            raise Missing
        if part.item.kind == "unknown":
            raise Refused("the server does not describe it")
        return "" if part.item.native_id is None else f"file id {part.item.native_id}"

    def scan(self, path: Names) -> list[Item]:
        here = self._full(path)
        items: list[Item] = []
        itself = False
        with self._answered(path, slash=True, depth=1) as found:
            for part in found:
                if part.path == here:
                    itself = True
                    if part.status == HTTPStatus.INSUFFICIENT_STORAGE:
                        raise Failed("the server cut its listing short")
                    if part.item.kind == "file":
                        raise Missing("it is not a folder")
                elif part.path[:-1] == here:
                    items.append(part.item)
                else:
                    raise Failed("the server lists another folder in its place")
        if not itself:
            raise Failed("the server's listing does not name the folder itself")
        if any(item.native_id is not None for item in items):
            self.detects = self.detects | {"renames"}
        return items

    def look(self, path: Names) -> Item:
        try:
            with self._answered(path, slash=False, depth=0) as found:
                part = next(found, None)
        except _Redirected as redirected:
            # Apache does so when a folder is asked for without a slash.
            if urlsplit(redirected.location).path.rstrip("/") != urlsplit(self._url(path, slash=False)).path:
                raise
            return Item(path[-1], "folder")
        if part is None or part.status == HTTPStatus.NOT_FOUND:
            raise Missing
        if part.path != self._full(path):
            raise Failed("the server describes another file in its place")
        return part.item

    def read(self, path: Names, item: Item) -> Generator[bytes, None, None]:
        etag = item.token if (item.token or "").startswith('"') else None
        asked = {} if etag is None else {"If-Match": etag}
        with self._answer("GET", self._url(path, slash=False), asked) as answer:
            given = strong(answer.headers.get("ETag", ""))
            if None not in (etag, given) and etag != given:
                raise Changed("it changed meanwhile")
            yield from answer.iter_bytes(BLOCK)

    def time(self) -> int | None:
        if self._date is None:
            return None
        then, mine = self._date
        return then + time.monotonic_ns() - mine

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def _client(self) -> httpx.Client:
        if self._open is None:
            address, login = self.access.address, None
            if self.access.username is not None:
                login = httpx.BasicAuth(self.access.username, self.access.secret)
            trusted: ssl.SSLContext | bool = True
            if address.scheme == "webdavs":
                trusted = tls_context(self.access)
            self._open = httpx.Client(
                auth=login,
                verify=trusted,
                timeout=TIMEOUT_SECONDS,
                # Other bytes than the file's could have its ETag, and not its size.
                headers={"Accept-Encoding": "identity", "User-Agent": "freshkb"},
            )
        return self._open

    def _full(self, path: Names) -> Names:
        return (*self.access.address.path, *path)

    def _url(self, path: Names, *, slash: bool) -> str:
        address = self.access.address
        names = "".join(f"/{quote(os.fsencode(name), safe='~')}" for name in self._full(path))
        return f"{_SCHEMES[address.scheme]}://{address.hostport}{names}{'/' if slash or not names else ''}"

    @contextmanager
    def _answered(self, path: Names, *, slash: bool, depth: int) -> Iterator[Iterator[Part]]:
        asked = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        with self._answer("PROPFIND", self._url(path, slash=slash), asked, QUESTION) as answer:
            if answer.status_code != HTTPStatus.MULTI_STATUS:
                raise Failed(
                    f"the server does not speak WebDAV at this address (it answers {answer.status_code})"
                )
            yield parts(answer.iter_bytes(BLOCK))

    @contextmanager
    def _answer(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Iterator[httpx.Response]:
        """The answer to a request, when it is one of success. Also turns what its body raises into ours."""
        try:
            with self._client.stream(method, url, headers=dict(headers), content=content) as answer:
                date = moment(answer.headers.get("Date", ""))
                if date is not None:
                    self._date = date, time.monotonic_ns()
                self._check(answer)
                yield answer
        except httpx.TimeoutException as error:
            raise Dropped(f"the server did not answer within {TIMEOUT_SECONDS:.0f} seconds") from error
        except httpx.TransportError as error:
            if why := untrusted(error):
                raise Unusable(why) from error
            raise Dropped(f"the connection failed ({error or type(error).__name__})") from error
        except httpx.DecodingError as error:
            raise Failed(f"the server's answer cannot be decoded ({error})") from error

    def _check(self, answer: httpx.Response) -> None:
        code, login = answer.status_code, self.access.login
        if answer.is_success:
            return
        if code == HTTPStatus.UNAUTHORIZED:
            if self.access.username is None:
                raise Unusable("the server asks for a user name; set username and password")
            raise Unusable(f"the server refuses to log in {login}; check username and password")
        if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise Missing
        if code == HTTPStatus.FORBIDDEN:
            raise Refused(f"the server forbids it to whoever logs in {login}")
        if code == HTTPStatus.PRECONDITION_FAILED:
            raise Changed("it changed meanwhile")
        if code in _LATER:
            raise Dropped(f"the server answers {code} {answer.reason_phrase}", self._later(answer))
        if answer.has_redirect_location:
            place = urlsplit(str(answer.url.join(answer.headers["Location"])))
            scheme = {"http": "webdav", "https": "webdavs"}.get(place.scheme, place.scheme)
            raise _Redirected(f"{scheme}://{place.netloc.rpartition('@')[2]}{place.path}")
        if code in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED):
            raise Failed(f"the server does not speak WebDAV at this address (it answers {code})")
        raise Failed(f"the server answers {code} {answer.reason_phrase}".rstrip())

    def _later(self, answer: httpx.Response) -> float | None:
        """Seconds until the server wants to be asked again, if it says so."""
        said = answer.headers.get("Retry-After", "")
        if said.isdecimal():
            return float(said)
        then = moment(said)
        return None if then is None else max(0.0, (then - (self.time() or time.time_ns())) / 1e9)
