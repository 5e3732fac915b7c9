"""Answers of owners: later, another owner, remove it; and when they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from index.audit.audit import audit_of
from index.audit.result import Audit
from index.errors import ConfigError
from index.records import AnswerKind
from index.run import Run
from index.sync.answers import answer, withdraw
from index.sync.requests import review
from tests.knowledge import Knowledge

OLD = "---\nlast_reviewed: 2025-01-01\n---\nRules.\n"


@pytest.fixture
def asked(kb: Knowledge) -> Knowledge:
    kb.source["owner"] = "user:anna"
    kb.write("a.md", OLD)
    kb.write("b.md", OLD.replace("---\nRules", "owner: user:ben\n---\nOther rules"))
    kb.sync()
    return kb


def counts_of(kb: Knowledge) -> int:
    return sum(len(embedder.embedded) for embedder in kb.embedders)


def answered(kb: Knowledge, uri: str, kind: AnswerKind, **options: Any) -> None:
    with kb.workspace() as workspace:
        answer(Run(workspace, "review"), [uri], kind, "anna", "Later.", **options)


def audited(kb: Knowledge) -> Audit:
    with kb.workspace() as workspace:
        return audit_of(workspace)


def snoozed(kb: Knowledge) -> dict[str, Any]:
    return {row["uri"]: row["snoozed_until"] for row in audited(kb).json()["results"]}


def test_a_snooze_lasts_until_its_date_or_a_review(asked: Knowledge) -> None:
    answered(asked, "a.md", AnswerKind.SNOOZE, until=asked.clock() + timedelta(days=9))
    assert snoozed(asked) == {"a.md": "2026-06-10T12:00:00Z", "b.md": None}
    asked.clock.forward(days=9)
    assert snoozed(asked) == {"a.md": None, "b.md": None}
    answered(asked, "a.md", AnswerKind.SNOOZE, until=asked.clock() + timedelta(days=9))
    asked.clock.forward(days=1)
    with asked.workspace() as workspace:
        review(Run(workspace, "review"), ["a.md"], "anna")
    assert snoozed(asked) == {"a.md": None, "b.md": None}


def test_a_review_by_a_clock_that_was_ahead_ends_no_answer(asked: Knowledge) -> None:
    asked.clock.forward(days=400)
    with asked.workspace() as workspace:
        review(Run(workspace, "review"), ["a.md"], "anna")
    asked.clock.forward(days=-399)
    answered(asked, "a.md", AnswerKind.SNOOZE, until=asked.clock() + timedelta(days=9))
    answered(asked, "a.md", AnswerKind.RETIRE)
    assert snoozed(asked) == {"a.md": "2026-06-11T12:00:00Z", "b.md": None}
    assert "retirement-asked" in {finding.code for finding in audited(asked).findings}
    with asked.workspace() as workspace:
        review(Run(workspace, "review"), ["a.md"], "anna")
    assert snoozed(asked) == {"a.md": None, "b.md": None}


def test_another_owner_is_in_rows_and_payloads_and_outlives_new_texts_and_rules(asked: Knowledge) -> None:
    before = counts_of(asked)
    answered(asked, "a.md", AnswerKind.REASSIGN, to="user:carl")
    payloads = [point.payload["metadata"] for point in asked.points().values()]
    assert {m["owner"] for m in payloads if m["uri"] == "a.md"} == {"user:carl"}
    assert counts_of(asked) == before, "nothing is embedded for another owner"
    row = asked.documents()["a.md"]
    assert (row.owner, row.owner_source) == ("user:carl", "assignment")
    asked.source["rules"] = [{"match": "**", "owner": "user:dora"}]
    asked.write("a.md", OLD + "More of them.\n")
    asked.sync()
    assert asked.documents()["a.md"].owner == "user:carl"
    assert {r.uri: r.owner for r in audited(asked).results} == {"a.md": "user:carl", "b.md": "user:ben"}
    document = asked.documents()["a.md"]
    with asked.workspace() as workspace:
        withdraw(Run(workspace, "review"), document, AnswerKind.REASSIGN)
    assert asked.documents()["a.md"].owner == "user:dora"


def test_an_owner_that_the_document_names_counts_before_any_other(asked: Knowledge) -> None:
    with pytest.raises(ConfigError, match=r"b\.md names its owner itself \(user:ben\).*front matter"):
        answered(asked, "b.md", AnswerKind.REASSIGN, to="user:carl")
    answered(asked, "a.md", AnswerKind.REASSIGN, to="user:carl")
    asked.write("a.md", OLD.replace("---\nRules", "owner: user:eve\n---\nRules"))
    asked.sync()
    assert asked.documents()["a.md"].owner == "user:eve"


def test_a_request_for_removal_is_a_finding_until_it_is_taken_back(asked: Knowledge) -> None:
    answered(asked, "a.md", AnswerKind.RETIRE)
    (found,) = [f for f in audited(asked).findings if f.code == "retirement-asked"]
    assert (found.uri, found.evidence) == ("a.md", "anna asked on 2026-06-01 for its removal: “Later.”.")
    document = asked.documents()["a.md"]
    with asked.workspace() as workspace:
        withdraw(Run(workspace, "review"), document, AnswerKind.RETIRE)
    assert not [f for f in audited(asked).findings if f.code == "retirement-asked"]


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (AnswerKind.SNOOZE, {}, "ends on a date in the future"),
        (AnswerKind.REASSIGN, {"to": "  "}, "needs a name"),
        (AnswerKind.REASSIGN, {"to": "x" * 201}, "too long"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(
    asked: Knowledge, kind: AnswerKind, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        answered(asked, "a.md", kind, **options)
    assert asked.ask(lambda w: w.ledger.answers.standing(w.now())) == {}
