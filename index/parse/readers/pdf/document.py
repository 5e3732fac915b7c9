"""A PDF as elements: its pages a window at a time, then headings, then properties."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from index.model import Parsed
from index.parse import archive, nlp
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable
from index.parse.readers import ocr
from index.parse.readers.pdf import headings, layers, typed
from index.parse.readers.pdf.blocks import Block, continued
from index.parse.readers.pdf.grids import Grid, grids
from index.parse.readers.pdf.headings import Bookmark, mark
from index.parse.readers.pdf.heads import without_heads
from index.parse.readers.pdf.layout import blocks
from index.parse.readers.pdf.lines import Line, lines
from index.parse.readers.pdf.rules import rules
from index.parse.readers.pdf.turning import turning
from index.parse.readers.pdf.visible import visible

nlp.install()

#: Pages whose running heads are looked for together.
_WINDOW = 60
OCR_DPI = 200
#: Pixels of a page's longer side, whatever size it claims.
OCR_SIDE_MAX = 5000

_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?")


def parse(path: Path, format: Format) -> Parsed:
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise Unreadable(archive.PROTECTED) from None
        if error.err_code == pdfium.FPDF_ERR_SECURITY:
            raise Unreadable("The document is encrypted in a way that cannot be read.") from None
        raise Unreadable("The document is damaged: it is no readable PDF file.") from None
    if (without := layers.without_hidden(path)) is not None:
        document.close()
        document = pypdfium2.PdfDocument(without)
    try:
        # Before any page is loaded; without effect where there is no form.
        document.init_forms()
        named = headings.bookmarks(document)
        blocks = continued(list(_blocks(document, named)))
        known = document.get_metadata_dict(skip_empty=True)
    finally:
        document.close()
    outline = Outline(guessed=True)
    levels = {} if named else headings.guessed(blocks)
    for number, block in enumerate(blocks):
        level = block.level or levels.get(number, 0)
        if level:
            outline.heading(block.text, level, block.page)
        elif block.rows:
            outline.table(block.rows, block.page)
        else:
            outline.add(block.text, block.kind, block.page)
    properties = {
        "author": known.get("Author"),
        "subject": known.get("Subject"),
        "keywords": known.get("Keywords"),
        "created": _iso(known.get("CreationDate", "")),
        "modified": _iso(known.get("ModDate", "")),
    }
    return outline.parsed(
        fallback_title=known.get("Title", ""),
        properties={name: value for name, value in properties.items() if value},
    )


def _blocks(document: Any, named: Mapping[int, Sequence[Bookmark]]) -> Iterator[Block]:
    pictured = texts = False
    form = bool(document.get_formtype())
    for start in range(0, len(document), _WINDOW):
        pages: list[list[Line]] = []
        read: list[list[Block]] = []
        ruled: list[list[Grid]] = []
        sizes: list[float] = []
        for number in range(start, min(start + _WINDOW, len(document))):
            page = _page(document, number)
            scanned: list[Block] | None = None
            if form or typed.onto(page):
                if _has_picture(page) and not _has_text(page):
                    scanned = _recognised(page, number + 1, alone=True)
                page = typed.part_of(page, document, number, form)
            sizes.append(page.get_height())
            turn = turning(page)
            drawn = rules(page, turn)
            found = visible(lines(page, turn, drawn.down), page, turn)
            if scanned is None and not found and _has_picture(page):
                scanned = _recognised(page, number + 1)
            # A stamp does not make a scan readable.
            texts |= bool(found) and (scanned is None or form)
            pictured |= scanned is not None
            pages.append(mark(found, named.get(number, ())))
            ruled.append(grids(drawn))
            read.append(scanned or [])
            page.close()
        for number, body in enumerate(without_heads(pages, sizes)):
            yield from blocks(body, start + number + 1, ruled[number])
            yield from read[number]
    if pictured and not texts and not ocr.available():
        raise Unreadable("The document holds only images of its pages and needs OCR; install tesseract.")


def _page(document: Any, number: int) -> Any:
    page = document[number]
    if page.get_mediabox(fallback_ok=False) is None:
        # Its size is that of all pages, which pdfium gives as a whole alone.
        page.set_mediabox(*page.get_bbox())
    return page


def _recognised(page: Any, number: int, *, alone: bool = False) -> list[Block]:
    """The paragraphs that OCR reads from the picture of a page; `alone`: without what lies above it."""
    if not ocr.available():
        return []
    text = ocr.recognise(_rendered(page, alone)).replace("\f", "").strip()
    paragraphs = (paragraph.strip() for paragraph in re.split(r"\n\s*\n", text))
    return [Block(number, paragraph.split("\n")) for paragraph in paragraphs if paragraph]


def _has_picture(page: Any) -> bool:
    kinds = [pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING]
    return next(iter(page.get_objects(filter=kinds, max_depth=4)), None) is not None


def _has_text(page: Any) -> bool:
    textpage = page.get_textpage()
    try:
        return bool(textpage.count_chars())
    finally:
        textpage.close()


def _rendered(page: Any, alone: bool) -> Path:
    scale = min(OCR_DPI / 72, OCR_SIDE_MAX / max(*page.get_size(), 1))
    drawn = page.render(scale=scale, grayscale=True, draw_annots=not alone, may_draw_forms=not alone)
    path = Path(tempfile.mkdtemp(), "page.png")
    drawn.to_pil().save(path)
    return path


def _iso(date: str) -> str:
    """``D:20240131120000Z`` in ISO form, without its zone, which half of all writers get wrong."""
    match = _DATE.match(date)
    if match is None:
        return ""
    year, month, day, *time = match.groups()
    iso = f"{year}-{month or '01'}-{day or '01'}"
    return f"{iso}T{time[0]}:{time[1]}:{time[2] or '00'}" if time[0] else iso
