"""The rules of retention as they are written, and as they hold."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.config import load, schema
from index.config.rules import Rules
from index.config.units import span, written_span
from index.errors import ConfigError
from index.retention import RetentionRule, Span

BASE = (
    "version: 1\nsources:\n  - {id: docs, type: files, root: docs}\n  - {id: wiki, type: files, root: wiki}\n"
)


def config_of(folder: Path, retention: str, environ: dict[str, str] | None = None) -> Any:
    (folder / "freshkb.yaml").write_text(f"{BASE}retention:{retention}\n", encoding="utf-8")
    return load(None, environ or {}, folder)


def test_rules_hold_as_they_are_written(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        """
  - {after: 10y}
  - {match: "contracts/**", source: wiki, after: 90d, field: [contract_end, modified_at]}
  - {match: "*.log", after: {count: 2, period: week}, field: Closed-On}
  - {source: docs, after: never}""",
    )
    assert config.retention == (
        RetentionRule(Span(years=10)),
        RetentionRule(Span(timedelta(days=90)), "contracts/**", "wiki", ("contract_end", "modified_at")),
        RetentionRule(Span(timedelta(weeks=2)), "*.log", None, ("Closed-On",)),
        RetentionRule(None, None, "docs"),
    )
    assert config.show()["retention"] == [
        {"after": "10y", "field": ["modified_at"]},
        {"after": "90d", "match": "contracts/**", "source": "wiki", "field": ["contract_end", "modified_at"]},
        {"after": "14d", "match": "*.log", "field": ["Closed-On"]},
        {"after": "never", "source": "docs", "field": ["modified_at"]},
    ]
    json.dumps(config.show())


def test_there_are_none_unless_they_are_written_and_they_are_no_rules_of_freshness(tmp_path: Path) -> None:
    without = config_of(tmp_path, " []")
    assert without.retention == () and without.show()["retention"] == []
    with_some = config_of(tmp_path, " [{after: 7y}]")
    for name in ("docs", "wiki"):
        before, after = without.source(name), with_some.source(name)
        assert before.rules_fingerprint == after.rules_fingerprint
        assert before.filter_fingerprint == after.filter_fingerprint


def test_a_field_that_dates_documents_is_kept_with_them_even_when_it_is_no_date(tmp_path: Path) -> None:
    config = config_of(tmp_path, " [{after: 7y, source: docs, field: Contract-End}]")
    said = {"contract_end": "soon", "note": "soon"}
    assert Rules(config.source("docs")).recorded(said, None, authored=True) == {"contract_end": "soon"}
    assert Rules(config.source("wiki")).recorded(said, None, authored=True) == {}


def test_a_variable_overrides_all_of_them(tmp_path: Path) -> None:
    config = config_of(tmp_path, " [{after: 7y}]", {"FRESHKB_RETENTION": "[{after: 1y, source: docs}]"})
    assert config.retention == (RetentionRule(Span(years=1), None, "docs"),)
    with pytest.raises(ConfigError, match="environment variable FRESHKB_RETENTION: 'dcs' is not the id"):
        config_of(tmp_path, " []", {"FRESHKB_RETENTION": "[{after: 1y, source: dcs}]"})


@pytest.mark.parametrize(
    "rule, said",
    [
        ("{match: a}", "retention[0].after: is missing"),
        ("{after: }", "retention[0].after: is missing"),
        ("{after: 7 years}", 'retention[0].after: \'7 years\' should be a duration such as "7y", "90d"'),
        ("{after: 0y}", "retention[0].after: '0y' should be at least 1 year and at most 100"),
        ("{after: 101y}", "retention[0].after: '101y' should be at least 1 year and at most 100"),
        ("{after: {count: 0, period: year}}", "retention[0].after: should be at least 1 year"),
        ("{after: {count: 1, period: decade}}", "retention[0].after: period should be one of year, minute"),
        ("{after: 7y, source: handbook}", "retention[0].source: 'handbook' is not the id of a source"),
        (
            "{after: 7y, source: wikki}",
            "retention[0].source: 'wikki' is not the id of a source; did you mean wiki?",
        ),
        ("{after: 7y, match: '!a'}", "retention[0].match: '!a' cannot be negated"),
        ("{after: 7y, field: []}", "retention[0].field: should have at least 1 item"),
        ("{after: 7y, fields: a}", "retention[0].fields: unknown key; did you mean field?"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, rule: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, f"\n  - {rule}")
    assert str(caught.value).splitlines()[0].startswith(f"freshkb.yaml:6: {said}"), caught.value


@given(st.integers(1, 100))
def test_years_are_written_as_they_are_read(years: int) -> None:
    assert span(f"{years}y") == span(f" {years} Y ") == span({"count": years, "period": "year"})
    assert written_span(span(f"{years}y")) == f"{years}y"


def test_other_spans_are_durations_or_never() -> None:
    assert span("36h") == Span(timedelta(hours=36)) and written_span(span("36h")) == "36h"
    assert span("never") is None and written_span(None) == "never"


def test_editors_know_each_key() -> None:
    rule = schema()["$defs"]["Retention"]
    assert set(rule["properties"]) == {"match", "source", "after", "field"} and rule["required"] == ["after"]
    assert all(about["description"] for about in rule["properties"].values())
    assert {"const": "never"} in rule["properties"]["after"]["anyOf"]
