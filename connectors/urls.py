"""Urls in settings, checked when the configuration is read: for every connector that has one."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def check_url(text: str, schemes: Collection[str], *, host: bool = True) -> str:
    """The same text, an absolute url of one of these schemes; `host` says whether it has to name one.

    Raises ValueError, which says what is wrong and repeats no part of the url: it may hold a password.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("has a blank in it")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        brackets = "bracket" in str(error).lower() or "ipv6" in str(error).lower()
        raise ValueError(
            "has brackets that hold no IPv6 address" if brackets else "is not a well-formed url"
        ) from None
    if parts.scheme not in schemes or not text.lower().startswith(f"{parts.scheme}://"):
        raise ValueError(f"does not begin with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(
            "has a port that is no number from 1 to 65535; in a password, : / ? # and @ are written %3A %2F "
            "%3F %23 and %40"
        )
    if host and not parts.hostname:
        raise ValueError("names no host")
    return text


def _http(text: str) -> str:
    return check_url(text, ("http", "https"))


HttpUrl = Annotated[str, AfterValidator(_http)]
"""For the settings of a connector whose documents come from a server."""
