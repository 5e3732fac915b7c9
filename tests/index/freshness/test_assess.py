"""The verdict function against a straightforward oracle, its boundaries to the second, and real dates."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.freshness.assess import (
    MODIFIED_AT,
    NEVER,
    REVIEWED_AT,
    Assessment,
    FreshnessPolicy,
    Policy,
    Verdict,
    assess,
    trust_score,
    verdict_at,
)
from index.freshness.dates import read_date

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = FreshnessPolicy(timedelta(days=90), timedelta(days=180), ("last_reviewed", "ms.date", MODIFIED_AT))


def judge(
    properties: Mapping[str, Any] | None = None,
    *,
    policy: Policy = POLICY,
    modified_at: datetime | None = None,
    reviewed_at: datetime | None = None,
    now: datetime = NOW,
) -> Assessment:
    return assess(policy, properties or {}, modified_at, reviewed_at, now)


# ── Boundaries ────────────────────────────────────────────────────────────────────────────────────────


@given(
    start=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    warn=st.timedeltas(timedelta(minutes=1), timedelta(days=3000)),
    more=st.timedeltas(timedelta(0), timedelta(days=3000)),
)
@settings(deadline=None)
def test_a_document_turns_at_the_instant_itself(start: datetime, warn: timedelta, more: timedelta) -> None:
    policy = FreshnessPolicy(warn, warn + more, (MODIFIED_AT,))

    def verdict(now: datetime) -> Verdict:
        found = assess(policy, {}, start, None, now)
        assert found.verdict == verdict_at(found.date_used, found.warn_at, found.stale_at, now)
        return found.verdict

    assert verdict(start - SECOND) == Verdict.UNKNOWN
    assert verdict(start) == Verdict.FRESH
    assert verdict(start + warn - SECOND) == Verdict.FRESH
    assert verdict(start + warn) == (Verdict.WARN if more else Verdict.STALE)
    assert verdict(start + warn + more) == Verdict.STALE
    assert verdict(start + warn + more + SECOND) == Verdict.STALE
    if more > SECOND:
        assert verdict(start + warn + SECOND) == Verdict.WARN
        assert verdict(start + warn + more - SECOND) == Verdict.WARN


def test_the_payload_gives_the_same_verdict_at_every_later_time() -> None:
    for age in (0, 50, 100, 300):
        found = judge(modified_at=NOW - timedelta(days=age))
        for later in range(0, 400, 7):
            now = NOW + timedelta(days=later)
            expected = judge(modified_at=NOW - timedelta(days=age), now=now).verdict
            assert verdict_at(found.date_used, found.warn_at, found.stale_at, now) == expected


@pytest.mark.parametrize("where", [timezone(timedelta(hours=h)) for h in range(-12, 15)])
def test_a_date_without_time_is_today_until_it_is_over_everywhere(where: timezone) -> None:
    for hour in range(24):
        now = datetime(2026, 5, 1, hour, 30, tzinfo=where)
        found = judge({"last_reviewed": str(now.date())}, now=now)
        assert found.verdict == Verdict.FRESH, (where, hour)
        assert found.age is not None and found.age < timedelta(days=1), (where, hour)
        assert verdict_at(found.date_used, found.warn_at, found.stale_at, now) == Verdict.FRESH
        assert found.date_text == "2026-05-01"


def test_a_date_without_time_begins_first_in_the_east_and_is_over_last_in_the_west() -> None:
    def at(now: datetime) -> Assessment:
        return judge({"last_reviewed": "2026-05-01"}, now=now)

    begins, over = datetime(2026, 4, 30, 10, tzinfo=UTC), datetime(2026, 5, 2, 12, tzinfo=UTC)
    assert at(begins - SECOND).verdict == Verdict.UNKNOWN
    assert at(begins).verdict == Verdict.FRESH
    assert at(begins).date_used == begins
    day = timedelta(days=1)
    ages = [at(over + more).age for more in (-SECOND, SECOND, day)]
    assert [age // day for age in ages if age is not None] == [0, 1, 2]
    # It warns when it is 90 days old, not before.
    assert at(begins).warn_at == over - day + timedelta(days=90)


# ── Ten thousand cases ────────────────────────────────────────────────────────────────────────────────


def oracle(
    policy: Policy, properties: dict[str, Any], modified: datetime | None, reviewed: datetime | None
) -> str:
    """The design's sentences, one after the other, over dates that are ISO or rubbish."""
    if policy == "exempt":
        return "exempt"
    dates: list[tuple[datetime, datetime]] = []
    for field in policy.field:
        value = modified.isoformat() if field == MODIFIED_AT and modified else properties.get(field, "")
        if field in properties or value:
            with suppress(ValueError):
                if len(value) == 10:
                    midnight = datetime.fromisoformat(f"{value}T00:00:00Z")
                    dates.append((midnight - timedelta(hours=14), midnight + timedelta(hours=12)))
                else:
                    moment = datetime.fromisoformat(value)
                    dates.append((moment, moment))
            break
    if reviewed:
        dates.append((reviewed, reviewed))
    dates = [found for found in dates if found[0] <= NOW]
    if not dates:
        return "unknown"
    age = NOW - max(dates)[1]
    if age >= policy.stale_after:
        return "stale"
    return "warn" if age >= policy.warn_after else "fresh"


