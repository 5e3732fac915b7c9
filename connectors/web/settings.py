"""The settings of a web source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import ConnectorSettings
from connectors.urls import HttpUrl
from connectors.web.site import host_of, is_host, parse

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
#: The client sets these itself: with other values, answers could not be read.
_OWN = frozenset({"host", "accept-encoding", "connection", "content-length", "range", "transfer-encoding"})


class WebSettings(ConnectorSettings):
    # Beside the addresses, these decide how pages are asked for, and not which ones exist.
    place: ClassVar[frozenset[str]] = frozenset({"start", "sitemaps", "rate", "allow", "contact", "headers"})

    start: tuple[HttpUrl, ...] = ()
    """Pages whose links are followed, within the hosts named here and under `sitemaps`."""
    sitemaps: tuple[HttpUrl, ...] = ()
    """Sitemaps, or indexes of sitemaps, whose pages are documents. Their links are not followed."""
    depth: Annotated[int, Field(ge=0, le=100)] = 10
    """Links from a start page to the last page that is asked for; 0: the start pages alone."""
    pages: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Pages that a listing asks for; pages that are documents already are always asked for."""
    rate: Annotated[float, Field(gt=0, le=1_000)] = 4.0
    """Requests a second to one host; a longer Crawl-delay of its robots.txt counts instead."""
    allow: tuple[str, ...] = ()
    """Hosts that may have a private or loopback address. All others must have public ones."""
    contact: Annotated[str, Field(max_length=200, pattern=r"^[\x20-\x27\x2a-\x7e]*$")] = ""
    """A mail address or a page about this crawler; part of its User-Agent."""
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    """Sent with each request, such as Authorization. Write values as ${VARIABLE}."""

    @field_validator("start", "sitemaps")
    @classmethod
    def _are_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if parse(url) is None:
                raise ValueError(
                    "holds an address with a user name, a zone or a host that no server can have; give "
                    "passwords as a header: headers: {Authorization: ${VARIABLE}}"
                )
        return urls

    @field_validator("allow")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not is_host(host):
                raise ValueError(f"{host!r} is not the name or the address of a host, without scheme or port")
        return tuple(host_of(host) for host in hosts)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OWN:
                raise ValueError(f"{name!r} is not a header that can be set here")
            if not re.fullmatch(r"[\x20-\x7e]*", value.get_secret_value()):
                raise ValueError(f"the value of {name!r} has a character that no header may have")
        return headers

    @model_validator(mode="after")
    def _has_somewhere_to_begin(self) -> WebSettings:
        if not self.start and not self.sitemaps:
            raise ValueError("names no page to begin with: give start, sitemaps, or both")
        return self
