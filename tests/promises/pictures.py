"""PDF files and images that are larger, deeper or more tangled than they look."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from tests.promises.hostile import CRASH, DAMAGED, MEMORY, OCR, SLOW, TEXT, Scene, harmless, quarantined

_MIB = 1 << 20


# ── PDF ───────────────────────────────────────────────────────────────────────────────────────────────


class _Pdf:
    """A PDF without a table of its objects, which every reader then looks for itself."""

    def __init__(self) -> None:
        self.parts = [b"%PDF-1.7\n"]

    def add(self, number: int, content: bytes) -> None:
        self.parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))

    def stream(self, number: int, data: bytes, entries: bytes = b"") -> None:
        self.add(number, b"<<%b/Length %d>>stream\n%b\nendstream" % (entries, len(data), data))

    def save(self, path: Path) -> None:
        path.write_bytes(b"".join(self.parts) + b"trailer<</Root 1 0 R>>\n%%EOF")


_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def _page(more: bytes = b"") -> bytes:
    return (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>%b>>>>" % more
    )


def _one_page(path: Path, data: bytes, entries: bytes = b"", page: bytes = _page()) -> _Pdf:
    pdf = _Pdf()
    for number, content in enumerate((_CATALOG, _PAGES, page), 1):
        pdf.add(number, content)
    pdf.stream(4, data, entries)
    pdf.add(5, _FONT)
    return pdf


@quarantined("stream-bomb.pdf", SLOW, MEMORY, TEXT, seconds=2)
def _(path: Path, scene: Scene) -> None:
    """A page of a hundred megabytes of commands, compressed three times."""
    data = b"BT /F1 9 Tf 9 9 Td (bomb) Tj ET\n" * (100 * _MIB // 32)
    for _level in range(3):
        data = zlib.compress(data, 1)
    _one_page(path, data, b"/Filter[/FlateDecode/FlateDecode/FlateDecode]").save(path)


@harmless("many-objects.pdf", "many objects")
def _(path: Path, scene: Scene) -> None:
    pdf = _one_page(path, b"BT /F1 9 Tf 9 9 Td (many objects) Tj ET")
    more = 1_000_000 if scene.large else 100_000
    pdf.parts += [b"%d 0 obj<<>>endobj\n" % number for number in range(6, 6 + more)]
    pdf.save(path)


@quarantined("loop-of-pages.pdf", DAMAGED)
def _(path: Path, scene: Scene) -> None:
    """Its pages lie in themselves, and are said to be a billion."""
    pdf = _Pdf()
    pdf.add(1, _CATALOG)
    pdf.add(2, b"<</Type/Pages/Parent 2 0 R/Count 1000000000/Kids[2 0 R 2 0 R 2 0 R]>>")
    pdf.save(path)


@harmless("loop-of-bookmarks.pdf", "A loop")
def _(path: Path, scene: Scene) -> None:
    pdf = _one_page(path, b"BT /F1 9 Tf 9 9 Td (A loop) Tj ET")
    pdf.parts[1] = b"1 0 obj<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>endobj\n"
    pdf.add(6, b"<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 9>>")
    pdf.add(7, b"<</Title(A)/Dest[3 0 R/Fit]/Next 8 0 R/First 7 0 R>>")
    pdf.add(8, b"<</Title(B)/Dest[3 0 R/Fit]/Next 7 0 R/First 6 0 R>>")
    pdf.save(path)


@quarantined("loop-of-forms.pdf", SLOW, CRASH, seconds=2)
def _(path: Path, scene: Scene) -> None:
    """A picture that draws itself, twice."""
    page = _page(b"/XObject<</X 6 0 R>>")
    pdf = _one_page(path, b"BT /F1 9 Tf 9 9 Td (A loop) Tj ET /X Do", page=page)
    itself = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>"
    pdf.stream(6, b"/X Do /X Do", itself)
    pdf.save(path)


@harmless("deep-arrays.pdf", "A sound text")
def _(path: Path, scene: Scene) -> None:
    page = _page(b"/Deep " + b"[" * 100_000 + b"]" * 100_000)
    _one_page(path, b"BT /F1 9 Tf 9 9 Td (A sound text) Tj ET", page=page).save(path)


@quarantined("giant-picture.pdf", OCR, optional=True)
def _(path: Path, scene: Scene) -> None:
    """A page two hundred inches wide that is one picture of ten billion pixels."""
    page = _page(b"/XObject<</I 6 0 R>>").replace(b"0 0 612 792", b"0 0 14400 14400")
    pdf = _one_page(path, b"14400 0 0 14400 0 0 cm /I Do", page=page)
    image = b"/Type/XObject/Subtype/Image/Width 100000/Height 100000/ColorSpace/DeviceGray/BitsPerComponent 8"
    pdf.stream(6, zlib.compress(bytes(20 * _MIB)), image + b"/Filter/FlateDecode")
    pdf.save(path)


# ── Images ────────────────────────────────────────────────────────────────────────────────────────────


def _png(path: Path, side: int, rows: int) -> None:
    """A PNG that says it is so wide and high, and holds so many rows of black."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + side)
    data = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", data) + part(b"IEND", b""))


@quarantined("giant.png", OCR, DAMAGED)
def _(path: Path, scene: Scene) -> None:
    _png(path, 100_000, 1)


@quarantined("bomb.png", OCR, DAMAGED, SLOW, seconds=2)
def _(path: Path, scene: Scene) -> None:
    _png(path, 20_000, 20_000)
