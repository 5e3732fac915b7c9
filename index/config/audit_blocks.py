"""The blocks of the audit, and of those who are told of it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, Field

from index.config.block import Block, Words
from index.config.services import http
from index.config.units import Duration
from index.freshness.finding import CODES


def _code(text: str) -> str:
    if text not in CODES:
        near = get_close_matches(text, CODES, n=1)
        raise ValueError(f"{text!r} is no check" + (f"; did you mean {near[0]!r}?" if near else ""))
    return text


class Ui(Block):
    """The owners' page."""

    user_header: Words | None = None
    """Header in which a proxy names the user, such as X-Forwarded-User; without one the page is for this
    machine alone."""
    proxies: tuple[Words, ...] = ("127.0.0.1", "::1")
    """Addresses of the proxies that may name users."""
    address: Annotated[str, AfterValidator(http)] | None = None
    """Address under which owners reach the page, such as https://kb.example.org: digests link to it."""


class Audit(Block):
    """The freshness audit."""

    checks: dict[Annotated[str, AfterValidator(_code)], bool] = Field(default_factory=dict)
    """Checks by the code of their findings, such as dead-link: true or false. What is left out is as
    `freshkb audit --help` says."""
    max_lag: Duration | None = Field(default="7d", validate_default=True)
    """Time after which a source that was not listed completely, or not brought up to date, is a finding."""
    count_hits: bool = False
    """Count how often searches show a document, by day, so that the audit names first what is found most
    often. No question is kept."""
    fresh_hits: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the hits of the last 30 days that should be fresh, from 0 to 1; needs count_hits."""
