from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import ConnectorSettings
from index.audit import SEVERITY, Audit, FailOn, audit
from index.config import FreshnessPolicy, Rule, SourceConfig
from index.freshness import Verdict
from index.model import LIVE, Document, State

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOURCE = SourceConfig(
    "handbook",
    "files",
    ConnectorSettings(),
    owner="group:docs",
    owner_source="source",
    freshness=FreshnessPolicy(timedelta(days=90), timedelta(days=180), ("last_reviewed", "modified_at")),
    rules=(
        Rule("archive/**", freshness="exempt"),
        Rule("hr/**", owner="user:anna", freshness=FreshnessPolicy(timedelta(hours=36), timedelta(days=10))),
    ),
)


def document(uri: str, age: float | None = 0, **values: Any) -> Document:
    """An indexed document, last modified `age` days ago."""
    modified = None if age is None else NOW - timedelta(days=age)
    given = {"state": State.INDEXED, "version": 1, "chunk_count": 1, "modified_at": modified, **values}
    return Document(f"id-{uri}", given.pop("source", "handbook"), uri, **given)


def run(*documents: Document, owner: str | None = None) -> Audit:
    return audit(documents, {"handbook": SOURCE}, NOW, owner)


def test_the_json_is_what_the_contract_says() -> None:
    found = run(document("a.md", 200), document("hr/b.md", 3, properties={"last_reviewed": "2026-04-26"}))
    assert found.json() == {
        "generated_at": "2026-05-01T12:00:00Z",
        "counts": {"fresh": 0, "warn": 1, "stale": 1, "unknown": 0, "exempt": 0},
        "trust_score": 0.0,
        "owners": [
            {
                "owner": "group:docs",
                "counts": {"fresh": 0, "warn": 0, "stale": 1, "unknown": 0, "exempt": 0},
                "trust_score": 0.0,
            },
            {
                "owner": "user:anna",
                "counts": {"fresh": 0, "warn": 1, "stale": 0, "unknown": 0, "exempt": 0},
                "trust_score": 0.0,
            },
        ],
        "results": [
            {
                "document_id": "id-a.md",
                "uri": "a.md",
                "source": "handbook",
                "owner": "group:docs",
                "owner_source": "source",
                "verdict": "stale",
                "reason": "Dated 2025-10-13 by modified_at; stale since 2026-04-11.",
                "date_used": "2025-10-13T12:00:00Z",
                "date_field": "modified_at",
                "age_days": 200,
                "warn_after_days": 90,
                "stale_after_days": 180,
                "overdue_days": 110,
            },
            {
                "document_id": "id-hr/b.md",
                "uri": "hr/b.md",
                "source": "handbook",
                "owner": "user:anna",
                "owner_source": "rule",
                "verdict": "warn",
                "reason": "Dated 2026-04-26 by last_reviewed; "
                "to be reviewed since 2026-04-27; stale from 2026-05-06 on.",
                "date_used": "2026-04-26T00:00:00Z",
                "date_field": "last_reviewed",
                "age_days": 5,
                "warn_after_days": 1.5,
                "stale_after_days": 10,
                "overdue_days": 4,
            },
        ],
        "findings": [],
    }
    json.dumps(found.json())


def test_every_live_document_has_a_verdict_and_unsupported_or_gone_ones_have_none() -> None:
    found = run(*(document(state.value, state=state) for state in State))
    assert {result.uri for result in found.results} == {state.value for state in LIVE - {State.SKIPPED}}


def test_exempt_documents_appear_and_do_not_count_for_trust() -> None:
    found = run(document("archive/a.md", 5000), document("b.md"))
    assert [(result.uri, result.verdict) for result in found.results] == [
        ("b.md", Verdict.FRESH),
        ("archive/a.md", Verdict.EXEMPT),
    ]
    assert found.trust_score == 1.0
    row = found.json()["results"][1]
    assert row["age_days"] == 5000
    assert row["warn_after_days"] is row["stale_after_days"] is row["overdue_days"] is None


