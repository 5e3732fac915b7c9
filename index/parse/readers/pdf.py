"""PDF: text by pdfium, page by page, and OCR for pages that hold only a picture of text.

A PDF has no paragraphs and no headings, only glyphs in places. Lines become paragraphs by the gaps between
them. A false heading would be a hard boundary between chunks, so a heading is only what the bookmarks name
or, in a PDF without bookmarks, what is set larger than the body and unstructured's classifier takes for a
title.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from ctypes import byref
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from unstructured.partition.text_type import is_possible_narrative_text, is_possible_title

from index.model import Parsed
from index.parse import archive, nlp
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers import ocr

nlp.install()

#: Ratio to the body's height; less is a matter of emphasis.
LARGER = 1.15
HEADING_WORDS_MAX = 14
BOOKMARKS_MAX = 5000
OCR_DPI = 200
#: Pixels of a page's longer side, whatever size it claims.
OCR_SIDE_MAX = 5000

_TYPESET = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
#: Bullets of the Symbol and Wingdings fonts have no character of their own.
_PLAIN = str.maketrans({**_TYPESET, "\u00a0": " ", "\uf0b7": "•", "\uf0a7": "•"})
#: pdfium marks a hyphen at a line's end that only breaks the word.
_BROKEN_WORD = re.compile("[\x02\ufffe]\n?")
_NUMBERING = re.compile(r"^(?:chapter|section|part|appendix)?\s*[\dA-Z]?[\d.]*[.:)]?\s+", re.IGNORECASE)
_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?")
_BULLET = re.compile(r"[-*•‣◦▪·–]\s|\(?\d{1,3}[.)]\s")


@dataclass(slots=True)
class _Block:
    page: int
    lines: list[str]
    height: float

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def parse(path: Path, format: Format) -> Parsed:
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise Unreadable(archive.PROTECTED) from None
        if error.err_code == pdfium.FPDF_ERR_SECURITY:
            raise Unreadable("The document is encrypted in a way that cannot be read.") from None
        raise Unreadable("The document is damaged: it is no readable PDF file.") from None
    try:
        # Before any page is loaded; without effect where there is no form.
        document.init_forms()
        bookmarks = _bookmarks(document)
        blocks = list(_blocks(document, bookmarks))
        known = document.get_metadata_dict(skip_empty=True)
    finally:
        document.close()
    outline = Outline()
    levels = _named(blocks, bookmarks) if bookmarks else _larger(blocks)
    for number, block in enumerate(blocks):
        if number in levels:
            outline.heading(block.text, levels[number], block.page)
        else:
            outline.add(
                block.text, "ListItem" if _BULLET.match(block.lines[0]) else "NarrativeText", block.page
            )
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


def _blocks(document: Any, bookmarks: dict[tuple[int, str], int]) -> Iterator[_Block]:
    forms = bool(document.get_formtype())
    pictured = []
    texts = 0
    for number in range(1, len(document) + 1):
        page = document[number - 1]
        if forms:
            # Text typed into a form is drawn above the page; this makes it part of the page.
            page.flatten()
            page.close()
            page = document[number - 1]
        lines = _lines(page)
        if lines:
            texts += 1
            yield from _paragraphs(lines, number, bookmarks)
        elif _has_picture(page):
            pictured.append(number)
            if ocr.available():
                text = ocr.recognise(_rendered(page))
                for paragraph in re.split(r"\n\s*\n", text.replace("\f", "").strip()):
                    if paragraph.strip():
                        yield _Block(number, paragraph.strip().split("\n"), 0.0)
        page.close()
    if pictured and not texts and not ocr.available():
        raise Unreadable("The document holds only images of its pages and needs OCR; install tesseract.")


def _has_picture(page: Any) -> bool:
    kinds = [pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING]
    return next(iter(page.get_objects(filter=kinds, max_depth=4)), None) is not None


def _rendered(page: Any) -> Path:
    scale = min(OCR_DPI / 72, OCR_SIDE_MAX / max(*page.get_size(), 1))
    image = page.render(scale=scale, grayscale=True).to_pil()
    path = Path(tempfile.mkdtemp(), "page.png")
    image.save(path)
    return path


def _lines(page: Any) -> list[tuple[str, float, float]]:
    """(text, bottom, height) of each line that has text, in points; 0 where pdfium cannot say."""
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    # Places go by character; they match the text only where each has one code unit.
    placed = len(text) == textpage.count_chars()
    found = []
    start = 0
    box = pdfium.FS_RECTF()
    for line in text.split("\n"):
        bare = line.strip()
        if bare:
            bottom = height = 0.0
            index = start + line.index(bare[0])
            if placed and pdfium.FPDFText_GetLooseCharBox(textpage, index, byref(box)):
                bottom, height = box.bottom, abs(box.top - box.bottom)
            found.append((bare.translate(_PLAIN), bottom, height))
        start += len(line) + 1
    textpage.close()
    return found


def _paragraphs(
    lines: list[tuple[str, float, float]], page: int, bookmarks: dict[tuple[int, str], int]
) -> Iterator[_Block]:
    # The distance of most lines inside paragraphs: a low quartile, since the gaps between them are wider.
    steps = sorted(above[1] - below[1] for above, below in pairwise(lines) if above[1] > below[1])
    step = steps[len(steps) // 4] if steps else 0.0
    full = max(len(text) for text, _, _ in lines) * 0.6
    block: _Block | None = None
    bottom = 0.0
    named = False
    for text, at, height in lines:
        was_named, named = named, bool(bookmarks) and (page, _key(text)) in bookmarks
        if block is not None and (
            named
            or was_named
            or not -0.2 * step <= bottom - at <= 1.35 * step
            or abs(height - block.height) > 0.15 * block.height
            or (len(block.lines[-1]) < full and block.lines[-1].endswith((".", "!", "?", ":")))
            or _BULLET.match(text)
        ):
            yield block
            block = None
        if block is None:
            block = _Block(page, [text], height)
        elif block.lines[-1].endswith(("\x02", "\ufffe")):
            block.lines[-1] = _BROKEN_WORD.sub("", block.lines[-1]) + text
        elif len(block.lines[-1]) >= full:
            # A full line was broken by the margin, a short one by its author.
            block.lines[-1] += " " + text
        else:
            block.lines.append(text)
        bottom = at
    if block is not None:
        yield block


def _bookmarks(document: Any) -> dict[tuple[int, str], int]:
    """Level by (page, title)."""
    levels: dict[tuple[int, str], int] = {}
    for bookmark in document.get_toc():
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            levels.setdefault((page + 1, _key(bookmark.get_title())), bookmark.level + 1)
        if len(levels) >= BOOKMARKS_MAX:
            break
    return levels


def _key(title: str) -> str:
    title = squeeze(title).casefold()
    return _NUMBERING.sub("", title) or title


def _named(blocks: list[_Block], bookmarks: dict[tuple[int, str], int]) -> dict[int, int]:
    """Level by block number. The one bookmark at the top is the title; several are chapters below it."""
    below = 0 if list(bookmarks.values()).count(1) == 1 else 1
    levels = {}
    for number, block in enumerate(blocks):
        if len(block.lines) <= 3 and (place := (block.page, _key(block.text))) in bookmarks:
            levels[number] = bookmarks.pop(place) + below
    return levels


def _larger(blocks: list[_Block]) -> dict[int, int]:
    """Level by block number, the largest size the top; at most three levels."""
    heights = sorted((block.height, len(block.text)) for block in blocks if block.height)
    half = sum(length for _, length in heights) / 2
    body = 0.0
    for height, length in heights:
        body, half = height, half - length
        if half <= 0:
            break
    found = {
        number: round(block.height)
        for number, block in enumerate(blocks)
        if body and block.height >= body * LARGER and _could_head(block.text)
    }
    sizes = sorted(set(found.values()), reverse=True)
    return {number: min(sizes.index(size) + 1, 3) for number, size in found.items()}


def _could_head(text: str) -> bool:
    line = squeeze(text)
    if len(line.split()) > HEADING_WORDS_MAX or line.endswith((".", ",", ";", ":")):
        return False
    return is_possible_title(line) and not is_possible_narrative_text(line)


def _iso(date: str) -> str:
    """``D:20240131120000Z`` in ISO form, without its zone, which half of all writers get wrong."""
    match = _DATE.match(date)
    if match is None:
        return ""
    year, month, day, *time = match.groups()
    iso = f"{year}-{month or '01'}-{day or '01'}"
    return f"{iso}T{time[0]}:{time[1]}:{time[2] or '00'}" if time[0] else iso
