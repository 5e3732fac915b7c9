from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.config.schedule import cron, next_time
from index.config.units import duration, size, written


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("90d", timedelta(days=90)),
        (" 36 H ", timedelta(hours=36)),
        ("15m", timedelta(minutes=15)),
        ("1s", timedelta(seconds=1)),
        ("2w", timedelta(days=14)),
        ({"count": 90, "period": "day"}, timedelta(days=90)),
        ({"count": 1, "period": "week"}, timedelta(days=7)),
        (timedelta(hours=1), timedelta(hours=1)),
    ],
)
def test_durations_are_read(value: Any, expected: timedelta) -> None:
    assert duration(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("", "90", 90, 1.5, None, True, "90 days", "-1d", "1.5d", "0s", "36501d", "999999999w", "d", "١d"),
        *(
            {"count": 1},
            {"count": 1, "period": "year"},
            {"count": 0, "period": "day"},
            {"count": "1", "period": "day"},
        ),
        *(
            {"count": True, "period": "day"},
            {"count": 1, "period": "day", "x": 1},
            {"count": 10**30, "period": "day"},
        ),
    ],
)
def test_what_is_no_duration_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="should"):
        duration(value)


@given(st.integers(1, 36_500 * 86_400))
def test_a_duration_survives_writing_and_reading(seconds: int) -> None:
    assert duration(written(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("50mb", 50_000_000), ("1 KiB", 1024), ("2gib", 2**31), ("7", 7), (7, 7), ("7b", 7), ("3kb", 3000)],
)
def test_sizes_are_read(value: Any, expected: int) -> None:
    assert size(value) == expected


@pytest.mark.parametrize("value", ["", "mb", "1.5mb", "-1", 0, -1, True, None, 1.5, "1tb", "1 m b"])
def test_what_is_no_size_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="should"):
        size(value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "* * * * *",
            "*/15 * * * *",
            "0 7 * * 1",
            "0 3 * * 0",
            "0 0 1 1 7",
            "0,30 8-18/2 * jan-mar MON-FRI",
        ),
        " 5  4 * * sun ",
    ],
)
def test_cron_expressions_are_accepted(text: str) -> None:
    assert cron(text) == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "@daily",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
        ),
        *(
            "*/0 * * * *",
            "*/60 * * * *",
            "5-3 * * * *",
            "a * * * *",
            "1- * * * *",
            ",1 * * * *",
            "1.5 * * * *",
        ),
        *("* * * mon *", "²  * * * *", "-1 * * * *"),
    ],
)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"five fields|should lie within"):
        cron(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/15 * * * *", datetime(2026, 3, 1, 12, 15, tzinfo=UTC)),
        ("0 7 * * 1", datetime(2026, 3, 2, 7, tzinfo=UTC)),
        ("0 7 * * sun", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 30 2 *", None),
    ],
)
def test_the_next_time_of_a_cron_expression(text: str, expected: datetime | None) -> None:
    assert next_time(text, datetime(2026, 3, 1, 12, tzinfo=UTC)) == expected
