"""WebDAV's answer to PROPFIND, read as it arrives (RFC 4918, section 13)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from connectors.remote.server import Dropped, Failed, Item

_DAV = "{DAV:}"
_FILE_ID = "{http://owncloud.org/ns}fileid"
QUESTION = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:" xmlns:oc="http://owncloud.org/ns"><prop>'
    b"<resourcetype/><getcontentlength/><getlastmodified/><getetag/><oc:fileid/></prop></propfind>"
)


class Part(NamedTuple):
    """One file or folder of an answer."""

    path: tuple[str, ...]
    """The names of its address on the server, from the server's root."""
    status: int
    """200, or why the server does not describe it."""
    item: Item


def parts(blocks: Iterable[bytes]) -> Iterator[Part]:
    """The parts of an answer that comes in these blocks. Raises Dropped when it is cut off, Failed when it is
    none."""
    parser: Any = XMLPullParser(events=("start", "end"))
    root: Element | None = None
    came = 0
    try:
        for block in blocks:
            came += len(block)
            parser.feed(block)
            for event, element in parser.read_events():
                if root is None:
                    root = element
                    if root.tag != f"{_DAV}multistatus":
                        raise Failed("the server's answer is not WebDAV")
                elif event == "end" and element.tag == f"{_DAV}response":
                    yield _part(element)
                    # Memory holds one part of the answer.
                    root.clear()
        parser.close()
    except ParseError as error:
        if root is None and came:
            raise Failed("the server's answer is not WebDAV") from error
        raise Dropped(f"the server's answer is cut off or damaged ({error})") from error


def _part(response: Element) -> Part:
    address = (response.findtext(f"{_DAV}href") or "").strip()
    try:
        raw = urlsplit(address).path if "://" in address else address
    except ValueError as error:
        raise Failed("the server's answer has an address that is none") from error
    path = tuple(os.fsdecode(unquote_to_bytes(name)) for name in raw.split("/") if name)
    status = _code(response.findtext(f"{_DAV}status"))
    told: dict[str, Element] = {}
    denied: dict[str, int] = {}
    for propstat in response.findall(f"{_DAV}propstat"):
        code = _code(propstat.findtext(f"{_DAV}status"))
        for property in propstat.iterfind(f"{_DAV}prop/*"):
            if code == 200:
                told[property.tag] = property
            else:
                denied[property.tag] = code
    return Part(path, status, _item(path[-1] if path else "", raw.endswith("/"), status, told, denied))


def _item(name: str, slash: bool, status: int, told: dict[str, Element], denied: dict[str, int]) -> Item:
    kind = told.get(f"{_DAV}resourcetype")
    if status != 200 or (kind is None and denied.get(f"{_DAV}resourcetype", 404) != 404):
        return Item(name, "unknown")
    native_id = _text(told, _FILE_ID) or None
    if kind.find(f"{_DAV}collection") is not None if kind is not None else slash:
        return Item(name, "folder", native_id=native_id)
    digits = _text(told, f"{_DAV}getcontentlength")
    size = int(digits) if re.fullmatch("[0-9]{1,18}", digits) else None
    modified_at = moment(_text(told, f"{_DAV}getlastmodified"))
    token = strong(_text(told, f"{_DAV}getetag"))
    if token is None and size is not None and modified_at is not None:
        token = f"{size}-{modified_at}"
    return Item(name, "file", size, modified_at, token, native_id)


def strong(etag: str) -> str | None:
    """An ETag that stands for the very bytes, in quotes; None for a weak one."""
    etag = etag.strip()
    if not etag or etag.startswith("W/"):
        return None
    return f'"{etag.strip(chr(34))}"'


def moment(text: str) -> int | None:
    """Nanoseconds since the epoch of an HTTP date; None when it is none."""
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        return None


def _text(told: dict[str, Element], name: str) -> str:
    return (told[name].text or "").strip() if name in told else ""


def _code(line: str | None) -> int:
    """The code of ``HTTP/1.1 207 Multi-Status``; 200 where there is no line."""
    found = re.search(r"\b([1-5][0-9]{2})\b", line or "200")
    return int(found[1]) if found else 500
