"""Addresses: which urls are pages of a source, and their uris.

The uri of a page is its host, path and query, readable: ``www.example.org/docs/größe?page=2``. Spellings of
one address have one uri: the case of the host, default ports, fragments, dot segments, doubled slashes and
escapes that mean nothing are normalised, and parameters that only count visitors are left out. The scheme is
that of the configuration. A slash at the end is a part of the uri: ``docs`` and ``docs/`` may be two pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

#: Characters of the longest address that is followed: longer ones come from loops.
_LONGEST = 2_000
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SAFE_PATH = "/:@!$&'()*+,;=~-._%"
_SAFE_QUERY = _SAFE_PATH + "?"
_SESSION = re.compile(r";(?:jsessionid|phpsessid)=[^/;]*", re.IGNORECASE)
#: Parameters that tell visitors apart, and pages never.
_TRACKING = frozenset(
    {"fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "igshid", "_ga", "_gl"}
    | {"mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "jsessionid", "phpsessid"}
)


class Address(NamedTuple):
    scheme: str
    host: str
    """In lower case, with its port unless that is the default; an IPv6 address in brackets."""
    path: str
    """Readable, from its first slash on."""
    query: str

    @property
    def uri(self) -> str:
        return f"{self.host}{self.path}{'?' if self.query else ''}{self.query}"

    @property
    def name(self) -> str:
        """The host alone, without brackets."""
        return urlsplit(f"//{self.host}").hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.host}").port or _PORTS[self.scheme]

    @property
    def target(self) -> str:
        """Path and query as a request has them."""
        query = f"?{quote(self.query, safe=_SAFE_QUERY)}" if self.query else ""
        return quote(self.path, safe=_SAFE_PATH, errors="surrogateescape") + query

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.target}"


def parse(text: str, base: str = "") -> Address | None:
    """The address of a link on the page `base`; None for what is none on http or https, and for what only
    looks like one: user names, backslashes, zones."""
    text = text.strip(" \t\r\n\f")
    if len(text) > _LONGEST or _FORBIDDEN.search(text):
        return None
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc or port == 0:
        return None
    if not is_host(parts.hostname or "", bracketed="[" in parts.netloc):
        return None
    host = host_of(parts.hostname or "")
    shown = f"[{host}]" if ":" in host else host
    default = port in (None, _PORTS[parts.scheme])
    return Address(
        parts.scheme, shown if default else f"{shown}:{port}", _path(parts.path), _query(parts.query)
    )


def is_host(text: str, *, bracketed: bool = True) -> bool:
    """Whether this is the name or the address of a host."""
    if ":" in text:
        return bracketed and _is_ipv6(text.strip("[]"))
    return _NAME.fullmatch(host_of(text)) is not None and len(host_of(text)) <= 253


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def host_of(text: str) -> str:
    """The one spelling of a host: lower case, ASCII, without the dot at its end. "" when it has none."""
    text = text.strip().lower()
    if ":" in text:
        return IPv6Address(text.strip("[]")).compressed if _is_ipv6(text.strip("[]")) else ""
    if not text.isascii():
        import idna

        try:
            text = idna.encode(text, uts46=True).decode()
        except idna.IDNAError:
            return ""
    return text.removesuffix(".")


def _path(path: str) -> str:
    names: list[str] = []
    segments = _SESSION.sub("", path).split("/")
    for segment in segments:
        name = _readable(segment)
        if name == "..":
            names = names[:-1]
        elif name not in ("", "."):
            names.append(name)
    folder = _readable(segments[-1]) in ("", ".", "..")
    return f"/{'/'.join(names)}{'/' if folder and names else ''}"


def _readable(segment: str) -> str:
    """A segment with its characters as they are, but for those that would mean something else."""
    text = unquote_to_bytes(segment).decode("utf-8", "surrogateescape")
    return "".join(c if c.isprintable() and c not in "/?#%\\" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def _query(query: str) -> str:
    kept = [
        part
        for part in query.split("&")
        if part and not ((name := part.partition("=")[0].lower()) in _TRACKING or name.startswith("utm_"))
    ]
    plain = quote("&".join(kept), safe=_SAFE_QUERY)
    return _ESCAPES.sub(lambda found: _readable_query(found[0]), plain)


def _readable_query(escapes: str) -> str:
    """Escapes of letters as letters; in a query, those of other characters mean something."""
    text = unquote_to_bytes(escapes).decode("utf-8", "surrogateescape")
    return "".join(
        c if (c.isalnum() or c in "-._~" or (not c.isascii() and c.isprintable())) else _escaped(c)
        for c in text
    )


class Site:
    """The hosts of a source. A page belongs to it when its host does."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.schemes: dict[str, str] = {}
        for address in filter(None, map(parse, urls)):
            known = self.schemes.get(address.host)
            self.schemes[address.host] = "https" if "https" in (known, address.scheme) else address.scheme
        self._upgraded: set[str] = set()

    @property
    def hosts(self) -> list[str]:
        return sorted(self.schemes)

    @property
    def tops(self) -> str:
        """The addresses of all hosts."""
        return ", ".join(f"{self.schemes[host]}://{host}" for host in self.hosts)

    def uri(self, text: str, base: str = "") -> str | None:
        """The uri that a link leads to; None when it leads out of the source."""
        address = parse(text, base)
        return address.uri if address is not None and address.host in self.schemes else None

    def url(self, uri: str) -> str:
        """The address of a page, as a person opens it."""
        host, slash, rest = uri.partition("/")
        path, mark, query = rest.partition("?")
        return Address(self.schemes.get(host, "https"), host, slash + path, query if mark else "").url

    def address(self, uri: str) -> Address | None:
        """The address that is asked for a page; None when this is the uri of none."""
        address = parse(self.url(uri)) if "/" in uri else None
        if address is None or address.uri != uri or address.host not in self.schemes:
            return None
        return address._replace(scheme="https") if address.host in self._upgraded else address

    def upgrade(self, host: str) -> None:
        """The host answers on https alone: ask there from now on."""
        self._upgraded.add(host)
