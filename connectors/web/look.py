"""One look at one page: what its server answers, and what that means.

An answer of 200 is not yet a page. A host may answer any path with the same friendly words (a soft 404), and
send whoever is not logged in to a form. Both are recognised, and neither is ever taken for the page.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING

from connectors.base import (
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    SourceUnavailable,
    known_time,
    shortened,
)
from connectors.extras import extra
from connectors.receive import Received
from connectors.web.client import Answer, Client, instant
from connectors.web.memory import Row
from connectors.web.robots import Robots
from connectors.web.site import Address, Site, parse

if TYPE_CHECKING:
    from connectors.web.page import Page

#: Bytes of an HTML page that are read: what is larger is data, or a trap.
PAGE_MAX = 10_000_000
#: Characters of main text beside a password field, up to which a page is a log-in page.
_LOGIN_MAX = 500
#: A document modified less than this before it was sent may have changed since without another date.
_SETTLED = timedelta(seconds=60)
_REDIRECTS = (301, 302, 303, 307, 308)
_HTML = ("text/html", "application/xhtml+xml")
_BEGINNING = re.compile(
    rb"\s*(?:<!--.{0,500}?-->\s*)*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL
)
#: Content types whose bytes begin so, always.
_SIGNED = {"application/pdf": b"%PDF-"}

#: (blocks of a document, bytes that were announced) to what was received.
Sink = Callable[[Iterator[bytes], int | None], Received]


class Kind(Enum):
    DOCUMENT = "a document"
    UNCHANGED = "the same as when it was read last"
    MOVED = "redirects to another address"
    MISSING = "answers 404"
    GONE = "answers 410"
    NOINDEX = "asks not to be in any index"
    FORBIDDEN = "may not be read"
    LOGIN = "answers with a log-in page"
    SOFT = "answers as the host answers for pages that do not exist"


@dataclass(frozen=True, slots=True)
class Look:
    kind: Kind
    row: Row | None = None
    """Of a document, as it is now; of a page that asks not to be indexed, for its links."""
    target: str | None = None
    """The uri that a redirect leads to; None when that is out of the source."""
    permanent: bool = False
    secure: bool = False
    """Whether a redirect leads to https."""
    status: int = 200
    received: Received | None = None
    """Of its bytes, when they were asked for."""
    clean: bytes | None = None
    """The bytes of an HTML page's document."""


class Looker:
    """Asks for pages. It remembers how each host answers for a page that does not exist, until `forget`."""

    def __init__(self, client: Client, site: Site, robots: Robots, source: str, max_size: int) -> None:
        self._client, self._site, self._robots = client, site, robots
        self._source, self._max_size = source, max_size
        self._soft: dict[str, str] = {}

    def forget(self) -> None:
        self._soft.clear()

    def look(
        self, uri: str, known: Row | None = None, sink: Sink | None = None, *, trusted: bool = False
    ) -> Look:
        """Ask for a page: for a version that differs from `known`, or, with a `sink`, for its bytes in any
        case. A `trusted` page is taken at its word.

        Raises DocumentForbidden when robots.txt does not let it be asked for, and as `Client.get` does.
        """
        address = self._address(uri)
        if not self._robots.allows(address):
            raise DocumentForbidden(
                f"The robots.txt of {address.host} does not let {shortened(uri)!r} be asked for."
            )
        # Its rules may have shown that the host answers elsewhere.
        address = self._address(uri)
        headers = {}
        if known is not None and sink is None:
            headers = {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.last_modified} if known.last_modified else {}
        found = self._client.get(address, lambda answer: self._judged(answer, uri, known, sink), headers)
        if found.kind is Kind.MOVED and found.target == uri:
            if address.scheme != "http" or not found.secure:
                raise DocumentError(f"{shortened(address.url)} redirects to itself.")
            self._site.upgrade(address.host)
            return self.look(uri, known, sink, trusted=trusted)
        if found.kind is Kind.DOCUMENT and found.clean is not None and found.row is not None:
            if trusted or (known is not None and known.listed and known.token == found.row.token):
                return found
            soft = self._soft_answer(address)
            if soft and soft == _signature(found.clean, address):
                return Look(Kind.SOFT)
        return found

    def _address(self, uri: str) -> Address:
        address = self._site.address(uri)
        if address is None:
            raise DocumentForbidden(f"{shortened(uri)!r} is not the uri of a page of this source.")
        return address

    def _judged(self, answer: Answer, uri: str, known: Row | None, sink: Sink | None) -> Look:
        match answer.status:
            case 304 if known is not None:
                return Look(Kind.NOINDEX if known.noindex else Kind.UNCHANGED, known)
            case status if status in _REDIRECTS:
                moved = parse(answer.headers.get("location", ""), answer.url)
                inside = moved is not None and moved.host in self._site.schemes
                return Look(
                    Kind.MOVED,
                    target=moved.uri if moved is not None and inside else None,
                    permanent=status in (301, 308),
                    status=status,
                    secure=moved is not None and moved.scheme == "https",
                )
            case 404 | 410 as status:
                return Look(Kind.MISSING if status == 404 else Kind.GONE, status=status)
            case 200 | 203:
                return self._read(answer, uri, known, sink)
            case status if 400 <= status < 500:
                return Look(Kind.FORBIDDEN, status=status)
            case status:
                raise DocumentError(f"{shortened(answer.url)} answers {status}.")

    def _read(self, answer: Answer, uri: str, known: Row | None, sink: Sink | None) -> Look:
        stated = answer.headers.get("content-type", "")
        type = stated.partition(";")[0].strip().lower()
        if type in _HTML or (not type and not uri.partition("?")[0].rpartition("/")[2].count(".")):
            return self._page(answer, uri, stated, known, sink)
        row = _row_of_file(answer, uri, stated or None)
        if sink is None:
            return Look(Kind.DOCUMENT, row)
        blocks = _checked(answer.blocks(), type, answer.url)
        return Look(Kind.DOCUMENT, row, received=sink(blocks, answer.announced))

    def _page(self, answer: Answer, uri: str, stated: str, known: Row | None, sink: Sink | None) -> Look:
        try:
            body = answer.read(min(self._max_size, PAGE_MAX))
        except DocumentTooLarge:
            if sink is not None:
                raise
            # It exists; `fetch` says why it cannot be had.
            return Look(Kind.DOCUMENT, _row_of_file(answer, uri, stated or "text/html"))
        for type, beginning in _SIGNED.items():
            if body.startswith(beginning):
                row = _row_of_file(answer, uri, type)._replace(size=len(body))
                return Look(Kind.DOCUMENT, row, received=sink(iter([body]), None) if sink else None)
        page = self._parsed(body, stated, answer)
        if page.password and len(page.text) < _LOGIN_MAX:
            return Look(Kind.LOGIN)
        row = _row_of_page(answer, uri, page, known)
        if page.noindex:
            return Look(Kind.NOINDEX, row)
        received = sink(iter([page.clean]), len(page.clean)) if sink else None
        return Look(Kind.DOCUMENT, row, received=received, clean=page.clean)

    def _parsed(self, body: bytes, stated: str, answer: Answer) -> Page:
        with extra("web", self._source):
            # trafilatura needs the first, and without it fails with an error of lxml's.
            for package in ("lxml_html_clean", "trafilatura"):
                import_module(package)
        from connectors.web import page

        tag = answer.headers.get("x-robots-tag", "")
        return page.read(body, stated, answer.url, self._site, tag)

    def _soft_answer(self, like: Address) -> str:
        """How the host answers for a page that does not exist; "" when it says that there is none."""
        host = like.host
        if host not in self._soft:
            address = like._replace(path=f"/{secrets.token_hex(12)}", query="")
            found = ""
            try:
                if self._robots.allows(address):
                    found = self._client.get(address, lambda answer: self._nonsense(answer, address))
            except (DocumentError, SourceUnavailable):
                # It cannot be told now: pages are taken at their word.
                pass
            self._soft[host] = found
        return self._soft[host]

    def _nonsense(self, answer: Answer, address: Address) -> str:
        if answer.status != 200 or not answer.headers.get("content-type", "").lower().startswith(_HTML):
            return ""
        stated = answer.headers["content-type"]
        return _signature(self._parsed(answer.read(PAGE_MAX), stated, answer).clean, address)