def test_ten_thousand_random_documents_get_the_verdicts_of_the_oracle() -> None:
    rng = random.Random(20_260_501)

    def moment() -> datetime:
        return NOW - timedelta(seconds=rng.choice([0, 1, 86_400, rng.randrange(-20 * 86_400, 400 * 86_400)]))

    seen: set[str] = set()
    for _ in range(10_000):
        warn = timedelta(days=rng.randrange(1, 200))
        names = ["last_reviewed", "ms.date", "git_commit", MODIFIED_AT]
        rng.shuffle(names)
        policy: Policy = FreshnessPolicy(
            warn, warn + timedelta(days=rng.randrange(0, 200)), tuple(names[: rng.randrange(1, 5)])
        )
        if rng.random() < 0.05:
            policy = "exempt"
        properties = {
            name: rng.choice([moment().isoformat(), str(moment().date()), "soon", "", "2026-02-30"])
            for name in ("last_reviewed", "ms.date", "git_commit")
            if rng.random() < 0.6
        }
        modified = moment() if rng.random() < 0.8 else None
        reviewed = moment() if rng.random() < 0.2 else None
        found = assess(policy, properties, modified, reviewed, NOW)
        expected = oracle(policy, properties, modified, reviewed)
        assert found.verdict == expected, (policy, properties, modified, reviewed, found)
        assert found.reason
        seen.add(expected)
    assert seen == set(Verdict)


# ── Which date ────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_field_that_exists_is_used_even_when_a_later_one_is_newer() -> None:
    found = judge({"ms.date": "2026-04-01", "last_reviewed": "2026-01-01"}, modified_at=NOW)
    assert (found.date_field, found.dated) == ("last_reviewed", date(2026, 1, 1))
    assert found.verdict == Verdict.WARN
    assert found.age == NOW - datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "  ", None, [], {}, True, 2024, ["2026-04-01"]])
def test_what_is_named_and_is_no_date_is_unknown_and_no_other_field_stands_in_for_it(value: Any) -> None:
    found = judge({"last_reviewed": value, "ms.date": "2026-04-01"}, modified_at=NOW)
    assert (found.verdict, found.date_field) == (Verdict.UNKNOWN, "last_reviewed")
    assert found.reason == found.unreadable
    reviewed = judge({"last_reviewed": value}, reviewed_at=NOW)
    assert (reviewed.verdict, reviewed.unreadable) == (Verdict.FRESH, found.unreadable)
    assert found.unreadable in reviewed.reason


