from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import ConnectorSettings
from index.audit.audit import audit
from index.audit.result import SEVERITY, Audit
from index.config import FreshnessPolicy, Rule, SourceConfig
from index.errors import ConfigError
from index.freshness.assess import Verdict
from index.freshness.finding import VERDICT_CODES, Finding
from index.freshness.owners import fold
from index.model import LIVE, State
from index.records import Document, Review

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


def defects(found: Audit) -> list[Finding]:
    """The findings besides verdicts."""
    return [finding for finding in found.findings if finding.code not in VERDICT_CODES]


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
                "owners": ["group:docs"],
                "owner_source": "source",
                "verdict": "stale",
                "reason": "Dated 2025-10-13 by modified_at; stale since 2026-04-11.",
                "date_used": "2025-10-13T12:00:00Z",
                "date_field": "modified_at",
                "age_days": 200,
                "warn_after_days": 90,
                "stale_after_days": 180,
                "overdue_days": 110,
                "reviewed_at": None,
                "reviewed_by": None,
                "review_note": None,
                "changed_since_review": None,
                "snoozed_until": None,
                "hits": 0,
            },
            {
                "document_id": "id-hr/b.md",
                "uri": "hr/b.md",
                "source": "handbook",
                "owner": "user:anna",
                "owners": ["user:anna"],
                "owner_source": "rule",
                "verdict": "warn",
                "reason": "Dated 2026-04-26 by last_reviewed; "
                "to be reviewed since 2026-04-28; stale from 2026-05-06 on.",
                "date_used": "2026-04-26",
                "date_field": "last_reviewed",
                "age_days": 5,
                "warn_after_days": 1.5,
                "stale_after_days": 10,
                "overdue_days": 3,
                "reviewed_at": None,
                "reviewed_by": None,
                "review_note": None,
                "changed_since_review": None,
                "snoozed_until": None,
                "hits": 0,
            },
        ],
        "findings": [
            {
                "code": code,
                "severity": severity,
                "uri": uri,
                "document_id": f"id-{uri}",
                "source": "handbook",
                "owner": owner,
                "evidence": evidence,
                "line": None,
                "remedy": "",
                "first_seen_at": None,
                "status": "new",
            }
            for code, severity, uri, owner, evidence in (
                (
                    "stale",
                    "error",
                    "a.md",
                    "group:docs",
                    "Dated 2025-10-13 by modified_at; stale since 2026-04-11.",
                ),
                ("warn", "note", "hr/b.md", "user:anna", found.results[1].assessment.reason),
            )
        ],
        "resolved": [],
        "past": [],
        "use": None,
    }
    json.dumps(found.json())


def test_every_live_document_has_a_verdict_and_unsupported_expired_or_gone_ones_have_none() -> None:
    found = run(*(document(state.value, state=state) for state in State))
    assert {result.uri for result in found.results} == {
        state.value for state in LIVE - {State.SKIPPED, State.EXPIRED}
    }


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
    assert not defects(found)
    assert run(document("b.md", 200), document("hr/a.md"), owner="USER:Anna").counts == {Verdict.FRESH: 1}


def test_an_owner_of_nothing_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"'user:ana'; did you mean user:anna\? Owners are: group:docs, user:anna\."
    ):
        run(document("hr/a.md"), document("b.md"), owner="user:ana")
    with pytest.raises(ConfigError, match="no document has an owner"):
        audit([document("b.md")], {}, NOW, "anna")
    many = [document(f"{n}.md", properties={"owner": f"user:{n:02}"}) for n in range(20)]
    with pytest.raises(ConfigError, match=r"user:07 and 12 more\."):
        run(*many, owner="xyz")


