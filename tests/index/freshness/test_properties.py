"""The properties of a document, from three origins: front matter, its source, its file's metadata."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pytest

from index.freshness import properties
from index.freshness.assess import FreshnessPolicy, assess
from index.freshness.properties import attributed, by_name, declared, said, title

ROW = {
    "Last-Reviewed": "2026-05-01",
    "SOURCE": {"last_reviewed": "2026-04-01", "date": "2026-04-02", "title": "T"},
    "PROGRAM": {"last_reviewed": "2026-03-01", "date": "2026-03-02", "modified": "2026-03-03"},
}


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(properties).failed == 0
    assert doctest.testmod(properties).attempted > 0


def test_the_author_is_believed_before_the_source_and_the_source_before_the_program() -> None:
    assert by_name(ROW) == {
        "last_reviewed": "2026-05-01",
        "date": "2026-04-02",
        "title": "T",
        "modified": "2026-03-03",
    }
    assert declared(ROW) == {"last_reviewed": "2026-05-01"}
    assert said(ROW) == ROW["SOURCE"]


@pytest.mark.parametrize("own", [{"SOURCE": "CNN"}, {"Source": ["a"]}, {"program": 7}, {"source": None}])
def test_an_author_may_use_these_words(own: dict[str, object]) -> None:
    assert by_name(own) == declared(own) == {properties.canonical(name): value for name, value in own.items()}
    assert said(own) is None


def test_a_row_of_before_has_everything_as_its_authors() -> None:
    row = {"owner": "user:anna", "date": "2026-05-01"}
    assert by_name(row) == declared(row) == row
    assert said(row) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Leave", "Leave"),
        (" a\n b ", "a b"),
        ("", ""),
        ("a\0", "a\ufffd"),
        (7, ""),
        (None, ""),
        ("x" * 900, "x" * 500),
    ],
)
def test_a_title_is_one_line(value: object, found: str) -> None:
    assert title({"Title": value}) == found
    assert title({}) == title(None) == ""


def test_a_date_says_who_gave_it() -> None:
    assert attributed("last_reviewed", ROW) == "last_reviewed"
    assert attributed("date", ROW) == "date of its source"
    assert attributed("modified", ROW) == "modified"
    now = datetime(2026, 6, 1, tzinfo=UTC)
    found = assess(FreshnessPolicy(field=("date",)), ROW, None, None, now)
    assert (found.date_text, found.date_field) == ("2026-04-02", "date")
    assert found.reason.startswith("Dated 2026-04-02 by date of its source; ")
