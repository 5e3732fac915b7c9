"""The checks of the audit: functions of a knowledge base (`base.Base`) to findings.

A *check* looks for one or several codes of `index.freshness.finding.CODES`, and has no I/O and no clock. What
it needs of texts it takes from extracts (links, anchors, claims: kept since the text was read) or from
passages, which are read from the store once, for all checks that ask for them. A check is precise before it
is complete: what may be right is not found. A code that is not right in nine of ten cases on real documents
is off until a configuration switches it on.

`age` · `owner` · `review` · `links` · `claims` · `operation` (what kept a text from being found, and what
runs have not done) · `repeats` · `numbers`. Leaves: `siblings` (versions, translations, series, parallel
titles), `sentences` (statements of numbers with a unit), `units` (these numbers), `near` (pairs of vectors).

May import: the room `freshness`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from index.freshness.checks import age, claims, links, numbers, operation, owner, repeats, review
from index.freshness.checks.base import Base
from index.freshness.finding import CODES, Finding


class Check(NamedTuple):
    codes: tuple[str, ...]
    """The codes that it may find."""
    find: Callable[[Base], Iterable[Finding]]


CHECKS: tuple[Check, ...] = (
    Check(("stale", "unknown", "warn", "date-invalid", "checkout-dates"), age.find),
    Check(("unowned", "owner-unresolved", "owner-invalid", "retirement-asked"), owner.find),
    Check(("changed-since-review", "review-without-change", "review-in-future"), review.find),
    Check(("dead-link", "dead-anchor", "dead-external-link"), links.find),
    Check(("claim-expired",), claims.find),
    Check(
        (
            *("quarantined", "incomplete", "empty", "front-matter-invalid", "parts-left-out", "too-deep"),
            *("sync-lag", "listing-incomplete", "drift"),
        ),
        operation.find,
    ),
    Check(("repeat",), repeats.find),
    Check(("numbers-disagree",), numbers.find),
)


def default_codes() -> frozenset[str]:
    """The codes that are looked for when the configuration says nothing."""
    return frozenset(code for code, known in CODES.items() if known.on)


def find(base: Base, codes: Collection[str]) -> Iterator[Finding]:
    """The findings of these codes."""
    for check in CHECKS:
        if any(code in codes for code in check.codes):
            yield from (finding for finding in check.find(base) if finding.code in codes)
