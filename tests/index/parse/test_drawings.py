"""Words that are drawn: charts, diagrams, boxes and formulas; and Office files of other flavours."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from pptx.chart import data as chart_data
from pptx.chart import xmlwriter
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Emu, Inches

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from index.parse.readers import slides, tables
from index.parse.readers.drawing import diagram
from tests import documents
from tests.readers import parse

#: python-pptx writes sheets of charts with it.
xlsxwriter: Any = pytest.importorskip("xlsxwriter")
CategoryChartData: Any = chart_data.CategoryChartData
ChartXmlWriter: Any = xmlwriter.ChartXmlWriter

ROWS = "| North | South\nQ1 | 10% | 0.5\nQ2 | 20% | 0.25"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def texts(parsed: Parsed) -> list[str]:
    return [element.text for element in parsed.elements]


def sales() -> Any:
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("North", (0.1, 0.2), number_format="0%")
    data.add_series("South", (0.5, 0.25))
    return data


def slide_of(show: Any) -> Any:
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Sales"
    return slide


def read_slides(show: Any, path: Path) -> Parsed:
    show.save(str(path))
    return slides.parse(path, BY_SUFFIX[".pptx"])


def test_a_chart_on_a_slide(tmp_path: Path) -> None:
    show = pptx.Presentation()
    frame = slide_of(show).shapes.add_chart(
        XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(3), Inches(4), Inches(3), sales()
    )
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "By\vquarter"
    frame.chart.value_axis.has_title = True
    frame.chart.value_axis.axis_title.text_frame.text = "Share"
    found = read_slides(show, tmp_path / "a.pptx")
    assert texts(found) == ["Sales", "By quarter\nShare", ROWS]
    assert {element.heading_path for element in found.elements} == {("Sales",)}


def test_a_curve_of_many_points_has_its_names_alone(tmp_path: Path) -> None:
    data = CategoryChartData()
    data.categories = [f"day {n}" for n in range(400)]
    data.add_series("Level", range(400))
    show = pptx.Presentation()
    slide_of(show).shapes.add_chart(XL_CHART_TYPE.LINE, 0, Inches(3), Inches(4), Inches(3), data)
    assert texts(read_slides(show, tmp_path / "a.pptx")) == ["Sales", "| Level"]


def test_a_chart_in_word_stands_behind_its_paragraph(tmp_path: Path) -> None:
    document = docx.Document()
    before = document.add_paragraph("Before the chart.")
    document.add_paragraph("After the chart.")
    xml = ChartXmlWriter(XL_CHART_TYPE.COLUMN_CLUSTERED, sales()).xml
    kind = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
    part = Part(PackURI("/word/charts/chart1.xml"), kind, xml.encode(), document.part.package)
    number = document.part.relate_to(part, f"{_RELATIONS}/chart")
    before.add_run()._r.append(
        parse_xml(
            '<w:drawing xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
            ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphic><a:graphicData>'
            '<c:chart xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
            f' xmlns:r="{_RELATIONS}" r:id="{number}"/></a:graphicData></a:graphic></w:drawing>'
        )
    )
    document.save(str(tmp_path / "a.docx"))
    found = parse(tmp_path / "a.docx", BY_SUFFIX[".docx"])
    assert texts(found) == ["Before the chart.", ROWS, "After the chart."]


def test_a_chart_of_a_sheet_repeats_no_cells(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    sheet = book.add_worksheet("Data")
    sheet.write_column(0, 0, ["Year", 2019, 2020])
    sheet.write_column(0, 1, ["Ducks", 5, 6])
    for number, place in enumerate((sheet, book.add_worksheet("Drawn"), book.add_chartsheet("Alone"))):
        chart = book.add_chart({"type": "line"})
        chart.add_series({"categories": "=Data!$A$2:$A$3", "values": "=Data!$B$2:$B$3", "name": "=Data!$B$1"})
        chart.set_title({"name": f"Chart {number}"})
        chart.set_y_axis({"name": "Birds"})
        if number < 2:
            place.insert_chart("D2", chart)
        else:
            place.set_chart(chart)
    sheet.insert_textbox("D30", "Counted at dawn.")
    book.close()
    found = tables.parse(tmp_path / "a.xlsx", BY_SUFFIX[".xlsx"])
    assert [(element.heading_path[-1], element.text) for element in found.elements] == [
        ("Data", "Data"),
        ("Data", "Year | Ducks\n2019 | 5\n2020 | 6"),
        ("Data", "Chart 0\nBirds"),
        ("Data", "Counted at dawn."),
        ("Drawn", "Drawn"),
        ("Drawn", "Chart 1\nBirds"),
        ("Alone", "Alone"),
        ("Alone", "Chart 2\nBirds"),
    ]
    broken = (
        ("Chart 0", "Chart</a:t></a:r><a:br/><a:r><a:t>0"),
        ("at dawn", "at</a:t></a:r><a:br/><a:r><a:t>dawn"),
    )
    found = tables.parse(rewritten(tmp_path / "a.xlsx", tmp_path / "b.xlsx", *broken), BY_SUFFIX[".xlsx"])
    assert texts(found)[2:4] == ["Chart 0\nBirds", "Counted at\ndawn."]


def test_a_diagram_is_read_from_the_top_of_its_tree() -> None:
    def point(name: str, kind: str = "node") -> str:
        return f'<pt modelId="{name}" type="{kind}"><t><p><r><t>{name}</t></r></p></t></pt>'

    def line(above: str, below: str, order: int, kind: str = "parOf") -> str:
        return f'<cxn type="{kind}" srcId="{above}" destId="{below}" srcOrd="{order}"/>'

    points = "".join(map(point, ("root", "second", "leaf", "first")))
    lines = line("doc", "root", 0) + line("root", "second", 1) + line("root", "first", 0)
    lines += line("first", "leaf", 0) + line("leaf", "root", 0, "presOf")
    model = f'<dataModel><pt modelId="doc" type="doc"/>{points}{point("no", "parTrans")}{lines}</dataModel>'
    from lxml import etree

    assert diagram(etree.fromstring(model)).labels == ["root", "first", "leaf", "second"]


def test_shapes_are_read_as_they_lie_on_the_slide(tmp_path: Path) -> None:
    show = pptx.Presentation()
    slide = slide_of(show)

    def box(shapes: Any, left: float, top: float, text: str) -> None:
        shapes.add_textbox(Inches(left), Inches(top), Inches(1), Inches(1)).text_frame.text = text

    box(slide.shapes, 1, 6, "last")
    box(slide.shapes, 5, 3.01, "right")
    box(slide.shapes, 1, 3.05, "left\vbelow")
    box(slide.shapes, -0.3, 2, "over the edge")
    group = slide.shapes.add_group_shape()
    box(group.shapes, 1, 1, "in a group")
    # The group is drawn elsewhere, and half as large.
    frame = group._element.grpSpPr.xfrm
    frame.off.y, frame.ext.cy = Inches(5), Emu(frame.ext.cy // 2)
    found = read_slides(show, tmp_path / "a.pptx")
    assert texts(found) == ["Sales", "over the edge", "left\nbelow", "right", "in a group", "last"]


def test_footers_stay_once_and_numbers_of_slides_go(tmp_path: Path) -> None:
    show = pptx.Presentation()
    for number in range(3):
        slide = slide_of(show)
        for kind, text in (("ftr", "Confidential"), ("sldNum", str(number)), ("dt", "1 May")):
            box = slide.shapes.add_textbox(0, Inches(7), Inches(1), Inches(1))
            box.text_frame.text = text
            holder = parse_xml(
                f'<p:ph xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" type="{kind}"/>'
            )
            box._element.nvSpPr.find("{*}nvPr").append(holder)
    assert texts(read_slides(show, tmp_path / "a.pptx")) == ["Sales", "Confidential", "Sales", "Sales"]


def test_word_formulas_are_text_and_hidden_runs_are_none(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Area ")
    formula = "".join(f"<m:r><m:t>{text}</m:t></m:r>" for text in ("A=", "πr"))
    paragraph._p.append(
        parse_xml(
            '<m:oMathPara xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math">'
            f"<m:oMath>{formula}</m:oMath></m:oMathPara>"
        )
    )
    paragraph.add_run(" of a circle.")
    paragraph.add_run(" Secret.").font.hidden = True
    document.save(str(tmp_path / "a.docx"))
    assert texts(parse(tmp_path / "a.docx", BY_SUFFIX[".docx"])) == ["Area A=πr of a circle."]


def test_notes_in_word_are_read_as_its_text_is(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    said = (
        "<w:r><w:t>See</w:t><w:tab/><w:t>appendix</w:t><w:br/><w:t>two</w:t><w:cr/><w:t>three</w:t></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>"
        "<w:hyperlink><w:r><w:t> there</w:t></w:r></w:hyperlink>"
    )
    notes = (
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:footnote w:type="separator"><w:p><w:r><w:t>no</w:t></w:r></w:p></w:footnote>'
        '<w:footnote w:id="2"><w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr>'
        f"{said}</w:p><w:p><w:r><w:t>four</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, notes.encode(), document.part.package)
    document.part.relate_to(part, f"{_RELATIONS}/footnotes")
    document.save(str(tmp_path / "a.docx"))
    found = texts(parse(tmp_path / "a.docx", BY_SUFFIX[".docx"]))
    assert found == ["Text.", "See\tappendix\ntwo\nthree there\nfour"]


def test_a_style_that_is_based_on_a_heading_is_one(tmp_path: Path) -> None:
    document = docx.Document()
    own = document.styles.add_style("Kapitel", 1)
    own.base_style = document.styles["Heading 2"]
    document.add_paragraph("Part", "Heading 1")
    document.add_paragraph("Leave", "Kapitel")
    document.add_paragraph("Thirty days.")
    document.save(str(tmp_path / "a.docx"))
    found = parse(tmp_path / "a.docx", BY_SUFFIX[".docx"])
    assert found.elements[-1].heading_path == ("Part", "Leave")


def rewritten(path: Path, target: Path, *changes: tuple[str, str]) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            for found, other in changes:
                data = re.sub(found.encode(), other.encode(), data)
            new.writestr(name, data)
    return target


STRICT = (
    r"http://schemas\.openxmlformats\.org/(officeDocument|wordprocessingml|drawingml|presentationml"
    r"|spreadsheetml)/2006/",
    r"http://purl.oclc.org/ooxml/\1/",
)


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_the_strict_flavour_is_read(suffix: str, tmp_path: Path) -> None:
    plain = tmp_path / f"plain{suffix}"
    if suffix == ".docx":
        documents.docx(plain, [("Heading 1", "Leave"), ("Normal", "Thirty days.")])
    elif suffix == ".pptx":
        documents.pptx(plain, [("Leave", "Thirty days.", "")])
    else:
        documents.xlsx(plain, {"Leave": [["Days", 30]]})
    format = BY_SUFFIX[suffix]
    strict = rewritten(plain, tmp_path / f"strict{suffix}", STRICT)
    assert texts(parse(strict, format)) == texts(parse(plain, format)) != []


def test_templates_and_shows_are_read(tmp_path: Path) -> None:
    document = documents.docx(tmp_path / "a.docx", [("Normal", "A letter.")])
    template = rewritten(
        document, tmp_path / "b.docx", (r"wordprocessingml\.document\.main", "wordprocessingml.template.main")
    )
    assert texts(parse(template, BY_SUFFIX[".docx"])) == ["A letter."]
    deck = documents.pptx(tmp_path / "a.pptx", [("Leave", "", "")])
    show = rewritten(
        deck,
        tmp_path / "b.pptx",
        (r"presentationml\.presentation\.main", "presentationml.slideshow.main"),
    )
    assert texts(slides.parse(show, BY_SUFFIX[".pptx"])) == ["Leave"]


def test_a_workbook_with_broken_styles_keeps_its_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Plan", 0.5])
    book.save(tmp_path / "a.xlsx")
    broken = rewritten(tmp_path / "a.xlsx", tmp_path / "b.xlsx", (r'<cellStyle name="Normal"', "<cellStyle"))
    assert texts(tables.parse(broken, BY_SUFFIX[".xlsx"]))[1:] == ["Plan | 0.5"]


def test_what_is_written_beside_a_word_is_none(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("In ")
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ruby = "<w:rt><w:r><w:t>tokyo</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase>"
    paragraph._p.append(parse_xml(f"<w:r {word}><w:ruby>{ruby}</w:ruby></w:r>"))
    paragraph.add_run(" wohnen.")
    document.save(str(tmp_path / "a.docx"))
    assert texts(parse(tmp_path / "a.docx", BY_SUFFIX[".docx"])) == ["In 東京 wohnen."]
