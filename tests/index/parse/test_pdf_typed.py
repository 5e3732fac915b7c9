"""PDF: text that was typed onto a page is a part of it; comments and marks are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index.model import Parsed
from index.parse.formats import BY_SUFFIX
from index.parse.outline import Unreadable
from tests import documents
from tests.readers import parse

FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
LOOK = "/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F1 1 0 R>>>>"


def read(path: Path) -> Parsed:
    return parse(path, BY_SUFFIX[".pdf"])


def said(left: int, base: int, text: str) -> str:
    return f"BT /F1 10 Tf {left} {base} Td ({text}) Tj ET\n"


def annotated(
    path: Path, content: str, *kinds: tuple[str, str], picture: tuple[str, bytes] | None = None
) -> Path:
    """A page with annotations, (subtype with other entries, text) each, below each other; its content may
    draw the picture as I1."""
    objects: list[str | tuple[str, bytes]] = [FONT]
    for number, (kind, text) in enumerate(kinds):
        objects.append((LOOK, said(2, 5, text).encode()))
        base = 690 - 30 * number
        look = f"/AP<</N {len(objects)} 0 R>>/Contents(A comment)"
        objects.append(f"<</Type/Annot/Subtype/{kind}/Rect[250 {base} 450 {base + 20}]{look}>>")
    listed = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(kinds)))
    resources = ""
    if picture is not None:
        objects.append(picture)
        resources = f"/XObject<</I1 {len(objects)} 0 R>>"
    return documents.drawn_pdf(
        path, content, objects=objects, resources=resources, attributes=f"/Annots[{listed}]"
    )


def test_free_text_and_stamps_are_text_and_nothing_else_above_a_page(tmp_path: Path) -> None:
    path = annotated(
        tmp_path / "a.pdf",
        said(60, 695, "Name of the applicant:") + said(60, 665, "Decision:"),
        ("FreeText/F 4", "Anna Berger"),
        ("Stamp/F 4", "Approved"),
        ("Stamp/F 2", "hidden"),
        ("FreeText/F 32", "unseen"),
        ("Highlight/F 4", "marked"),
        ("Text/F 4", "noted"),
        ("Popup/F 4", "popped"),
        ("Square/F 4", "boxed"),
    )
    text = " ".join(read(path).text.split())
    assert text == "Name of the applicant: Anna Berger Decision: Approved"


@pytest.mark.parametrize("installed", [True, False])
def test_a_scan_with_a_stamp_is_read_as_a_scan(
    tmp_path: Path, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    image = Image.open(documents.image(tmp_path / "a.png", "Hello scanned world")).convert("L")
    entries = f"/Width {image.width}/Height {image.height}/ColorSpace/DeviceGray/BitsPerComponent 8"
    path = annotated(
        tmp_path / "a.pdf",
        "612 0 0 100 0 300 cm /I1 Do",
        ("Stamp/F 4", "Approved"),
        picture=(f"/Type/XObject/Subtype/Image{entries}", image.tobytes()),
    )
    if not installed:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unreadable, match="install tesseract"):
            read(path)
    elif shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    else:
        assert read(path).text.split() == ["Approved", "Hello", "scanned", "world"]
