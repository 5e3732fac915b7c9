"""Cells stand under their headers, whatever is merged, and say what a reader sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from pptx.util import Inches

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from index.parse.readers import html, slides, tables
from index.parse.readers.grid import Cell, cell, grid
from tests.readers import parse

#: python-pptx writes sheets of charts with it.
xlsxwriter: Any = pytest.importorskip("xlsxwriter")

ROWS = [["Plan", "Price", "Seats"], ["Free", "0", "5"], ["", "10", "7"], ["Premium", "", "50"]]
#: The plan reaches over two rows, and the last row's price over two columns.
MERGED = "Plan | Price | Seats\nFree | 0 | 5\n | 10 | 7\nPremium | 20"


def table_of(parsed: Parsed) -> str:
    (found,) = [element.text for element in parsed.elements if element.kind == "Table"]
    return found


def test_cells_that_reach_over_others_leave_them_empty() -> None:
    assert grid(
        [[Cell("a", across=2), Cell("b")], [Cell("c", down=3), Cell("d"), Cell("e")], [Cell("f")]]
    ) == [
        ["a", "", "b"],
        ["c", "d", "e"],
        ["", "f"],
    ]
    assert grid([[Cell("a", down=0), Cell("b")], [Cell("c")], [Cell("d")]]) == [
        ["a", "b"],
        ["", "c"],
        ["", "d"],
    ]
    assert grid([[Cell("a"), Cell("b", across=2, down=2), Cell("c")], [Cell("d"), Cell("e")]]) == [
        ["a", "b", "", "c"],
        ["d", "", "", "e"],
    ]


@pytest.mark.parametrize("span", ["x", "", "-1", "0", "100000", None])
def test_a_span_that_is_none_is_one_column(span: str | None) -> None:
    assert cell("a", span, None) == Cell("a")


def test_html(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<table><tr><th>Plan<th>Price<th>Seats<tr><td rowspan=2>Free<td>0<td>5<tr><td>10<td>7"
        "<tr><td>Premium<td colspan=2>20</table>"
    )
    assert table_of(html.parse(tmp_path / "a.html", BY_SUFFIX[".html"])) == MERGED


def _filled(table: Any) -> None:
    for number, row in enumerate(ROWS):
        for column, text in enumerate(row):
            table.cell(number, column).text = text
    table.cell(3, 2).text = ""
    table.cell(3, 1).text = "20"
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 1).merge(table.cell(3, 2))


def test_word(tmp_path: Path) -> None:
    document = docx.Document()
    _filled(document.add_table(4, 3))
    document.save(str(tmp_path / "a.docx"))
    assert table_of(parse(tmp_path / "a.docx", BY_SUFFIX[".docx"])) == MERGED


def test_slides(tmp_path: Path) -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Plans"
    slide.element.set("show", "0")
    _filled(slide.shapes.add_table(4, 3, 0, Inches(3), Inches(5), Inches(3)).table)
    show.save(str(tmp_path / "a.pptx"))
    found = slides.parse(tmp_path / "a.pptx", BY_SUFFIX[".pptx"])
    assert table_of(found) == MERGED
    assert found.elements[0].text == "Plans (hidden)"


def test_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    shown = [
        ("share", 0.125, "0.0%", "12.5%"),
        ("euro", 1234.5, "#,##0.00 [$€-407]", "1234.5 €"),
        ("dollar", -20, '"$"#,##0', "-$20"),
        ("franc", 12, "[$CHF] #,##0", "CHF 12"),
        ("accounts", 7, "_-* #,##0.00 €_-;-* #,##0.00 €_-", "7 €"),
        ("words", 0.5, '"100% sure" 0.0', "0.5"),
        ("plain", 3.0, "0.00", "3"),
        ("yes", True, "0%", "TRUE"),
    ]
    for number, (name, value, style, _) in enumerate(shown, start=1):
        sheet.cell(number, 1, name)
        sheet.cell(number, 2, value).number_format = style
    aside = book.create_sheet("Aside")
    aside.append(["kept", "apart"])
    aside.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    found = tables.parse(tmp_path / "a.xlsx", BY_SUFFIX[".xlsx"])
    first, second = [element.text for element in found.elements if element.kind == "Table"]
    assert first.split("\n") == [f"{name} | {text}" for name, _, _, text in shown]
    assert (second, found.elements[-1].heading_path) == ("kept | apart", ("Aside (hidden)",))


PAGE = """<html><body><header><h1>Leave</h1></header><nav><a href=/>Home</a> <a href=/all>All pages</a></nav>
{main}<aside>Related pages</aside><footer>Imprint and terms</footer></body></html>"""


def test_of_a_page_with_a_main_part_only_that_is_read(tmp_path: Path) -> None:
    text = "Thirty days a year. " * 20
    said = {
        "one": f"<main><p>{text}</p></main>",
        "role": f"<div role=main><p>{text}</p></div>",
        "article": f"<article><p>{text}</p></article>",
        "two": f"<article><p>{text}</p></article><article><p>Another.</p></article>",
        "small": f"<main><p>Little.</p></main><p>{text}</p>",
        "none": f"<p>{text}</p>",
    }
    whole = set()
    for name, main in said.items():
        (tmp_path / f"{name}.html").write_text(PAGE.format(main=main))
        found = html.parse(tmp_path / f"{name}.html", BY_SUFFIX[".html"])
        assert found.title == "Leave" and "Thirty days" in found.text
        assert [link.target for link in found.links] == ["/", "/all"]
        if "Imprint" in found.text:
            assert "All pages" in found.text
            whole.add(name)
    assert whole == {"two", "small", "none"}


@pytest.mark.parametrize("shared", [False, True])
def test_breaks_that_excel_escapes_keep_words_apart(tmp_path: Path, shared: bool) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"), {"constant_memory": not shared})
    # Strings in the sheet keep the escape of what looks like one; of shared ones openpyxl takes it away.
    book.add_worksheet().write_row(0, 0, ["Anna\r\nMeier\rWien", "a\x0bb", "_x0041_"])
    book.close()
    found = tables.parse(tmp_path / "a.xlsx", BY_SUFFIX[".xlsx"])
    assert table_of(found) == "Anna Meier Wien | a b | _x0041_"


def test_hidden_rows_and_columns_of_sheets_are_marked(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    sheet = book.add_worksheet()
    for number, row in enumerate([["Plan", "Price", "Cost"], ["Free", 0, 1], ["Gold", 9, 4]]):
        sheet.write_row(number, 0, row)
    sheet.set_row(1, None, None, {"hidden": True})
    sheet.set_column(2, 5, None, None, {"hidden": True})
    book.close()
    found = tables.parse(tmp_path / "a.xlsx", BY_SUFFIX[".xlsx"])
    assert table_of(found) == "Plan | Price | Cost (hidden)\nFree | 0 | 1 | (hidden)\nGold | 9 | 4"
