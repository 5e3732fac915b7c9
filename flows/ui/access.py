"""Who is asking, and whether a request comes from our own pages."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from index.freshness.owners import fold
from index.signed.link import Grant, read

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Forbidden(Exception):
    """The request is refused. The message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Visitor:
    name: str
    """Recorded with each answer."""
    everything: bool = False
    """May see and answer for all owners."""
    grant: Grant | None = None
    """The signed link that they came by."""

    def form_token(self, secret: bytes) -> str:
        """What a form has to carry, so that no other page can send it."""
        who = f"form\n{fold(self.name)}\n{self.grant.document_id if self.grant else ''}"
        return hmac.digest(secret, who.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of admission."""

    secret: bytes
    login: str
    """The person on this machine."""
    user_header: str | None
    """Header in which a proxy names the user; None: there is no proxy, and the page is for this machine."""
    proxies: frozenset[str]
    """Addresses that may name users."""
    hosts: frozenset[str]
    """Names by which browsers reach the page, lower case, without ports."""

    def visitor(self, peer: str, headers: Mapping[str, str]) -> Visitor:
        """Raises Forbidden."""
        self._require_host(headers)
        if self.user_header is None:
            return Visitor(self.login, everything=True)
        if peer not in self.proxies:
            raise Forbidden(f"Only a proxy may ask here, and {peer} is none of ui.proxies.")
        name = " ".join(headers.get(self.user_header.lower(), "").split())
        if not name:
            raise Forbidden(f"The proxy did not name you: its header {self.user_header} is missing.")
        return Visitor(name)

    def bearer(self, token: str, headers: Mapping[str, str], now: datetime) -> Grant:
        """The grant of a signed link. Raises Forbidden and BadLink."""
        self._require_host(headers)
        return read(self.secret, token, now)

    def _require_host(self, headers: Mapping[str, str]) -> None:
        # A page of another site may have its name lead to this machine.
        if (host := _host(headers.get("host", ""))) not in self.hosts:
            raise Forbidden(f"This page is not called {host or 'nothing'}: open it by its own address.")

    def require_own_form(self, headers: Mapping[str, str], visitor: Visitor, token: str) -> None:
        """Raises Forbidden when the form may be another site's."""
        origin = headers.get("origin")
        if origin is not None and (origin == "null" or _host(origin.partition("://")[2]) not in self.hosts):
            raise Forbidden("This form was sent by another site. Nothing was recorded.")
        if not hmac.compare_digest(visitor.form_token(self.secret).encode(), token.encode()):
            raise Forbidden("This form is not of this page, or is too old: open the page again.")


def gate(
    secret: bytes, login: str, host: str, user_header: str | None, proxies: tuple[str, ...], address: str
) -> Gate:
    """The gate of a page that listens at `host`, and is known as `address` ("": by no other name)."""
    names = {*_LOOPBACK, host.lower()} if host not in ("0.0.0.0", "::") else set(_LOOPBACK)
    known = urlsplit(address).hostname
    return Gate(
        secret,
        login,
        user_header,
        frozenset(proxies),
        frozenset(names | ({known.lower()} if known else set())),
    )


def _host(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""
