"""Statements of different documents that are the same but for a number."""

from __future__ import annotations

from typing import Any

import pytest

from index.audit.audit import audit_of
from index.freshness.checks.numbers import find
from index.freshness.finding import Finding
from tests.index.freshness.checks.made import made
from tests.knowledge import Knowledge

LEAVE = "Employees get {} days of annual leave per calendar year."


def found(first: str, second: str, **about: Any) -> list[Finding]:
    return list(find(made({"a.md": first, "b.md": second}, **about)))


def test_both_documents_have_a_finding_that_shows_both_sides() -> None:
    owners = {
        "a_md": {"age": 400, "title": "Leave", "owner": "anna"},
        "b_md": {"title": "Joining", "owner": "ben"},
    }
    here, there = found(LEAVE.format(25), f"Welcome. {LEAVE.format(30)}", **owners)
    assert (here.uri, here.owner, here.key, here.related) == ("a.md", "anna", "id-b.md", ("id-b.md",))
    assert (there.uri, there.owner, there.key) == ("b.md", "ben", "id-a.md")
    assert here.evidence == (
        "It says “Employees get 25 days of annual leave per calendar year”, and “Joining” "
        "(docs / b.md, 2026-05-01), of ben, says “Employees get 30 days of annual leave per calendar year”."
    )


def test_an_owner_of_both_has_one_finding_on_the_older() -> None:
    (finding,) = found(
        LEAVE.format(25), LEAVE.format(30), a_md={"owner": "anna"}, b_md={"owner": "Anna", "age": 9}
    )
    assert finding.uri == "b.md"


DISAGREE = [
    ("Receipts are due within 30 days.", "Receipts are due within 45 days."),
    ("You must submit receipts within 30 days of travel.", "Submit the receipts within 45 days of travel."),
    ("Spending above $5,000 needs approval.", "Spending above $10,000 needs approval."),
    (
        "Die Probezeit dauert für alle Angestellten 3 Monate.",
        "Die Probezeit dauert für alle Angestellten 6 Monate.",
    ),
    ("Le congé parental dure 16 semaines pour tous.", "Le congé parental dure 20 semaines pour tous."),
]


@pytest.mark.parametrize(("first", "second"), DISAGREE)
def test_statements_of_the_same_words_disagree(first: str, second: str) -> None:
    assert len(found(first, second)) == 1


AGREE = [
    ("Receipts are due within 30 days.", "Receipts are due within thirty (30) days."),
    ("Receipts are due within 30 days.", "Receipts are due within 30 hours."),
    ("Receipts are due within 30 days.", "Invoices are due within 60 days."),
    ("The limit is at least 5 GB per project.", "The limit is at most 9 GB per project."),
    ("Contractors get 5 days of annual leave.", "Employees get 25 days of annual leave."),
    ("Sales fell by 5 percent in 2019 over all.", "Sales fell by 9 percent in 2020 over all."),
]


@pytest.mark.parametrize(("first", "second"), AGREE)
def test_other_units_words_and_spellings_disagree_with_nothing(first: str, second: str) -> None:
    assert found(first, second) == []


def test_versions_parallel_pages_and_pages_made_alike_disagree_with_nothing() -> None:
    first, second = LEAVE.format(25), LEAVE.format(30)
    assert list(find(made({"v1/a.md": first, "v2/a.md": second}))) == []
    countries = {"a_md": {"title": "Leave in Germany"}, "b_md": {"title": "Leave in France"}}
    assert found(first, second, **countries) == []
    plans = {"a.md": [(("Plans", "Basic plan"), first)], "b.md": [(("Prices", "Pro plan"), second)]}
    assert list(find(made(plans))) == []
    services = {
        f"{name}.md": [
            ((name, "Limits"), f"Each project gets {size} GB of fast storage."),
            ((name, "Prices"), ""),
        ]
        for name, size in (("Redis", 5), ("Kafka", 9))
    }
    assert list(find(made(services, Redis_md={"title": "Redis"}, Kafka_md={"title": "Kafka"}))) == []


def test_a_series_of_values_disagrees_with_nothing() -> None:
    names = ("cat", "dog", "cow", "hen")
    assert list(find(made({f"{name}.md": LEAVE.format(n) for n, name in enumerate(names, 20)}))) == []
    assert found(LEAVE.format(25), f"{LEAVE.format(20)} {LEAVE.format(30)}") == []


def test_statements_that_are_nearly_the_same_need_near_passages() -> None:
    rest = " ".join(f"Rule {n} of this page holds for all teams." for n in "abcdefghij")
    one = f"{rest} Staff with a company laptop renew the certificate of the device every 30 days."
    other = f"{rest} Staff with a company laptop renew the installed certificate of the device every 60 days."
    assert len(found(one, other)) == 1
    alone = other.removeprefix(rest)
    assert found(one, f"{alone} {'Quite different things stand around it here. ' * 9}") == []
    named = other.replace("installed", "Windows")
    assert found(one, named) == []


def test_an_audit_finds_numbers_that_disagree_and_quotes_no_document_that_a_search_does_not_show(
    kb: Knowledge,
) -> None:
    kb.settings["audit"] = {"checks": {"numbers-disagree": True}}
    kb.write("leave.md", f"# Leave\n\n{LEAVE.format(25)}\n")
    kb.write("joining.md", f"# Joining\n\n{LEAVE.format(30)}\n")
    kb.sync()
    assert [f.code for f in kb.ask(audit_of).findings if f.related] == ["numbers-disagree"]
    kb.write("joining.md", f"# Joining\n\n{LEAVE.format(25)}\n")
    kb.sync()
    assert [f for f in kb.ask(audit_of).findings if f.related] == []
