from __future__ import annotations

import pytest

from index.freshness.validity import claims, is_history, stated_in

CLAIMS = {
    "This price is valid until 31 December 2023.": ("valid-through", "2023-12-31"),
    "The offer is valid through 2024-03-01.": ("valid-through", "2024-03-01"),
    "The certificate expires on Friday, 3 May 2024 at noon.": ("expires", "2024-05-03"),
    "The deadline for applications is March 1st, 2023.": ("deadline", "2023-03-01"),
    "Deadline: 1 March 2023": ("deadline", "2023-03-01"),
    "As of 3 March 2021, there are 25 members.": ("as-of", "2021-03-03"),
    "Effective March 1, 2022, the fee will be $5.": ("announced", "2022-03-01"),
    "This policy is effective 1 March 2022 until 28 February 2023.": ("until", "2023-02-28"),
    "It is good until 13/04/2024.": ("valid-through", "2024-04-13"),
    "Python 3.7 is supported until 27 June 2023.": ("until", "2023-06-27"),
    "Use the old form until 1 March 2024. Then use the new.": ("until", "2024-03-01"),
    "Die Regelung gilt bis zum 31.12.2023.": ("valid-through", "2023-12-31"),
    "Der Vertrag läuft am 1. März 2023 ab.": ("expires", "2023-03-01"),
    "Die Vereinbarung ist befristet bis 30. Juni 2022.": ("valid-through", "2022-06-30"),
    "Die Frist für Anträge endet am 3. Mai 2022.": ("deadline", "2022-05-03"),
    "Ab dem 1. April 2024 wird die Kantine geschlossen.": ("announced", "2024-04-01"),
    "Cette offre est valable jusqu'au 1er mars 2024.": ("valid-through", "2024-03-01"),
    "Le contrat expire le 12 août 2023.": ("expires", "2023-08-12"),
    "Le bureau est ouvert jusqu’au 3 février 2023.": ("until", "2023-02-03"),
}

NONE = [
    "The office was in Bristol until 3 May 2019.",
    "Bis zum 3. Mai 2019 war das Büro in Bonn.",
    "As of 1 January 2020 all staff must use tokens.",
    "This policy is effective 1 March 2022.",
    "Stand: 1.2.2023",
    "It is valid until 03/04/2024.",
    "Parking is free until 2024-02-30.",
    "We meet until further notice; see the minutes of 3 May 2020.",
    "For example, valid until 3 May 2020.",
    "Valid until: 2020-06-04 (expired)",
    "The notice said “this offer is valid until 3 May 2020” to all.",
    "Valid until May 2024.",
    "Version 2023.5.1 runs until it is stopped.",
]


@pytest.mark.parametrize(("text", "claim"), CLAIMS.items(), ids=str)
def test_a_cue_with_a_full_date_is_a_claim(text: str, claim: tuple[str, str]) -> None:
    assert [stated.claim for stated in stated_in(text)] == [claim]


@pytest.mark.parametrize("text", NONE)
def test_all_else_is_none(text: str) -> None:
    assert list(stated_in(text)) == []


def test_the_sentence_is_shown_without_its_neighbours() -> None:
    text = "Bikes are fun.\n\nThe 3. edition is out. It is valid until 3. Mai 2023, as said. More follows."
    assert [stated.sentence for stated in stated_in(text)] == ["It is valid until 3. Mai 2023, as said."]


def test_sections_of_what_has_happened_claim_nothing() -> None:
    sentence = "The code is valid until 3 May 2023."
    assert len(claims([(sentence, ("Codes",)), (sentence, ("Codes",))])) == 1
    for heading in ("Changelog", "Release notes", "1.2.0", "2023-05-01", "Examples", "Historie"):
        assert claims([(sentence, ("Guide", heading))]) == (), heading


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("CHANGELOG.md", True),
        ("news/a.md", True),
        ("posts/2019-4-15-roots.md", True),
        ("minutes/2024/board.md", True),
        ("price-list-2024.md", False),
        ("guides/renewing.md", False),
    ],
)
def test_paths_of_records(name: str, history: bool) -> None:
    assert is_history(name) == history