def test_each_of_several_owners_sees_the_document_and_the_first_is_asked_to_act() -> None:
    shared = document("a.md", 200, properties={"owner": ["User:Anna", "bo"]}, chunk_count=0)
    alone = document("b.md", 0, properties={"owner": "user:anna"})
    found = run(shared, alone)
    assert [(o.owner, o.counts) for o in found.owners] == [
        ("bo", {Verdict.STALE: 1}),
        ("User:Anna", {Verdict.STALE: 1, Verdict.FRESH: 1}),
    ]
    assert found.counts == {Verdict.STALE: 1, Verdict.FRESH: 1}, "a document counts once"
    assert [(r["owner"], r["owners"]) for r in found.json()["results"]] == [
        ("User:Anna", ["User:Anna", "bo"]),
        ("user:anna", ["user:anna"]),
    ]
    for asked, uris in (("BO", ["a.md"]), ("user:ANNA", ["a.md", "b.md"])):
        theirs = run(shared, alone, owner=asked)
        assert [result.uri for result in theirs.results] == uris
        assert [fold(summary.owner) for summary in theirs.owners] == [fold(asked)]
        assert [(f.code, f.owner) for f in defects(theirs)] == [("empty", "User:Anna")]


def test_nobodys_documents_are_asked_for_by_an_empty_name() -> None:
    nobody = SourceConfig("handbook", "files", ConnectorSettings())
    found = audit(
        [document("a.md"), document("b.md", properties={"owner": "bo"})], {"handbook": nobody}, NOW, ""
    )
    assert [result.uri for result in found.results] == ["a.md"]


def test_a_document_says_who_reviewed_it_and_whether_it_changed_since() -> None:
    def review(uri: str, content: str | None, at: datetime = NOW) -> tuple[str, Review]:
        return f"id-{uri}", Review(f"id-{uri}", "anna", "still right", at, content)

    names = ("same.md", "changed.md", "old.md", "ahead.md")
    documents = [document(n, 200, content_hash="now", reviewed_at=NOW) for n in names[:3]]
    documents.append(document("ahead.md", 200, content_hash="now", reviewed_at=NOW + timedelta(days=9)))
    documents.append(document("none.md", 200))
    found = audit(
        documents,
        {"handbook": SOURCE},
        NOW,
        reviews={
            name: [made]
            for name, made in (
                review("same.md", "now"),
                review("changed.md", "then"),
                review("old.md", None),
                review("ahead.md", "now", NOW + timedelta(days=9)),
            )
        },
    )
    rows = {row["uri"]: row for row in found.json()["results"]}
    assert {uri: row["changed_since_review"] for uri, row in rows.items()} == {
        "same.md": False, "changed.md": True, "old.md": None, "ahead.md": False, "none.md": None,
    }  # fmt: skip
    said = ("reviewed_at", "reviewed_by", "review_note")
    assert [rows["old.md"][name] for name in said] == ["2026-05-01T12:00:00Z", "anna", "still right"]
    assert [rows["none.md"][name] for name in said] == [None] * 3
    assert rows["ahead.md"]["verdict"] == "stale"
    assert "lies in the future" in rows["ahead.md"]["reason"]
    assert [(f.code, f.severity, f.uri) for f in defects(found)] == [
        ("review-in-future", "warning", "ahead.md"),
        ("changed-since-review", "note", "changed.md"),
    ]


def test_reviews_of_one_text_are_counted_but_for_those_in_the_future() -> None:
    def told(*days: int) -> list[str]:
        made = [Review("id-a.md", "anna", "", NOW + timedelta(days=day), "now") for day in days]
        reviewed = document("a.md", content_hash="now", reviewed_at=made[-1].at)
        found = audit([reviewed], {"handbook": SOURCE}, NOW, reviews={"id-a.md": made})
        return [f.evidence for f in defects(found)]

    assert told(9, -5, -3) == []
    assert told(9, -5, -3, -1) == [
        "It was reviewed 3 times since 2026-04-26, and its text never changed.",
    ]


