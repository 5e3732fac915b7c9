"""An HTML page: what it says of itself, where it leads, and its main text."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urljoin

from lxml import etree, html

from connectors.web.client import AGENT, instant
from connectors.web.site import Site
from connectors.web.text import document, main_of

#: Links of one page that are followed.
_LINKS_MAX = 5_000
#: Never documents: asking for them would only cost requests.
_MEDIA = re.compile(
    r"\.(?:png|jpe?g|gif|webp|svg|ico|avif|bmp|css|m?js|map|woff2?|ttf|eot|mp[34]|webm|og[gv]|wav|mov|avi|mkv|zip"
    r"|t?gz|bz2|xz|7z|rar|exe|dmg|iso|deb|rpm|apk|msi|jar|whl)$",
    re.IGNORECASE,
)
_CHARSET = re.compile(
    rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.I
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_MODIFIED = (
    "article:modified_time",
    "og:updated_time",
    "datemodified",
    "dcterms.modified",
    "dc.date.modified",
)
_PUBLISHED = (
    "article:published_time",
    "datepublished",
    "dcterms.issued",
    "dcterms.created",
    "dc.date.issued",
)
#: Declarations that the freshness of a document and its owner follow from.
_DECLARED = frozenset(
    {"owner", "owners", "last_reviewed", "last-reviewed", "review_date", "review-date", "ms.date"}
)
_ARTICLES_MAX, _JSON_MAX, _TEXT_MAX = 50, 200_000, 500


@dataclass(frozen=True, slots=True)
class Page:
    clean: bytes
    """The main text as HTML."""
    text: str
    """The main text, plain."""
    title: str
    links: list[str]
    """Uris of pages of the site that it links to, each once."""
    canonical: str | None
    """The uri that it says it has, within the site."""
    noindex: bool
    nofollow: bool
    password: bool
    """Whether it asks for a password."""
    modified: date | None
    """By its own word; a datetime when it says the time, too."""
    properties: dict[str, str]


def read(body: bytes, content_type: str, url: str, site: Site, tag: str = "") -> Page:
    """The page of these bytes. `url` is the address it came from, `tag` its X-Robots-Tag."""
    root = _tree(decoded(body, content_type))
    base = next((node.get("href") for node in root.iter("base") if node.get("href")), None)
    address = _absolute(base, url)
    metas = list(_metas(root))
    said = _articles(root)
    robots = ",".join([tag.lower(), *(value.lower() for name, value in metas if name in ("robots", AGENT))])
    words = set(re.split(r"[\s,:]+", robots))
    nofollow = bool(words & {"nofollow", "none"})
    main = main_of(root)
    title = _title(root, metas)
    language = re.match(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*$", root.get("lang") or "")
    modified = _date(
        [v for n, v in metas if n in _MODIFIED] + [a["dateModified"] for a in said if "dateModified" in a]
    )
    published = _date(
        [v for n, v in metas if n in _PUBLISHED] + [a["datePublished"] for a in said if "datePublished" in a]
    )
    authors = [v for n, v in metas if n == "author"] + [a["author"] for a in said if "author" in a]
    properties = {
        "title": title,
        "author": authors[0] if authors else "",
        "published": _written(published),
        "modified": _written(modified),
        **{name: value for name, value in reversed(metas) if name in _DECLARED},
    }
    return Page(
        document(main, title, language[0] if language else ""),
        main.text,
        title,
        [] if nofollow else _links(root, address, site),
        _canonical(root, address, site),
        bool(words & {"noindex", "none"}),
        nofollow,
        main.password,
        modified or published,
        # JSON may hold half a character.
        {name: value.encode("utf-8", "replace").decode() for name, value in properties.items() if value},
    )


def decoded(body: bytes, content_type: str) -> str:
    """The characters of a page: by its byte order mark, its header, its own declaration; else as UTF-8, and
    as Windows-1252 where that cannot be."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body.decode(name, "replace").removeprefix("\ufeff")
    found = re.search(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", content_type, re.IGNORECASE)
    inside = _CHARSET.search(body[:4096])
    for name in (found[1] if found else "", inside[1].decode() if inside else ""):
        try:
            known = codecs.lookup(name).name if name else ""
            if known:
                # Pages that declare Latin-1 or ASCII mean its superset, as every browser takes it.
                return body.decode({"iso8859-1": "cp1252", "ascii": "cp1252"}.get(known, known), "replace")
        except (LookupError, UnicodeError):
            # No such encoding, none of text, or one that takes no bytes, as "undefined" does.
            continue
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _tree(text: str) -> Any:
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        return html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        # There is nothing in it.
        return html.document_fromstring("<html><head></head><body></body></html>")


def _absolute(base: str | None, url: str) -> str:
    try:
        return urljoin(url, base.strip()) if base else url
    except ValueError:
        return url


def _metas(root: Any) -> Iterator[tuple[str, str]]:
    """(name in lower case, content) of each declaration."""
    for node in root.iter("meta", "time"):
        name = node.get("name") or node.get("property") or node.get("itemprop") or ""
        value = " ".join((node.get("content") or node.get("datetime") or "").split())[:_TEXT_MAX]
        if name and value:
            yield name.strip().lower(), value


def _articles(root: Any) -> list[dict[str, str]]:
    """Dates and authors that the page gives as JSON-LD."""
    found: list[dict[str, str]] = []
    for script in root.iter("script"):
        if (script.get("type") or "").lower() != "application/ld+json" or len(script.text or "") > _JSON_MAX:
            continue
        try:
            waiting = [json.loads(script.text or "")]
        except (ValueError, RecursionError):
            continue
        while waiting and len(found) < _ARTICLES_MAX:
            value = waiting.pop(0)
            if isinstance(value, list):
                waiting += value
            elif isinstance(value, dict):
                waiting += [value["@graph"]] if "@graph" in value else []
                author = value.get("author")
                author = author[0] if isinstance(author, list) and author else author
                name = author.get("name") if isinstance(author, dict) else author
                said = {
                    n: value[n] for n in ("dateModified", "datePublished") if isinstance(value.get(n), str)
                }
                found.append(said | ({"author": name[:_TEXT_MAX]} if isinstance(name, str) else {}))
    return found


def _date(texts: list[str]) -> date | None:
    """The first of these dates that can be read."""
    for text in texts:
        text = text.strip()
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                return date.fromisoformat(text)
            found = datetime.fromisoformat(text)
            if found.year == 1:
                # The zero of Go's and .NET's times: nobody has set it.
                continue
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            if (said := instant(text)) is not None:
                return said
    return None


def _written(found: date | None) -> str:
    if isinstance(found, datetime):
        return found.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return found.isoformat() if found else ""


def _title(root: Any, metas: list[tuple[str, str]]) -> str:
    """The title that it gives for other sites, which has no name of the site in it; else its own."""
    shared = next((value for name, value in metas if name == "og:title"), "")
    return shared or " ".join((root.findtext(".//title") or "").split())[:_TEXT_MAX]


def _links(root: Any, base: str, site: Site) -> list[str]:
    found: dict[str, None] = {}
    for node in root.iter("a", "area"):
        href = node.get("href")
        if not href or "nofollow" in (node.get("rel") or "").lower().split():
            continue
        uri = site.uri(href, base)
        if uri is not None and not _MEDIA.search(uri.partition("?")[0]):
            found[uri] = None
            if len(found) >= _LINKS_MAX:
                break
    return list(found)


def _canonical(root: Any, base: str, site: Site) -> str | None:
    for node in root.iter("link"):
        if "canonical" in (node.get("rel") or "").lower().split() and node.get("href"):
            return site.uri(node.get("href"), base)
    return None
