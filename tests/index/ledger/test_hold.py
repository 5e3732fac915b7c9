"""Ids of holds, and the documents that they cover."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from index.ledger import HoldKind, hold_id
from tests.holds import order

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def test_an_id_is_short_and_has_no_letter_that_looks_like_another() -> None:
    made = {hold_id(str(uuid4())) for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(name) == 9 and name.startswith("H-") for name in made)
    assert not set("".join(name[2:] for name in made)) & set("ILOUabc")
    assert hold_id("00000000-0000-4000-8000-000000000000") == "H-0000000"


@pytest.mark.parametrize(
    "kind, target, source, uri, owners, covered",
    [
        (HoldKind.PATTERN, "a/**", "", "a/b.md", [], True),
        (HoldKind.PATTERN, "a/**", "wiki", "a/b.md", [], False),
        (HoldKind.PATTERN, "*.md", "docs", "a/b.md", [], True),
        (HoldKind.PATTERN, "/*.md", "docs", "a/b.md", [], False),
        (HoldKind.PATTERN, "größe/", "", "größe/b.md", [], True),
        (HoldKind.OWNER, "User: Anna", "", "x", ["user:  anna"], True),
        (HoldKind.OWNER, " USER:anna ", "", "x", ["user:bo", "user:Anna"], True),
        (HoldKind.OWNER, "user:anna", "", "x", [""], False),
        (HoldKind.SOURCE, "docs", "docs", "x", [], True),
        (HoldKind.SOURCE, "wiki", "wiki", "x", [], False),
        (HoldKind.DOCUMENT, "", "", "x", ["user:anna"], False),
    ],
)
def test_a_hold_covers_what_matches_it(
    kind: HoldKind, target: str, source: str, uri: str, owners: list[str], covered: bool
) -> None:
    assert order("H", T0, kind=kind, target=target, source=source).covers("docs", uri, owners) == covered


def test_a_hold_stands_until_its_end_or_its_release() -> None:
    hour = timedelta(hours=1)
    assert order("H", T0).stands(T0 + 10**5 * hour)
    assert order("H", T0, until=T0 + hour).stands(T0)
    assert not order("H", T0, until=T0 + hour).stands(T0 + hour)
    assert not order("H", T0, released_at=T0).stands(T0)
