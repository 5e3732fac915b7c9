"""OpenDocument text: merged cells, charts, references, and what is no text."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from index.parse.outline import Unreadable
from index.parse.readers import opendocument
from tests import documents

URN = "urn:oasis:names:tc:opendocument:xmlns"


def read(path: Path) -> Parsed:
    return opendocument.parse(path, BY_SUFFIX[".odt"])


def cell(text: str, spans: str = "") -> str:
    return f"<table:table-cell {spans}><text:p>{text}</text:p></table:table-cell>"


def test_cells_under_merged_ones_keep_their_columns(tmp_path: Path) -> None:
    covered = "<table:covered-table-cell/>"
    rows = [
        "".join(map(cell, ("Plan", "Price", "Seats"))),
        cell("Free", 'table:number-rows-spanned="2"') + cell("0") + cell("5"),
        covered + cell("10") + cell("7"),
        cell("Premium") + cell("20", 'table:number-columns-spanned="2"') + covered,
        cell("none", 'table:number-columns-repeated="3"'),
        '<table:table-cell table:number-columns-repeated="16384"/>',
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    path = documents.odt(tmp_path / "a.odt", f"<table:table>{table}</table:table>")
    (found,) = read(path).elements
    assert found.text == ("Plan | Price | Seats\nFree | 0 | 5\n | 10 | 7\nPremium | 20\nnone | none | none")


def test_a_table_inside_a_cell_is_the_text_of_the_cell(tmp_path: Path) -> None:
    def table(*rows: str) -> str:
        inner = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
        return f"<table:table><table:table-rows>{inner}</table:table-rows></table:table>"

    inner = table(cell("w1") + cell("w2"), cell("w3"))
    whole = table(cell("w4") + cell("w5") + f"<table:table-cell>{inner}</table:table-cell>", cell("w6"))
    (found,) = read(documents.odt(tmp_path / "a.odt", whole)).elements
    assert found.text == "w4 | w5 | w1 | w2 w3\nw6"


def test_references_are_text_and_templates_of_indexes_are_none(tmp_path: Path) -> None:
    body = (
        "<text:p>See <text:bookmark-ref>Leave</text:bookmark-ref>"
        "<text:hidden-text>gone</text:hidden-text>.</text:p>"
        "<text:table-of-content><text:table-of-content-source><text:index-entry-span>, , "
        "</text:index-entry-span></text:table-of-content-source><text:index-body><text:p>Leave 3</text:p>"
        "</text:index-body></text:table-of-content>"
    )
    found = read(documents.odt(tmp_path / "a.odt", body))
    assert [element.text for element in found.elements] == ["See Leave.", "Leave 3"]


def test_a_chart_stands_behind_its_paragraph(tmp_path: Path) -> None:
    rows = "".join(
        f"<table:table-row>{''.join(map(cell, row))}</table:table-row>"
        for row in (("", "North"), ("Q1", "10"), ("Q2", "20"))
    )
    chart = (
        f'<office:document-content xmlns:office="{URN}:office:1.0" xmlns:chart="{URN}:chart:1.0"'
        f' xmlns:text="{URN}:text:1.0" xmlns:table="{URN}:table:1.0"><office:body><office:chart>'
        "<chart:chart><chart:title><text:p>Sales<text:line-break/>in</text:p><text:p>2025</text:p></chart:title><chart:plot-area><chart:axis>"
        "<chart:title><text:p>Quarter</text:p></chart:title></chart:axis></chart:plot-area>"
        f"<table:table>{rows}</table:table></chart:chart></office:chart></office:body>"
        "</office:document-content>"
    )
    body = (
        f'<text:p>Before<draw:frame xmlns:draw="{URN}:drawing:1.0"><draw:object'
        ' xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="./Object 1"/></draw:frame>.</text:p>'
        "<text:p>After.</text:p>"
    )
    path = documents.odt(tmp_path / "a.odt", body)
    with zipfile.ZipFile(path, "a") as book:
        book.writestr("Object 1/content.xml", chart)
    texts = [element.text for element in read(path).elements]
    assert texts == ["Before.", "Sales in 2025\nQuarter", "| North\nQ1 | 10\nQ2 | 20", "After."]


def test_a_number_that_is_none_is_one(tmp_path: Path) -> None:
    def numbered(number: str) -> str:
        repeated = f'table:number-columns-repeated="{number}"'
        return (
            f'<text:h text:outline-level="{number}">Head</text:h>'
            f'<text:p>Two<text:s text:c="{number}"/>words</text:p>'
            f"<table:table><table:table-row>{cell('a', repeated)}{cell('b')}</table:table-row></table:table>"
        )

    for name, number in enumerate(("", "many", "-2", "9" * 5000)):
        found = read(documents.odt(tmp_path / f"{name}.odt", numbered(number))).elements
        assert [(one.kind, one.text) for one in found[:2]] == [
            ("Title", "Head"),
            ("NarrativeText", "Two words"),
        ]
        assert found[2].text == "a | b"


def test_readings_beside_words_are_no_text(tmp_path: Path) -> None:
    ruby = "<text:ruby><text:ruby-base>{}</text:ruby-base><text:ruby-text>{}</text:ruby-text></text:ruby>"
    body = f"<text:p>{ruby.format('田', 'た')}{ruby.format('中', 'なか')}さん</text:p>"
    (found,) = read(documents.odt(tmp_path / "a.odt", body)).elements
    assert found.text == "田中さん"


def test_a_formula_stands_in_its_sentence(tmp_path: Path) -> None:
    formula = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics>\n <mrow><mi>E</mi><mo>=</mo>\n'
        "  <mi>m</mi><mo>\u2062</mo><msup><mi>c</mi><mn>2</mn></msup><mtext> if so</mtext></mrow>"
        '<annotation encoding="StarMath 5.0">E = m c^2</annotation></semantics></math>'
    )
    held = (
        f'<draw:frame xmlns:draw="{URN}:drawing:1.0"><draw:object'
        ' xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="./Object 1"/></draw:frame>'
    )
    path = documents.odt(tmp_path / "a.odt", f"<text:p>That {held} holds, and {held} again.</text:p>")
    with zipfile.ZipFile(path, "a") as book:
        book.writestr("Object 1/content.xml", formula)
    assert [one.text for one in read(path).elements] == ["That E=mc2 if so holds, and E=mc2 if so again."]


def test_what_is_encrypted_says_so_before_it_is_read(tmp_path: Path) -> None:
    path = documents.odt(tmp_path / "a.odt", "", encrypted=True)
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    documents.zipped(tmp_path / "b.odt", {**parts, "content.xml": b"\x00\x8f\x12"})
    with pytest.raises(Unreadable, match="password"):
        read(tmp_path / "b.odt")
