"""Addresses of the services that a configuration names. Each function returns the same text, and raises
ValueError for one that is no such address."""

from __future__ import annotations

import re
from email.utils import parseaddr
from urllib.parse import urlsplit

from connectors.base import check_url

_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(rf"(?=[^@]{{1,64}}@){_WORD}(?:\.{_WORD})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def ledger_url(text: str) -> str:
    if text == "sqlite":
        return text
    try:
        # The socket's path may stand in the query.
        return check_url(text, ("postgresql+psycopg",), host=False)
    except ValueError as error:
        raise ValueError(
            f'should be "sqlite" or a url such as "postgresql+psycopg://user@host/database": it {error}'
        ) from error


def http(text: str) -> str:
    try:
        return check_url(text, ("http", "https"))
    except ValueError as error:
        raise ValueError(f'should be a url such as "http://localhost:6333": it {error}') from error


def site(text: str) -> str:
    """The address of a site, which paths are added to."""
    http(text)
    if "?" in text or "#" in text:
        raise ValueError("should have no ? and no #, because paths are added to it")
    return text


def smtp_url(text: str) -> str:
    try:
        check_url(text, ("smtp", "smtps", "smtp+starttls"))
    except ValueError as error:
        raise ValueError(f'should be a url such as "smtp+starttls://user@host:587": it {error}') from error
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("should end after the host and its port")
    if parts.scheme == "smtp" and parts.username and parts.hostname not in _LOOPBACK:
        raise ValueError("would send its password in the clear; begin it with smtp+starttls:// or smtps://")
    return text


def is_mail_address(text: str) -> bool:
    """Whether it is a mail address of ASCII letters, without quotes; other letters of a domain are written in
    Punycode.

    >>> [is_mail_address(text) for text in ("anna@example.org", "group:docs", "@anna", "a.@example.org")]
    [True, False, False, False]
    """
    return _MAIL.fullmatch(text) is not None


def mail_address(text: str) -> str:
    if not is_mail_address(text):
        raise ValueError("is no mail address such as anna@example.org")
    return text


def mailbox(text: str) -> str:
    """A mail address, or a name with one: ``Docs <docs@example.org>``."""
    if not is_mail_address(parseaddr(text)[1]) or re.search(r"[\r\n]", text):
        raise ValueError('is no mail address such as docs@example.org or "Docs <docs@example.org>"')
    return text
