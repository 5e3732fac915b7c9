"""Statements of numbers with a unit."""

from __future__ import annotations

import pytest

from index.freshness.checks.sentences import sentences, statement

STATED = [
    ("Employees get 25 days of annual leave.", "employees get # day of annual leave", ("25",)),
    ("Receipts are due within thirty (30) calendar days.", "receipts are due within # calendar day", ("30",)),
    (
        "Spending above $5,000 needs two signatures.",
        "spending above # dollar needs # reviewer",
        ("5000", "2"),
    ),
    ("Passwords must be changed every 90 days;", "passwords must be changed every # day", ("90",)),
    ("Backups have a 30-day retention period.", "backups have a # day retention period", ("30",)),
    ("Teams may work remotely 2 to 3 days a week.", "teams may work remotely # day a week", ("2-3",)),
    ("Der Urlaub beträgt 30 Tage im Jahr.", "der urlaub betragt # day im jahr", ("30",)),
    ("Hotels bis 1.500 € zahlt die Firma.", "hotels bis # euro zahlt die firma", ("1500",)),
    ("Les notes de frais sont payées sous dix jours.", "les notes de frais sont payees sous # day", ("10",)),
    ("Uploads may have 1.5 GB per file.", "uploads may have # gb per file", ("1.5",)),
    ("[Grants]({% page '/x/' %}) end after 6 months.", "grants end after # month", ("6",)),
    ("The fee is 2.5 million EUR per contract.", "the fee is # euro per contract", ("2500000",)),
    ("The bonus grows by 3 percent every quarter.", "the bonus grows by # percent every quarter", ("3",)),
]
SILENT = [
    "The team met on 3 May 2024 in Berlin.",
    "See section 4.2 of the travel policy.",
    "Call the desk at 030 1234 5678 any time.",
    "Install version 3.5 of the service first.",
    "Does every employee get 25 days of leave?",
    "For example, a trip of 5 days costs more.",
    "This usually takes 15 minutes for new staff.",
    "Annual leave | 25 days | per calendar year",
    "timeout_seconds = 30 seconds",
    "Wait 5 minutes.",
    "The release of 2019 came late for all teams.",
    "Open the page between 9:30 and 10:15 every morning.",
]


@pytest.mark.parametrize(("sentence", "masked", "values"), STATED)
def test_a_statement_has_its_numbers_apart(sentence: str, masked: str, values: tuple[str, ...]) -> None:
    found = statement(sentence)
    assert found is not None
    assert (found.masked, found.values) == (masked, values)


@pytest.mark.parametrize("sentence", SILENT)
def test_dates_versions_questions_examples_tables_and_code_state_nothing(sentence: str) -> None:
    assert statement(sentence) is None


def test_a_text_is_split_at_marks_and_blocks_and_not_at_abbreviations() -> None:
    text = "Leave\n\nAsk Dr. Weber, e.g. by mail. Then book.\n\nNr. 7 is free! Yes"
    assert list(sentences(text)) == [
        "Leave",
        "Ask Dr. Weber, e.g. by mail.",
        "Then book.",
        "Nr. 7 is free!",
        "Yes",
    ]