def _signature(clean: bytes, address: Address) -> str:
    """Hash of a page's text without the address, which such answers often repeat."""
    text = clean.decode()
    for words in sorted(
        {address.url, address.uri, address.path, address.target, address.path.strip("/")}, key=len
    ):
        text = text.replace(words, "") if len(words) > 3 else text
    return hashlib.sha256(re.sub(r"[\s/]+", " ", text).encode()).hexdigest()


def _checked(blocks: Iterator[bytes], type: str, url: str) -> Iterator[bytes]:
    """The same blocks. Raises DocumentError when they are a web page instead of what they are said to be: an
    error, or a form to log in."""
    first = next(blocks, b"")
    expected = _SIGNED.get(type)
    disguised = expected is not None and not first[:1024].lstrip().startswith(expected)
    if disguised and _BEGINNING.match(first[:2048]):
        raise DocumentError(f"{shortened(url)} answers with a web page where it says {type}.")
    yield first
    yield from blocks


def _row_of_file(answer: Answer, uri: str, type: str | None) -> Row:
    """Its bytes are the document, so its validators are the token."""
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    at, size = instant(modified), answer.announced
    token: str | None = None
    if etag:
        token = f"etag {etag}"
    elif at is not None and answer.asked_at - at >= _SETTLED and size is not None:
        token = f"modified {at.isoformat()} {size}"
    # Without a token every look has to be a whole one.
    kept = (etag, modified) if token else ("", "")
    return Row(uri, *kept, token, size, _nanoseconds(at), None, type)


def _row_of_page(answer: Answer, uri: str, page: Page, known: Row | None) -> Row:
    """Its main text is the document, and the hash of this the token: a changed menu is no new version."""
    token = hashlib.sha256(page.clean).hexdigest()[:32]
    own = page.modified if page.modified is not None and _instant(page.modified) <= answer.asked_at else None
    at = _instant(own) if own is not None else instant(answer.headers.get("last-modified", ""))
    same = known is not None and known.token == token
    # The server dates each way to write the page; a text that is the same is as old as it was.
    modified_at = known.modified_at if known is not None and same and own is None else _nanoseconds(at)
    before = 0 if known is None else known.before if same else known.length
    return Row(
        uri,
        answer.headers.get("etag", ""),
        answer.headers.get("last-modified", ""),
        token,
        len(page.clean),
        modified_at,
        json.dumps(page.properties, ensure_ascii=False),
        "text/html; charset=utf-8",
        json.dumps(page.links, ensure_ascii=False),
        page.canonical if page.canonical != uri else None,
        length=len(page.text),
        before=before,
    )


def _instant(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _nanoseconds(at: datetime | None) -> int | None:
    if at is None:
        return None
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return known_time(((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000)
