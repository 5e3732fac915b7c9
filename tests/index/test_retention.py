"""How long documents are kept, from values alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.freshness.assess import NEVER
from index.freshness.dates import counts_from
from index.freshness.properties import PROGRAM, SOURCE
from index.retention import Expiry, RetentionRule, RetentionRules, Span

WEEK, YEAR = Span(timedelta(days=7)), Span(years=1)
MODIFIED = datetime(2026, 5, 1, 8, tzinfo=UTC)
DATED = ("contract_end",)


def expiry(
    *rules: RetentionRule,
    uri: str = "a/b.md",
    source: str = "docs",
    modified: datetime | None = MODIFIED,
    **said: Any,
) -> Expiry | None:
    return RetentionRules(rules, source).expiry(uri, said, modified)


def at(*rules: RetentionRule, **given: Any) -> datetime | None:
    found = expiry(*rules, **given)
    return None if found is None else found.at


def test_without_rules_everything_is_kept() -> None:
    assert not RetentionRules((), "docs") and at() is None
    assert not RetentionRules([RetentionRule(WEEK, source="wiki")], "docs")


def test_the_time_counts_from_the_modification_unless_a_rule_names_a_field() -> None:
    assert expiry(RetentionRule(WEEK)) == Expiry(MODIFIED + timedelta(days=7), MODIFIED, "modified_at", WEEK)
    assert at(RetentionRule(WEEK), modified=None) is None
    named = RetentionRule(WEEK, field=DATED)
    assert at(named, contract_end="2026-05-01") == datetime(2026, 5, 8, 12, tzinfo=UTC)


def test_a_date_without_time_counts_from_where_it_begins_last() -> None:
    """The noon of the day, UTC: it begins there at UTC-12."""
    assert counts_from(date(2026, 5, 1)) == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert at(RetentionRule(YEAR, field=DATED), contract_end=date(2026, 5, 1)) == datetime(
        2027, 5, 1, 12, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "value", [None, "", "soon", "13/13/2020", True, 3.5, [], {}, "2020-02-30", "0001-01-01"]
)
def test_a_named_date_that_cannot_be_read_never_expires_it(value: Any) -> None:
    """Nor does the search go on to the next field."""
    rule = RetentionRule(WEEK, field=("contract_end", "modified_at"))
    assert at(rule, contract_end=value) is None


def test_the_first_field_that_exists_counts() -> None:
    rule = RetentionRule(WEEK, field=("contract_end", "Closed-On", "modified_at"))
    assert at(rule) == MODIFIED + timedelta(days=7)
    assert at(rule, closed_on="2020-01-01") == datetime(2020, 1, 8, 12, tzinfo=UTC)
    later = at(rule, closed_on="2020-01-01", **{"Contract-End": "2030-01-01"})
    assert later == datetime(2030, 1, 8, 12, tzinfo=UTC)
    assert at(RetentionRule(WEEK, field=DATED)) is None


def test_the_authors_date_comes_before_the_sources_and_that_before_the_programs() -> None:
    rule = RetentionRule(WEEK, field=("created",))
    layers = {SOURCE: {"created": "2021-01-01"}, PROGRAM: {"created": "2022-01-01"}}
    assert at(rule, **layers) == datetime(2021, 1, 8, 12, tzinfo=UTC)
    assert at(rule, **layers, created="2020-01-01") == datetime(2020, 1, 8, 12, tzinfo=UTC)


def test_the_last_rule_that_matches_decides() -> None:
    rules = (
        RetentionRule(YEAR),
        RetentionRule(WEEK, match="a/**"),
        RetentionRule(None, match="*.txt"),
        RetentionRule(Span(timedelta(days=1)), source="wiki"),
    )
    assert at(*rules, uri="b.md") == datetime(2027, 5, 1, 8, tzinfo=UTC)
    assert at(*rules, uri="a/b.md") == MODIFIED + timedelta(days=7)
    assert at(*rules, uri="a/b.txt") is None
    assert at(*rules, uri="a/b.txt", source="wiki") == MODIFIED + timedelta(days=1)
    # A later rule whose field the document lacks keeps it, too.
    assert at(*rules, RetentionRule(WEEK, field=DATED)) is None


def test_years_are_those_of_the_calendar() -> None:
    assert Span(years=7).after(datetime(2019, 3, 1, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert Span(years=4).after(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)
    assert Span(years=1).after(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(2025, 3, 1, tzinfo=UTC)


INSTANTS = st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(UTC))
SPANS = st.builds(Span, duration=st.timedeltas(timedelta(seconds=1), timedelta(days=36_500))) | st.builds(
    Span, years=st.integers(1, 100)
)


@given(INSTANTS, SPANS)
def test_no_end_is_before_its_start_nor_after_the_last_instant(start: datetime, span: Span) -> None:
    end = span.after(start)
    assert end <= NEVER
    assert end > start or end == NEVER
    if span.years and end < NEVER:
        assert timedelta(365 * span.years) <= end - start <= timedelta(366 * span.years)


RULES = st.lists(
    st.builds(
        RetentionRule,
        after=SPANS | st.none(),
        match=st.sampled_from([None, "*.md", "a/**", "/b.md"]),
        source=st.sampled_from([None, "docs", "wiki"]),
        field=st.lists(st.sampled_from(["closed", "modified_at"]), min_size=1, max_size=2, unique=True).map(
            tuple
        ),
    ),
    max_size=5,
)


@given(
    RULES,
    st.sampled_from(["a/x.md", "b.md", "c.txt"]),
    st.sampled_from(["docs", "wiki"]),
    INSTANTS | st.none(),
)
def test_one_rule_decides_as_if_it_were_alone(
    rules: list[RetentionRule], uri: str, source: str, modified: datetime | None
) -> None:
    found = expiry(*rules, uri=uri, source=source, modified=modified)
    alone = [
        rule
        for rule in rules
        if rule.source in (None, source)
        and (
            rule.match is None
            or uri in {"*.md": ("a/x.md", "b.md"), "a/**": ("a/x.md",), "/b.md": ("b.md",)}[rule.match]
        )
    ]
    assert found == (expiry(alone[-1], uri=uri, source=source, modified=modified) if alone else None)