@pytest.mark.parametrize("name", ["Last-Reviewed", "LAST_REVIEWED", "last-reviewed", " last_reviewed"])
def test_names_are_compared_without_case_and_hyphens_are_underscores(name: str) -> None:
    found = judge({name: "2026-04-01"}, modified_at=NOW)
    assert (found.date_field, found.date_text) == ("last_reviewed", "2026-04-01")
    policy = FreshnessPolicy(POLICY.warn_after, POLICY.stale_after, (name, "Modified-At"))
    assert judge({"last_reviewed": "2026-04-01"}, policy=policy).date_field == "last_reviewed"
    assert judge(policy=policy, modified_at=NOW).date_field == MODIFIED_AT


def test_the_newer_of_review_and_field_is_used() -> None:
    old, new = NOW - timedelta(days=100), NOW - timedelta(days=3)
    assert judge(modified_at=old, reviewed_at=new).date_field == REVIEWED_AT
    assert judge(modified_at=new, reviewed_at=old).date_field == MODIFIED_AT


def test_no_date_is_unknown() -> None:
    found = judge()
    assert found.verdict == Verdict.UNKNOWN
    assert "last_reviewed, ms.date, modified_at" in found.reason
    assert (found.date_used, found.warn_at, found.stale_at, found.age) == (None, None, None, None)


def test_an_unreadable_date_is_unknown_and_does_not_fall_through_to_the_next_field() -> None:
    found = judge({"last_reviewed": "last Tuesday"}, modified_at=NOW)
    assert found.verdict == Verdict.UNKNOWN
    assert found.date_field == "last_reviewed"
    assert "last Tuesday" in found.reason


def test_a_date_in_the_future_is_unknown_until_it_comes() -> None:
    found = judge({"last_reviewed": "2026-05-03"}, modified_at=NOW)
    assert found.verdict == Verdict.UNKNOWN
    assert "2026-05-03" in found.reason and "future" in found.reason
    assert found.age is None
    later = NOW + timedelta(days=1)
    assert verdict_at(found.date_used, found.warn_at, found.stale_at, later) == Verdict.FRESH


def test_an_attested_review_settles_a_document_whose_own_date_is_no_good() -> None:
    for bad in ("last Tuesday", "2031-01-01"):
        found = judge({"last_reviewed": bad}, reviewed_at=NOW - timedelta(days=1))
        assert (found.verdict, found.date_field) == (Verdict.FRESH, REVIEWED_AT)
        assert bad in found.reason


def test_a_review_in_the_future_is_not_believed() -> None:
    assert judge(reviewed_at=NOW + SECOND).verdict == Verdict.UNKNOWN
    found = judge(reviewed_at=NOW + SECOND, modified_at=NOW - timedelta(days=100))
    assert (found.verdict, found.date_field) == (Verdict.WARN, MODIFIED_AT)
    assert found.reason.endswith("Its attested review lies in the future, and is not used: 2026-05-01.")


def test_exempt_documents_never_turn_and_need_no_date() -> None:
    for modified in (None, NOW - timedelta(days=9000), NOW + timedelta(days=1)):
        found = judge(policy="exempt", modified_at=modified)
        assert found.verdict == Verdict.EXEMPT
        assert found.warn_at == found.stale_at == NEVER
        assert verdict_at(found.date_used, found.warn_at, found.stale_at, NOW) == Verdict.EXEMPT


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12-31T23:59:59-12:00", "9990-01-01"])
def test_dates_at_the_end_of_the_calendar_break_nothing_and_exempt_nothing(text: str) -> None:
    found = judge({"last_reviewed": text})
    assert found.verdict == Verdict.UNKNOWN
    assert verdict_at(found.date_used, found.warn_at, found.stale_at, NOW) == Verdict.UNKNOWN


def test_a_property_called_modified_at_is_not_the_modification_time() -> None:
    assert judge({MODIFIED_AT: "2026-04-30"}).verdict == Verdict.UNKNOWN