def test_results_are_sorted_worst_first() -> None:
    ages = {"new.md": 1, "newer.md": 0, "stale.md": 200, "rotten.md": 900, "due.md": 100, "none.md": None}
    found = run(*(document(uri, age) for uri, age in ages.items()), document("archive/x.md", 1))
    assert [result.uri for result in found.results] == [
        *("rotten.md", "stale.md", "none.md", "due.md", "new.md", "newer.md", "archive/x.md")
    ]
    assert [result.verdict for result in found.results] == sorted(
        (result.verdict for result in found.results), key=SEVERITY.index
    )


def test_owners_are_sorted_worst_first_and_those_with_nothing_to_judge_come_last() -> None:
    owned = [("all-good", 0), ("half", 0), ("half", 100), ("worst", 200), ("worse", 100)]
    documents = [document(f"{n}.md", age, properties={"owner": who}) for n, (who, age) in enumerate(owned)]
    found = run(*documents, document("archive/x.md", properties={"owner": "archivist"}))
    assert [owner.owner for owner in found.owners] == ["worst", "worse", "half", "all-good", "archivist"]
    assert [owner.trust_score for owner in found.owners] == [0, 0, 0.5, 1, None]


def test_an_owner_sees_only_what_is_theirs() -> None:
    found = run(document("hr/a.md", 200), document("b.md", 200, chunk_count=0), owner="user:anna")
    assert [result.uri for result in found.results] == ["hr/a.md"]
    assert [owner.owner for owner in found.owners] == ["user:anna"]
    assert found.counts == {Verdict.STALE: 1}
    assert not found.findings
    assert run(document("b.md"), owner="user:nobody").json()["trust_score"] is None


def test_findings_name_what_age_does_not_show() -> None:
    broken: dict[str, Any] = {"state": State.QUARANTINED, "reason": "The file has a password."}
    nobody = SourceConfig("inbox", "files", ConnectorSettings())
    found = audit(
        [
            document("empty.md", chunk_count=0),
            document("new.pdf", version=0, **broken),
            document("old.pdf", version=3, extraction_fingerprint="x1", **broken),
            document("mail.eml", source="inbox"),
            document("rest.md", version=3, state=State.HELD, reason="legal hold 1 of 2 chunks are lost."),
            document("pending.md", state=State.PENDING, version=0, chunk_count=0),
        ],
        {"handbook": SOURCE, "inbox": nobody},
        NOW,
    )
    assert [(finding.kind, finding.uri) for finding in found.findings] == [
        ("quarantined", "new.pdf"),
        ("quarantined", "old.pdf"),
        ("empty", "empty.md"),
        ("incomplete", "rest.md"),
        ("unowned", "mail.eml"),
    ]
    assert found.findings[0].reason == "The file has a password."
    assert found.findings[1].reason.endswith("The index still has its last good version.")
    assert set(found.json()["findings"][0]) == {"kind", "document_id", "uri", "source", "owner", "reason"}


def test_documents_of_a_source_that_left_the_configuration_are_unknown() -> None:
    found = run(document("a.md", source="gone", owner="user:bo", owner_source="rule"))
    (result,) = found.results
    assert (result.verdict, result.owner) == (Verdict.UNKNOWN, "user:bo")
    assert "not in the configuration" in result.assessment.reason
    assert result.json()["warn_after_days"] is None


@pytest.mark.parametrize(
    ("age", "failing"),
    [(0, []), (100, ["warn"]), (200, ["warn", "stale"]), (None, ["warn"])],
)
def test_the_audit_fails_on_what_fail_on_names(age: float | None, failing: list[str]) -> None:
    found = run(document("a.md", age), document("archive/b.md", 9000))
    levels: tuple[FailOn, ...] = ("warn", "stale", "never")
    assert [level for level in levels if found.fails(level)] == failing


def test_nothing_at_all_is_an_audit_too() -> None:
    found = run()
    assert found.json()["results"] == found.json()["owners"] == []
    assert not found.fails("warn")
