"""Documents that are alike on purpose."""

from __future__ import annotations

import pytest

from index.freshness.checks.siblings import parallel, siblings, subject

ALIKE = [
    ("7.4/install.md", "7.5/install.md"),
    ("docs/v3.4/guide/auth.md", "docs/v3.5/op/authentication.md"),
    ("docs/latest/a.md", "docs/v1.2/b.md"),
    ("docs/a.md", "docs/v1/a.md"),
    ("2023/leave.md", "2024/leave.md"),
    ("de/leave.md", "fr/leave.md"),
    ("leave.md", "pt-BR/leave.md"),
    ("guide.de.md", "guide.en.md"),
    ("notes-1.2.md", "notes-1.3.md"),
    ("trivy/5-2-4.md", "trivy/5-2-6.md"),
    ("minutes-2024-01-05.md", "minutes-2024-02-09-budget.md"),
    ("minutes/january.md", "minutes/march.md"),
    ("posts/2024-02-09-new-disks.md", "services/disks.md"),
    ("archive/leave.md", "policies/leave.md"),
    ("templates/offer.md", "hiring/offer-letter.md"),
]
APART = [
    ("leave.md", "leave (1).md"),
    ("leave.md", "leave-copy.md"),
    ("leave.md", "leave-old.md"),
    ("policies/leave.md", "people/leave.md"),
    ("it/laptops.md", "hr/laptops.md"),
    ("page-1.md", "page-2.md"),
    ("7.4/install.md", "7.4/setup.md"),
    ("people/leave.md", "people/onboarding.md"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_versions_translations_series_and_records_are_siblings(one: str, other: str) -> None:
    assert siblings(one, other)
    assert siblings(other, one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_copies_and_numbered_files_are_none(one: str, other: str) -> None:
    assert not siblings(one, other)
    assert not siblings(other, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Leave in Germany", "Leave in France", True),
        ("Upgrade from 3.1 to 3.2", "Upgrade from 3.2 to 3.3", True),
        ("Lead Product Manager", "Senior Product Manager", True),
        ("Travel policy", "Travel FAQ", False),
        ("Travel", "Copy of Travel", False),
        ("Urlaub: Richtlinie", "Leitfaden zum Urlaub", False),
        ("Remote work", "Onboarding", False),
        ("", "Onboarding", False),
    ],
)
def test_parallel_titles_differ_in_their_subject(one: str, other: str, expected: bool) -> None:
    assert parallel(one, other) is expected


def test_the_subject_of_a_title_is_without_words_of_its_kind() -> None:
    assert subject("How to: Travel Policies and Guidelines") == {"travel"}