def test_what_a_document_says_of_itself_and_is_none_is_found() -> None:
    broken: Any = {"code": "front-matter-invalid", "line": 3, "reason": "The front matter is not valid YAML."}
    found = run(
        document("a.md", findings=[broken]),
        document("b.md", properties={"owner": 7, "last_reviewed": None}),
        document("archive/c.md", properties={"last_reviewed": "soon"}),
        document("d.md", properties={"Last-Reviewed": ["2026-04-01"]}, reviewed_at=NOW),
    )
    assert [(f.code, f.uri, f.line, f.evidence) for f in defects(found)] == [
        ("date-invalid", "b.md", None, "The date in last_reviewed is empty or cannot be read."),
        ("date-invalid", "d.md", None, "The date in last_reviewed is a list."),
        ("front-matter-invalid", "a.md", 3, "The front matter is not valid YAML."),
        ("owner-invalid", "b.md", None, "Its owner is a number (7), and not a name. Taken instead: source."),
    ]
    verdicts = {result.uri: result.verdict for result in found.results}
    assert (verdicts["b.md"], verdicts["d.md"]) == (Verdict.UNKNOWN, Verdict.FRESH)


def test_file_dates_that_are_a_checkouts_are_found() -> None:
    def found(*ages: float, written: datetime | None = NOW - timedelta(days=40)) -> list[str]:
        documents = [
            document(f"{n}.md", age, date_used=NOW - timedelta(days=age)) for n, age in enumerate(ages)
        ]
        told = audit(documents, {"handbook": SOURCE}, NOW, checked_out={"handbook": written})
        assert {(f.code, f.uri, f.owner) for f in defects(told)} <= {("checkout-dates", None, "group:docs")}
        return [f.evidence for f in defects(told)]

    minute = 1 / 24 / 60
    assert "1 of 1 documents" in found(40)[0], "it was written with its work tree"
    assert not found(20), "a single document that was written by itself"
    assert "3 of 5 documents" in found(10, 10 - minute, 10 - 2 * minute, 9, 8)[0]
    assert not found(10, 10 - minute, 8, 7)
    assert not found(40, 40, 40, written=None), "no work tree"
    own = document("own.md", 40, date_used=NOW, properties={"last_reviewed": "2026-04-30"})
    told = audit([own], {"handbook": SOURCE}, NOW, checked_out={"handbook": NOW - timedelta(days=40)})
    assert not defects(told), "a document with a date of its own needs none of its file"


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
    assert [(finding.code, finding.uri) for finding in defects(found)] == [
        ("incomplete", "rest.md"),
        ("quarantined", "new.pdf"),
        ("quarantined", "old.pdf"),
        ("empty", "empty.md"),
        ("unowned", "mail.eml"),
    ]
    assert defects(found)[1].evidence == "The file has a password."
    assert defects(found)[2].evidence.endswith("The index still has its last good version.")
    assert defects(found)[1].json() == {
        "code": "quarantined", "severity": "error", "uri": "new.pdf", "document_id": "id-new.pdf",
        "source": "handbook", "owner": "group:docs", "evidence": "The file has a password.", "line": None,
        "remedy": "", "first_seen_at": None, "status": "new",
    }  # fmt: skip


def test_documents_of_a_source_that_left_the_configuration_are_unknown() -> None:
    found = run(document("a.md", source="gone", owner="user:bo", owner_source="rule"))
    (result,) = found.results
    assert (result.verdict, result.owner) == (Verdict.UNKNOWN, "user:bo")
    assert "not in the configuration" in result.assessment.reason
    assert found.json()["results"][0]["warn_after_days"] is None


@pytest.mark.parametrize(
    ("age", "failing"),
    [(0, []), (100, ["warn"]), (200, ["warn", "stale"]), (None, ["warn"])],
)
def test_the_audit_fails_on_what_fail_on_names(age: float | None, failing: list[str]) -> None:
    found = run(document("a.md", age), document("archive/b.md", 9000))
    levels = ("warn", "stale", "never")
    assert [level for level in levels if found.fails(level)] == failing


def test_nothing_at_all_is_an_audit_too() -> None:
    found = run()
    assert found.json()["results"] == found.json()["owners"] == []
    assert not found.fails("warn")
