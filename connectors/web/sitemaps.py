"""Sitemaps and indexes of them: XML, text, and either of these compressed."""

from __future__ import annotations

import io
from collections.abc import Iterator, MutableSequence
from typing import Any

from connectors.base import DocumentError, SourceUnavailable, shortened
from connectors.web.client import Answer, Client, gunzip
from connectors.web.site import Site, parse

#: Bytes of one sitemap, decompressed; the protocol allows as many.
_SIZE_MAX = 52_428_800
#: Sitemaps that an index may lead to, itself and the indexes among them included.
_SITEMAPS_MAX = 10_000
_REDIRECTS_MAX = 5


def pages(
    client: Client, site: Site, urls: tuple[str, ...], errors: MutableSequence[str]
) -> Iterator[tuple[str, str]]:
    """(uri, lastmod) of each page that these sitemaps name within the site; lastmod is "" where they give
    none. A sitemap that cannot be read is an error: what it names cannot be told."""
    waiting, seen = list(reversed(urls)), set(urls)
    while waiting:
        url = waiting.pop()
        try:
            for kind, text, changed in _entries(_bytes(client, site, url), url):
                if kind == "url":
                    if (uri := site.uri(text, url)) is not None:
                        yield uri, changed
                elif len(seen) >= _SITEMAPS_MAX:
                    raise DocumentError(f"Its index names more than {_SITEMAPS_MAX:,} sitemaps.")
                elif (found := parse(text, url)) is not None and found.url not in seen:
                    seen.add(found.url)
                    waiting.append(found.url)
        except (DocumentError, SourceUnavailable) as error:
            errors.append(f"The sitemap {shortened(url)} cannot be read: {error}")


def _bytes(client: Client, site: Site, url: str) -> bytes:
    address = parse(url)
    for _ in range(_REDIRECTS_MAX):
        if address is None or address.host not in site.schemes:
            raise DocumentError("it lies on a host that is none of this source's.")
        found = client.get(address, _body)
        if isinstance(found, bytes):
            return found
        address = parse(found, address.url)
    raise DocumentError("it redirects again and again.")


def _body(answer: Answer) -> bytes | str:
    """The bytes, or where a redirect leads."""
    if answer.status in (301, 302, 303, 307, 308):
        return answer.headers.get("location", "")
    if answer.status != 200:
        raise DocumentError(f"it answers {answer.status}.")
    found = answer.read(_SIZE_MAX)
    # Compressed by its name, and not by the connection.
    if not found.startswith(b"\x1f\x8b"):
        return found
    whole = bytearray()
    for block in gunzip(iter([found]), answer.url):
        whole += block
        if len(whole) > _SIZE_MAX:
            raise DocumentError(f"it unpacks to more than {_SIZE_MAX:,} bytes.")
    return bytes(whole)


def _entries(data: bytes, url: str) -> Iterator[tuple[str, str, str]]:
    """(``url`` or ``sitemap``, its address, its date) of each entry. Raises DocumentError."""
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text.startswith(b"<"):
        lines = text.decode("utf-8", "replace").split()
        if any(parse(line) is None for line in lines):
            raise DocumentError("it is neither XML nor a list of addresses.")
        yield from (("url", line, "") for line in lines)
        return
    from lxml import etree

    try:
        events = etree.iterparse(
            io.BytesIO(text), resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
        )
        for _, node in events:
            kind = _tag(node)
            if kind in ("url", "sitemap"):
                said = {_tag(child): (child.text or "").strip() for child in node}
                if said.get("loc"):
                    yield kind, said["loc"], said.get("lastmod", "")
                node.clear()
                while node.getprevious() is not None:
                    del node.getparent()[0]
        if _tag(events.root) not in ("urlset", "sitemapindex"):
            raise DocumentError(f"it is a document of the kind {_tag(events.root)[:40]!r}, and no sitemap.")
    except etree.XMLSyntaxError as error:
        raise DocumentError(f"its XML is broken: {error.msg}.") from error


def _tag(node: Any) -> str:
    return str(node.tag).rpartition("}")[2].lower() if isinstance(node.tag, str) else ""
