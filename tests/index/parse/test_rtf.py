"""Rich Text Format as programs of three decades write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from index.parse.outline import Unreadable
from index.parse.readers import rtf


def read(folder: Path, body: str | bytes, head: str = r"\ansi\ansicpg1252\deff0") -> Parsed:
    path = folder / "a.rtf"
    data = body if isinstance(body, bytes) else body.encode("latin-1")
    path.write_bytes(b"{\\rtf1" + head.encode() + data + b"}")
    return rtf.parse(path, BY_SUFFIX[".rtf"])


def texts(parsed: Parsed) -> list[str]:
    return [element.text for element in parsed.elements]


def escaped(text: str, page: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode(page))


@pytest.mark.parametrize(
    ("text", "charset", "page"),
    [
        ("Příliš žluťoučký kůň", 238, "cp1250"),
        ("Уважаемый клиент", 204, "cp1251"),
        ("Καλημέρα κόσμε", 161, "cp1253"),
        ("こんにちは、世界", 128, "cp932"),
        ("안녕하세요", 129, "cp949"),
        ("你好，世界", 134, "gbk"),
        ("שלום עולם", 177, "cp1255"),
    ],
)
def test_a_text_is_in_the_code_page_of_its_font(text: str, charset: int, page: str, tmp_path: Path) -> None:
    fonts = rf"{{\fonttbl{{\f0\fcharset0 Arial;}}{{\f1\fcharset{charset} Arial X;}}}}"
    body = rf"{fonts}\pard caf\'e9 {{\f1 {escaped(text, page)}}} caf\'e9\par"
    assert texts(read(tmp_path, body)) == [f"café {text} café"]
    # The bytes themselves, and the code page of the whole file.
    whole = f"\\ansi\\ansicpg{page.removeprefix('cp').replace('gbk', '936')}"
    assert texts(read(tmp_path, b"\\pard " + text.encode(page) + b"\\par", whole)) == [text]


def test_unicode_stands_for_what_follows_it(tmp_path: Path) -> None:
    body = r"\uc1 \u8364? \u-10179?\u-8704? {\uc2 \u8211\'82\'a0 end}{\upr{old}{\*\ud{\uc0 n\u232 w}}}\par"
    assert texts(read(tmp_path, body)) == ["€ 😀 – endnèw"]


def test_headings_by_style_and_by_level(tmp_path: Path) -> None:
    styles = r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s5\b Heading 2;}{\s6 Title;}}"
    body = r"\pard\s1 One\par\pard Text.\par\pard\s5 Two\par\pard\outlinelevel2 Three\par\pard Deep.\par"
    found = read(tmp_path, styles + body)
    assert [(e.text, e.heading_path) for e in found.elements if e.kind != "Title"] == [
        ("Text.", ("One",)),
        ("Deep.", ("One", "Two", "Three")),
    ]
    assert found.title == "One"


ROWS = [["Plan", "Price", "Seats"], ["Free", "0", "5"], ["", "10", "7"], ["Premium", "20", ""]]
MERGED = "Plan | Price | Seats\nFree | 0 | 5\n | 10 | 7\nPremium | 20"


def test_merged_cells_by_their_marks(tmp_path: Path) -> None:
    marks = [["", "", ""], [r"\clvmgf", "", ""], [r"\clvmrg", "", ""], ["", r"\clmgf", r"\clmrg"]]
    body = ""
    for cells, merges in zip(ROWS, marks, strict=True):
        body += r"\trowd\trgaph108" + "".join(
            rf"{mark}\clbrdrt\cellx{2000 * n}" for n, mark in enumerate(merges, start=1)
        )
        body += "".join(rf"\pard\intbl {cell}\cell" for cell in cells) + r"\row" + "\n"
    found = read(tmp_path, rf"\pard Before.\par {body}\pard After.\par")
    assert texts(found) == ["Before.", MERGED, "After."]


def test_merged_cells_by_their_edges(tmp_path: Path) -> None:
    edges = [(2000, 4000, 6000), (2000, 4010, 6000), (1990, 4000, 6000), (2000, 6000)]
    body = ""
    for cells, row in zip(ROWS, edges, strict=True):
        # As Word writes: the row is described before its cells and behind them.
        described = r"\trowd" + "".join(rf"\cellx{edge}" for edge in row)
        said = "".join(rf"{cell}\cell " for cell in cells[: len(row)])
        body += rf"{described}\pard\intbl {{{said}}}{{{described}\row}}"
    found = read(tmp_path, rf"{body}\pard\plain After.\par")
    assert texts(found) == [MERGED, "After."]


def test_what_is_no_text_is_left_out(tmp_path: Path) -> None:
    body = (
        r"{\header Every page}{\info{\title Known}{\author Ann}{\creatim\yr2021\mo3\dy4\hr5\min6}}"
        r"{\pict\pngblip 89504e47}{\*\generator Word;}{\*\unknown gone}\pard Seen"
        r"{\v  hidden}{\deleted  struck}{\*\annotation why?}{\field{\*\fldinst HYPERLINK x}{\fldrslt  link}}"
        r" {\bin5 }}}}}text{\xe{\v index}}{\footnote A note.}.\par"
        r"{\shp{\*\shpinst{\sp{\sn shapeType}{\sv 202}}{\shptxt\pard In a box.\par}}{\shprslt gone}}"
        r"\pard{\listtext 1.\tab}\ls1 Point\line two\par"
    )
    found = read(tmp_path, body)
    assert [(e.kind, e.text) for e in found.elements] == [
        ("NarrativeText", "Seen link text."),
        ("ListItem", "Point\ntwo"),
        ("NarrativeText", "In a box."),
        ("NarrativeText", "A note."),
    ]
    assert found.title == "Known"
    assert dict(found.properties) == {"author": "Ann", "created": "2021-03-04T05:06:00"}


def test_text_around_a_file_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(rb"{\rtf1 {\b Half a sen")
    assert texts(rtf.parse(path, BY_SUFFIX[".rtf"])) == ["Half a sen"]
    path.write_bytes(b"{\\rtf1 Whole.\\par}\x00\x01 rubbish")
    assert texts(rtf.parse(path, BY_SUFFIX[".rtf"])) == ["Whole."]
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(Unreadable, match="no RTF file"):
        rtf.parse(path, BY_SUFFIX[".rtf"])
