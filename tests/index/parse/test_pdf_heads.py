"""PDF: running heads and the numbers of pages go, and what only looks like them stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from index.parse.readers.pdf.folios import counts_pages, names_page
from tests import documents
from tests.readers import parse

Words = Sequence[tuple[float, float, str]]
"""Left, baseline, text."""
At = Callable[[int], Words]
"""Words at the edges of a page, by its number."""

PAGES = 7
NAMES = ["Adler", "Bauer", "Conrad", "Dietz", "Ernst", "Fuchs", "Graf", "Haas"]
ROMAN = ["", "i", "ii", "iii", "iv", "v", "vi", "vii"]


def read(path: Path, at: At, bookmarks: Sequence[tuple[str, int, float]] = ()) -> Parsed:
    """Pages with these words, and a sentence of their own."""
    pages = [
        [
            (left, base, 10.0, text, "F1")
            for left, base, text in (*at(page), (60, 400, f"{NAMES[page]} wrote."))
        ]
        for page in range(1, PAGES + 1)
    ]
    return parse(documents.placed_pdf(path, pages, bookmarks=bookmarks), BY_SUFFIX[".pdf"])


def told(found: Parsed) -> str:
    """What is said but for the sentences of the pages."""
    text = " ".join(found.text.split())
    for name in NAMES:
        text = text.replace(f"{name} wrote.", "")
    return " ".join(text.split())


def every(texts: Callable[[int], str]) -> str:
    return " ".join(texts(page) for page in range(1, PAGES + 1))


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (lambda page: [(300, 30, f"{page + 7}")], ""),
        (lambda page: [(300, 30, ROMAN[page])], ""),
        (lambda page: [(60, 30, f"Seite {page} von 7")], ""),
        (lambda page: [(60, 30, f"Leave | {page}")], "Leave | 1"),
        (lambda page: [(60, 760, "Handbook"), (500, 760, f"{page}")], "Handbook"),
        # Left and right pages.
        (lambda page: [(60, 760, "Staff" if page % 2 else "Leave"), (500, 30, f"{page}")], "Staff Leave"),
        (lambda page: [(60 if page % 2 else 500, 760, f"{page}")], ""),
        (lambda page: [(60, 760, "Page #"), (500, 760, "Item")], "Page # Item"),
        (lambda page: [(60, 45, "2024-01-31"), (60, 30, "Printed on 12.3.")], "2024-01-31 Printed on 12.3."),
        # Another title on each page stands beside it.
        (lambda page: [(60, 760, f"All of {NAMES[page]}"), (500, 760, f"Page {page} of 7")],
         every(lambda page: f"All of {NAMES[page]}")),
    ],
)  # fmt: skip
def test_a_running_head_stays_once_and_the_number_of_a_page_never(tmp_path: Path, at: At, left: str) -> None:
    assert told(read(tmp_path / "a.pdf", at)) == left


@pytest.mark.parametrize(
    "text",
    [
        lambda page: f"Chapter {page}",
        lambda page: f"Invoice 2025-{4700 + 37 * page % 11}",
        lambda page: f"Invoice {1000 + page}, page 1",
        lambda page: f"{page}/2025",
        lambda page: f"Exhibit {ROMAN[page]}",
        lambda page: f"{page * 40 + 1}",
        lambda page: "0",
        lambda page: "}",
    ],
)
def test_lines_that_count_something_else_stay_at_the_edges(
    tmp_path: Path, text: Callable[[int], str]
) -> None:
    found = read(tmp_path / "a.pdf", lambda page: [(60, 770, text(page))])
    assert told(found) == every(text)


def test_cells_of_a_row_stay_together_at_the_edges(tmp_path: Path) -> None:
    def rows(page: int) -> Words:
        return [
            (left, base, cell)
            for base in (770, 755, 740, 60, 45, 30)
            for left, cell in ((60, f"{NAMES[page]} {base}"), (250, f"{page}"), (350, "open"), (450, "0"))
        ]

    found = read(tmp_path / "a.pdf", rows)
    lines = [
        line for element in found.elements if element.kind == "Table" for line in element.text.split("\n")
    ]
    assert lines == [
        f"{NAMES[page]} {base} | {page} | open | 0"
        for page in range(1, PAGES + 1)
        for base in (770, 755, 740, 60, 45, 30)
    ]


def test_a_heading_that_a_bookmark_names_is_no_running_head(tmp_path: Path) -> None:
    bookmarks = [("Summary", page, 780.0) for page in range(1, PAGES + 1)]
    found = read(tmp_path / "a.pdf", lambda page: [(60, 770, "Summary")], bookmarks)
    assert [(element.page, element.heading_path) for element in found.elements] == [
        (page, ("Summary",)) for page in range(1, PAGES + 1) for _ in range(2)
    ]


@pytest.mark.parametrize(
    "text",
    ["- # -", "[#]", "3-#", "#/9", "# of 9", "# | p a g e", "page | #", "s. #", "p. #/9", "стр. # из 9",
     "σελ. #", "#. oldal", "strona # z 9", "sayfa: #", "עמוד #", "第 # 页", "#ページ", "# 쪽"],
)  # fmt: skip
def test_languages_name_a_page_in_their_ways(text: str) -> None:
    assert names_page(text)


@pytest.mark.parametrize(
    "text", ["no. #", "§ #", "0.#", "# €", "exhibit a-#", "step # of 5", "pages and item #"]
)
def test_other_numbers_count_no_pages(text: str) -> None:
    assert not counts_pages(text)