def test_the_trust_score_leaves_exempt_documents_out() -> None:
    assert trust_score({Verdict.FRESH: 3, Verdict.STALE: 1, Verdict.EXEMPT: 50}) == 0.75
    assert trust_score({Verdict.EXEMPT: 50}) is None
    assert trust_score({}) is None


# ── Dates as people write them ────────────────────────────────────────────────────────────────────────

MAY = date(2024, 5, 1)
HALF_TEN = datetime(2024, 5, 1, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-01", MAY),
        (" 2024-5-1 ", MAY),
        ("2024/05/01", MAY),
        ("2024.05.01", MAY),
        ("20240501", MAY),
        (20240501, MAY),
        (date(2024, 5, 1), MAY),
        (datetime(2024, 5, 1), datetime(2024, 5, 1, tzinfo=UTC)),
        (datetime(2024, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=2))), HALF_TEN),
        ("2024-05-01T10:30", HALF_TEN),
        ("2024-05-01 10:30:00", HALF_TEN),
        ("2024-05-01T10:30:00Z", HALF_TEN),
        ("2024-05-01t10:30:00.5z", HALF_TEN + timedelta(milliseconds=500)),
        ("2024-05-01T10:30:00.123456789Z", HALF_TEN + timedelta(microseconds=123_456)),
        ("2024-05-01T12:30:00+02:00", HALF_TEN),
        ("2024-05-01 12:30:00 +0200", HALF_TEN),
        ("2024-05-01 05:30:00-05", HALF_TEN),
        ("2024-05-01 10:30:00 UTC", HALF_TEN),
        ("Wed, 01 May 2024 10:30:00 +0000", HALF_TEN),
        ("Wed, 1 May 2024 12:30:00 +0200", HALF_TEN),
        ("01 May 2024 10:30 GMT", HALF_TEN),
        ("1 May 2024", MAY),
        ("1st May, 2024", MAY),
        ("01-May-2024", MAY),
        ("May 1, 2024", MAY),
        ("may 1st 2024", MAY),
        ("Wednesday, May 1, 2024", MAY),
        ("Sept. 3, 2024", date(2024, 9, 3)),
        ("3 September 2024", date(2024, 9, 3)),
        ("2024-02-29", date(2024, 2, 29)),
    ],
)
def test_dates_of_real_front_matter_are_read(value: Any, expected: date) -> None:
    found = read_date(value)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "value",
    [
        *("05/01/2024", "1.5.2024", "2024-05", "2024", 2024, 1714521600, 3.5, True, None, "", "yesterday"),
        *(
            "2023-02-29",
            "2024-13-01",
            "2024-05-32",
            "2024-05-01T25:00",
            "2024-05-01T10:30+25:00",
            "0000-01-01",
            "0001-01-01",
        ),
        *(
            "May 2024",
            "1 Maj 2024",
            "Mayor 1, 2024",
            "2024-05-01 maybe",
            "2024-05-01T10:30 PST",
            "２０２４-05-01",
        ),
        *("2024-05/01", "-2024-05-01", "2024-05-01" + "0" * 100, ["2024-05-01"], {"a": 1}, b"2024-05-01"),
    ],
)
def test_what_cannot_be_read_for_certain_is_not_read(value: Any) -> None:
    assert read_date(value) is None


def test_month_first_dates_are_read_in_ms_date_only() -> None:
    assert judge({"ms.date": "04/15/2026"}).dated == date(2026, 4, 15)
    assert judge({"ms.date": "15/04/2026"}).verdict == Verdict.UNKNOWN
    assert judge({"last_reviewed": "04/15/2026"}).verdict == Verdict.UNKNOWN


@given(st.text(max_size=70) | st.integers() | st.floats() | st.dates() | st.datetimes())
@settings(deadline=None)
def test_no_value_breaks_the_reader(value: Any) -> None:
    found = judge({"ms.date": value}, modified_at=NOW)
    assert found.verdict in Verdict
