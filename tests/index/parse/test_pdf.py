"""PDF as a reader's eye takes it: columns, paragraphs, tables, running heads, headings."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.model import Element, Parsed
from index.parse.formats import BY_SUFFIX
from tests import documents
from tests.documents import Placed
from tests.readers import parse

WORDS = "the quick brown fox jumps over the lazy dog while seven wizards brew their jolly potions by night"

_WORDS = WORDS.split()


def read(path: Path) -> Parsed:
    return parse(path, BY_SUFFIX[".pdf"])


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(element.kind, element.text) for element in parsed.elements]


def column(left: float, top: float, lines: list[str], *, font: str = "F1", size: float = 10) -> list[Placed]:
    return [(left, top - 12 * number, size, line, font) for number, line in enumerate(lines)]


def prose(seed: int, lines: int) -> list[str]:
    """Lines of about the same width; no sentence ends before the last of them."""
    found = [" ".join(_WORDS[(seed + 3 * n + k) % len(_WORDS)] for k in range(8)) for n in range(lines)]
    return [*found[:-1], found[-1] + "."]


def text_of(lines: list[str]) -> str:
    return " ".join(lines)


def test_columns_are_read_from_left_to_right_in_whatever_order_they_are_drawn(tmp_path: Path) -> None:
    left, right = prose(1, 12), prose(5, 12)
    above, below = "A title over both of the columns of this paper, set wide across them", "And a line below."
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
        parts = [
            [(60.0, 740.0, 10.0, above, "F1")],
            column(60, 700, left),
            column(330, 700, right),
            [(60.0, 500.0, 10.0, below, "F1")],
        ]
        page = [one for number in order for one in parts[number]]
        found = read(documents.placed_pdf(tmp_path / f"{order[0]}{order[1]}.pdf", [page]))
        assert [element.text for element in found.elements] == [above, text_of(left), text_of(right), below]


def test_three_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    every = [[" ".join(line.split()[:5]) for line in prose(seed, 20)] for seed in (1, 4, 7)]
    page = [one for n, lines in enumerate(every) for one in column(42 + 180 * n, 700, lines)]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [sorted(page, key=lambda one: -one[1])]))
    assert found.text.split() == text_of([line for lines in every for line in lines]).split()
    assert {element.kind for element in found.elements} == {"NarrativeText"}


def test_a_table_is_read_by_its_rows(tmp_path: Path) -> None:
    rows = [
        ("Plan", "Price", "Seats"),
        ("Free", "0", "5"),
        ("Premium", "20", "50"),
        ("Ultimate", "99", "500"),
    ]
    page = [
        (60.0 + 150 * x, 700.0 - 14 * y, 10.0, cell, "F1")
        for y, row in enumerate(rows)
        for x, cell in enumerate(row)
    ]
    # Drawn by columns.
    page.sort()
    # The rest of a cell.
    page.append((210.0, 700 - 14 * 4, 10.0, "a month", "F1"))
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [[(60, 740, 10, "What it costs:", "F1"), *page]]))
    assert shape(found) == [
        ("NarrativeText", "What it costs:"),
        ("Table", "Plan | Price | Seats\nFree | 0 | 5\nPremium | 20 | 50\nUltimate | 99 a month | 500"),
    ]


def test_a_word_that_a_line_breaks_is_whole_and_begins_no_paragraph(tmp_path: Path) -> None:
    lines = [
        "This sentence is about the inter-",
        "national treaties that were signed in the last cen-",
        "tury and hold.",
    ]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [column(60, 700, lines)]))
    whole = "about the international treaties that were signed in the last century and hold."
    assert shape(found) == [("NarrativeText", f"This sentence is {whole}")]


def test_a_paragraph_goes_on_in_the_next_column_and_on_the_next_page(tmp_path: Path) -> None:
    whole = prose(2, 30)
    note = (60.0, 480.0, 7.0, "1 A note in smaller type at the foot of the page.", "F1")
    pages = [
        [*column(60, 660, whole[:12]), *column(330, 660, whole[12:24]), note],
        column(60, 660, whole[24:]),
    ]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", pages))
    assert [(e.text, e.page) for e in found.elements] == [(text_of(whole), 1), (note[3], 1)]


def test_of_running_heads_the_first_stays_and_numbers_of_pages_go(tmp_path: Path) -> None:
    pages = [
        [
            (60, 760, 9, "Handbook of things", "F1"),
            (520, 760, 9, f"Page {number}", "F1"),
            *column(60, 700, prose(number, 4)),
            (300, 30, 9, str(number), "F1"),
        ]
        for number in range(1, 6)
    ]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", pages))
    assert found.text.count("Handbook of things") == 1
    assert "Page" not in found.text
    assert len(found.elements) == 6
    two = read(documents.placed_pdf(tmp_path / "b.pdf", pages[:2]))
    assert two.text.count("Handbook of things") == 1
    others = [page[2:-1] for page in pages]
    some = read(documents.placed_pdf(tmp_path / "c.pdf", [*pages[:2], *others]))
    assert some.text.count("Handbook of things") == 2


def test_a_bookmark_is_a_heading_where_its_title_stands_or_where_it_points(tmp_path: Path) -> None:
    page: list[Placed] = [
        (60, 700, 14, "1 First things", "F1"),
        *column(60, 670, prose(1, 3)),
        # The same words, not where the bookmark points.
        (60, 600, 10, "First things", "F1"),
        *column(60, 560, prose(3, 3)),
        (60, 500, 14, "Second things, on two", "F1"),
        (60, 484, 14, "lines", "F1"),
        *column(60, 460, prose(5, 3)),
    ]
    bookmarks = [("First Things", 1, 715.0), ("Second things, on two lines", 1, 515.0), ("A label", 2, 640.0)]
    pages = [page, column(60, 620, prose(7, 3))]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", pages, bookmarks=bookmarks))
    titles = [(e.text.replace("\n", " "), e.page) for e in found.elements if e.kind == "Title"]
    assert titles == [("1 First things", 1), ("Second things, on two lines", 1), ("A label", 2)]
    assert found.elements[-1].heading_path == ("A label",)
    assert ("NarrativeText", "First things") in shape(found)


def test_headings_without_bookmarks_are_numbered_and_set_apart_or_larger(tmp_path: Path) -> None:
    page: list[Placed] = [
        (60, 740, 18, "A study of foxes", "F1"),
        (60, 700, 11, "1 Introduction", "F2"),
        *column(60, 680, prose(1, 3)),
        (60, 600, 11, "1.1 Earlier work", "F2"),
        *column(60, 580, prose(2, 3)),
        (60, 500, 10, "1. Take the fox", "F1"),
        (60, 480, 10, "2. Take the dog", "F1"),
        (60, 400, 11, "2 Methods", "F2"),
        *column(60, 380, prose(4, 3)),
        # Labels of a figure.
        (100, 300, 16, "Fox", "F1"),
        (300, 300, 16, "Dog", "F1"),
        (200, 260, 16, "Wizard", "F1"),
    ]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [page]))
    assert [e.heading_path for e in found.elements if e.kind == "Title"] == [
        ("A study of foxes",),
        ("A study of foxes", "1 Introduction"),
        ("A study of foxes", "1 Introduction", "1.1 Earlier work"),
        ("A study of foxes", "2 Methods"),
    ]
    assert found.title == "A study of foxes"
    assert [e.kind for e in found.elements if "Take" in e.text] == ["ListItem", "ListItem"]


def test_a_heading_whose_line_is_justified_is_no_label(tmp_path: Path) -> None:
    lines = [" ".join(line.split()[:5]) for line in prose(1, 8)]
    page: list[Placed] = [
        *column(60, 700, lines),
        # Both words at the ends of the line.
        (60, 580, 16, "Few", "F2"),
        (165, 580, 16, "observations", "F2"),
        (60, 562, 16, "of foxes", "F2"),
        *column(60, 540, lines),
    ]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [page]))
    assert [e.text for e in found.elements if e.kind == "Title"] == ["Few observations of foxes"]


def test_an_item_goes_on_at_the_margin(tmp_path: Path) -> None:
    lines = prose(1, 3)
    page = [
        *column(60, 740, prose(2, 6)),
        (72, 640, 10, f"1. {lines[0]}", "F1"),
        *column(60, 628, lines[1:]),
        (72, 604, 10, "2. Another.", "F1"),
    ]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [page]))
    assert shape(found)[1:] == [("ListItem", f"1. {text_of(lines)}"), ("ListItem", "2. Another.")]


def test_a_program_keeps_its_lines(tmp_path: Path) -> None:
    code = [(60.0, 600.0, 10.0, "for fox in den:", "F3"), (84.0, 588.0, 10.0, "feed(fox)", "F3")]
    page = [*column(60, 700, prose(1, 3)), *code, (60.0, 500.0, 10.0, "That is all.", "F1")]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [page]))
    assert shape(found)[1] == ("CodeSnippet", "for fox in den:\n    feed(fox)")


def test_what_lies_outside_of_the_visible_page_is_no_text(tmp_path: Path) -> None:
    page = [*column(60, 700, prose(1, 3)), (60.0, 780.0, 8.0, "PREPRESS file.indd 12", "F1")]
    path = documents.placed_pdf(tmp_path / "a.pdf", [page], attributes="/CropBox[30 30 580 760]")
    assert "PREPRESS" not in read(path).text
    assert "fox" in read(path).text


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_is_shown_turned_is_read_as_it_is_shown(tmp_path: Path, turn: int) -> None:
    lines = prose(1, 6)
    path = documents.placed_pdf(tmp_path / "a.pdf", [column(60, 700, lines)], attributes=f"/Rotate {turn}")
    found = read(path).text
    assert sorted(found.split()) == sorted(text_of(lines).split())


def test_a_page_in_landscape_has_columns_and_tables_too(tmp_path: Path) -> None:
    left, right = prose(1, 8), prose(5, 8)
    page = [*column(400, 500, right), *column(60, 500, left)]
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [page], landscape=True))
    assert [element.text for element in found.elements] == [text_of(left), text_of(right)]


def test_elements_name_pages_and_nothing_else(tmp_path: Path) -> None:
    found = read(documents.placed_pdf(tmp_path / "a.pdf", [column(60, 700, prose(1, 3))]))
    assert found.elements == (Element(text_of(prose(1, 3)), "NarrativeText", (), 1),)


def mapped(path: Path, codes: str, content: str) -> Path:
    """A page whose font says that A, B and C are these characters, as UTF-16 in hexadecimal."""
    lines = "".join(f"<{65 + n:X}> <{code}>\n" for n, code in enumerate(codes.split()))
    table = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /A def /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(codes.split())} beginbfchar\n{lines}endbfchar endcmap end end"
    )
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 1 0 R>>"
    return documents.drawn_pdf(
        path, content, objects=[("", table.encode()), font], resources="/Font<</F1 2 0 R>>"
    )


def test_characters_beyond_sixteen_bits_are_whole(tmp_path: Path) -> None:
    content = "BT /F1 10 Tf 60 700 Td (ABC    C) Tj ET BT /F1 10 Tf 60 600 Td (A) Tj ET"
    path = mapped(tmp_path / "a.pdf", "D835DC5D D83DDE00 0078", content)
    assert read(path).text.split() == ["\U0001d45d\U0001f600x", "x", "\U0001d45d"]


def test_text_from_right_to_left_is_read_so(tmp_path: Path) -> None:
    # alef, bet, gimel: drawn from left to right, as they stand on the page.
    content = "BT /F1 10 Tf 60 700 Td (C BA CBA) Tj ET BT /F1 10 Tf 60 680 Td (CC BB AA) Tj ET"
    path = mapped(tmp_path / "a.pdf", "05D0 05D1 05D2", content)
    found = read(path).text.split()
    assert found == ["אבג", "אב", "ג", "אא", "בב", "גג"]
