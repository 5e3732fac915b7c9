"""What was typed onto a page: fields of forms, free text and stamps. A file keeps it apart from the page."""

from __future__ import annotations

from typing import Any

import pypdfium2.raw as pdfium

_TYPED = (pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)
_UNSEEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW


def onto(page: Any) -> bool:
    """Whether a page has free text or stamps."""
    return any(_is_typed(page, number) for number in range(pdfium.FPDFPage_GetAnnotCount(page)))


def part_of(page: Any, document: Any, number: int, form: bool) -> Any:
    """The page, loaded anew with what was typed onto it as a part of it. Unless the document is a form, all
    else that lies above it is taken away: comments, marks, links."""
    if form:
        page.flatten()
    else:
        for one in reversed(range(pdfium.FPDFPage_GetAnnotCount(page))):
            if not _is_typed(page, one):
                pdfium.FPDFPage_RemoveAnnot(page, one)
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
    page.close()
    return document[number]


def _is_typed(page: Any, number: int) -> bool:
    annotation = pdfium.FPDFPage_GetAnnot(page, number)
    if not annotation:
        return False
    try:
        seen = not pdfium.FPDFAnnot_GetFlags(annotation) & _UNSEEN
        return seen and pdfium.FPDFAnnot_GetSubtype(annotation) in _TYPED
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)
