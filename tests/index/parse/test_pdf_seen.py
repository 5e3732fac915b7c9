"""PDF: no text that a reader does not see: hidden layers, invisible text, marks for printers."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from tests import documents
from tests.readers import parse

#: A picture of one grey dot.
DOT = ("/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8", b"\x80")


def read(path: Path) -> Parsed:
    return parse(path, BY_SUFFIX[".pdf"])


def said(height: int, text: str, before: str = "") -> str:
    return f"BT /F1 10 Tf {before} 60 {height} Td ({text}) Tj ET\n"


def layered(path: Path, default: str) -> Path:
    """A page with texts in and outside of two layers: marked, as a form, under conditions."""
    form = "/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</Font<</F1 9 0 R>>>>/OC {} 0 R"
    condition = "<</Type/OCMD/OCGs[1 0 R 2 0 R]/P/AllOn>>"
    objects: list[str | tuple[str, bytes]] = [
        "<</Type/OCG/Name(First)>>",
        "<</Type/OCG/Name(Second)>>",
        (form.format(1), said(600, "form of the first").encode()),
        (form.format(2), said(580, "form of the second").encode()),
        condition,
        "<</Type/OCMD/VE[/And 1 0 R[/Not 2 0 R]]>>",
        "<</Type/OCMD/OCGs[1 0 R 2 0 R]>>",
        # Its resources have the layers, too.
        (
            "/Type/XObject/Subtype/Form/BBox[0 0 612 792]"
            "/Resources<</Font<</F1 9 0 R>>/Properties<</P1 1 0 R/P2 2 0 R>>>>",
            f"{said(560, 'outside')}/OC/P2 BDC {said(540, 'within a form')} EMC".encode(),
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    content = (
        said(700, "always")
        + f"/OC /M1 BDC {said(680, 'mark of the first')} EMC\n"
        + f"/OC /M2 BDC /Span BMC {said(660, 'mark of the second')} EMC EMC {said(650, 'after it')}\n"
        + f"/OC /M3 BDC {said(640, 'both')} EMC /OC /M4 BDC {said(630, 'one alone')} EMC\n"
        + f"/OC /M5 BDC {said(620, 'any')} EMC /X1 Do /X2 Do /X3 Do\n"
    )
    return documents.drawn_pdf(
        path,
        content,
        objects=objects,
        resources="/Properties<</M1 1 0 R/M2 2 0 R/M3 5 0 R/M4 6 0 R/M5 7 0 R>>"
        "/XObject<</X1 3 0 R/X2 4 0 R/X3 8 0 R>>",
        catalog=f"/OCProperties<</OCGs[1 0 R 2 0 R]/D<<{default}>>>>",
    )


FIRST = {"mark of the first", "form of the first"}
SECOND = {"mark of the second", "form of the second", "within a form"}


@pytest.mark.parametrize(
    ("default", "gone"),
    [
        ("/OFF[2 0 R]", SECOND | {"both"}),
        ("/OFF[1 0 R]", FIRST | {"both", "one alone"}),
        ("/BaseState/OFF/ON[1 0 R]", SECOND | {"both"}),
        ("/BaseState/OFF", FIRST | SECOND | {"both", "one alone", "any"}),
    ],
)
def test_what_hidden_layers_draw_is_no_text(tmp_path: Path, default: str, gone: set[str]) -> None:
    found = read(layered(tmp_path / "a.pdf", default)).text
    every = FIRST | SECOND | {"always", "after it", "outside", "both", "one alone", "any"}
    assert {text for text in every if text not in found} == gone


def test_a_document_is_read_whole_when_its_layers_cannot_be_told(tmp_path: Path) -> None:
    path = layered(tmp_path / "a.pdf", "/OFF[2 0 R]")
    path.write_bytes(path.read_bytes().replace(b"/OCGs[1 0 R 2 0 R]/D<<", b"/OCGs[1 0 R 2 0 R]/D 77"))
    from index.parse.readers.pdf import layers

    assert layers.without_hidden(path) is None
    assert "mark of the second" in read(path).text


@pytest.mark.parametrize("default", ["", "/OFF[1 0 R]"])
def test_a_hidden_annotation_is_none(tmp_path: Path, default: str) -> None:
    entries = "/Type/XObject/Subtype/Form/BBox[0 0 300 20]/Resources<</Font<</F1 3 0 R>>>>"
    stamp = "<</Type/Annot/Subtype/Stamp/Rect[0 300 300 320]/F 4/OC 1 0 R/AP<</N 2 0 R>>>>"
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    path = documents.drawn_pdf(
        tmp_path / "a.pdf",
        said(700, "always"),
        objects=["<</Type/OCG/Name(A)>>", (entries, said(5, "a stamp").encode()), font, stamp],
        attributes="/Annots[4 0 R]",
        catalog=f"/OCProperties<</OCGs[1 0 R]/D<<{default}>>>>/AcroForm<</Fields[]>>",
    )
    assert ("a stamp" in read(path).text) is (not default)


def test_invisible_text_is_none_unless_a_picture_lies_below_it(tmp_path: Path) -> None:
    unseen = said(700, "unseen words", "3 Tr")
    path = documents.drawn_pdf(tmp_path / "a.pdf", said(600, "seen words", "0 Tr") + unseen)
    assert read(path).text.strip() == "seen words"
    scan = "q 400 0 0 200 50 600 cm /I1 Do Q " + unseen + said(300, "seen words", "0 Tr")
    path = documents.drawn_pdf(tmp_path / "b.pdf", scan, objects=[DOT], resources="/XObject<</I1 1 0 R>>")
    assert "unseen words" in read(path).text
    path = documents.drawn_pdf(tmp_path / "c.pdf", unseen)
    assert read(path).text.strip() == "unseen words"


@pytest.mark.parametrize("turn", ["", "/Rotate 90"])
def test_a_page_has_the_size_of_all_pages_where_it_has_none(tmp_path: Path, turn: str) -> None:
    content = (
        said(820, "at the top") + "BT /F1 10 Tf 700 400 Td (far to the right) Tj ET " + said(20, "below")
    )
    path = documents.drawn_pdf(tmp_path / "a.pdf", content, every=f"/MediaBox[0 0 842 842]{turn}")
    text = read(path).text
    assert all(words in text for words in ("at the top", "far to the right", "below"))
    path = documents.drawn_pdf(
        tmp_path / "b.pdf", content, every=f"/MediaBox[0 0 842 842]/CropBox[0 100 600 842]{turn}"
    )
    assert read(path).text.split() == ["at", "the", "top"]


def test_marks_outside_of_the_trimmed_page_are_no_text(tmp_path: Path) -> None:
    body = "".join(said(700 - 14 * n, f"Line {n} of the text that this page has") for n in range(12))
    slug = said(20, "book.indd 7  Cyan Magenta")
    trimmed = documents.drawn_pdf(tmp_path / "a.pdf", body + slug, attributes="/TrimBox[40 40 572 752]")
    assert "Cyan" not in read(trimmed).text
    assert "Line 11" in read(trimmed).text
    # Half of the text would be gone.
    wrong = documents.drawn_pdf(tmp_path / "b.pdf", body + slug, attributes="/TrimBox[40 600 572 752]")
    assert "Line 11" in read(wrong).text
