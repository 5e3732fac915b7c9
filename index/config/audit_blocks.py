"""The blocks of the audit, and of those who are told of it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, Field

from index.config.block import Block
from index.config.units import Duration
from index.freshness.finding import CODES


def _code(text: str) -> str:
    if text not in CODES:
        near = get_close_matches(text, CODES, n=1)
        raise ValueError(f"{text!r} is no check" + (f"; did you mean {near[0]!r}?" if near else ""))
    return text


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
