"""Word and PowerPoint, through unstructured; their old formats after LibreOffice has converted them.

Around unstructured, the text that it passes over is brought back: content controls, tracked insertions,
text boxes, foot- and endnotes in Word, and the slides' notes, which it puts before the slide that they
belong to.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import docx
import pptx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from lxml import etree
from unstructured.partition.docx import partition_docx
from unstructured.partition.pptx import partition_pptx

from index.model import Parsed
from index.parse import archive, nlp, soffice
from index.parse.formats import Format
from index.parse.outline import Outline, squeeze
from index.parse.readers.html import rows_of, tree

nlp.install()

_MODERN = {"doc": "docx", "ppt": "pptx"}
_PROPERTIES = (
    "author",
    "category",
    "comments",
    "created",
    "keywords",
    "last_modified_by",
    "modified",
    "subject",
    "version",
)
#: Wrappers whose content is part of the text around them, and content that is not.
_TRANSPARENT = tuple(
    map(qn, ("w:sdt", "w:sdtContent", "w:ins", "w:moveTo", "w:smartTag", "w:customXml", "w:fldSimple"))
)
_NOT_TEXT = tuple(map(qn, ("w:del", "w:moveFrom", "w:sdtPr", "w:sdtEndPr")))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def parse(path: Path, format: Format) -> Parsed:
    archive.refuse_protected(path)
    name = format.name
    if name in _MODERN:
        name = _MODERN[name]
        path = soffice.converted(path, format.name, name)
    archive.check(path)
    return _docx(path) if name == "docx" else _pptx(path)


def _docx(path: Path) -> Parsed:
    document = docx.Document(str(path))
    _make_plain(document.element.body)
    outline = Outline()
    notes = list(_notes(document.part))
    plain = io.BytesIO()
    document.save(plain)
    for element in partition_docx(file=plain, languages=[""]):
        page = element.metadata.page_number
        if element.category == "Title":
            outline.heading(element.text, (element.metadata.category_depth or 0) + 1, page)
        elif element.category == "Table":
            _table(element, outline)
        else:
            outline.add(element.text, element.category, page)
    outline.end_sections()
    for note in notes:
        outline.add(note, "NarrativeText")
    return _parsed(outline, document.core_properties)


def _make_plain(body: Any) -> None:
    """Rewrite a document's body so that all of its text lies in paragraphs, runs and tables."""
    etree.strip_elements(body, *_NOT_TEXT, _FALLBACK, with_tail=False)
    for box in reversed(body.findall(f".//{qn('w:txbxContent')}")):
        host = next(box.iterancestors(qn("w:p")), None)
        if host is not None:
            for block in reversed(box):
                host.addnext(block)
            box.getparent().remove(box)
    etree.strip_tags(body, *_TRANSPARENT)
    # Word records where its pages ended when it last saved. Without that record, hard breaks are what is
    # known; with it they would count twice, and as a line break they still keep the words around them
    # apart.
    recorded = body.find(f".//{qn('w:lastRenderedPageBreak')}") is not None
    for hard in body.xpath(".//w:br[@w:type='page']"):
        hard.getparent().replace(hard, OxmlElement("w:br" if recorded else "w:lastRenderedPageBreak"))


def _notes(part: Any) -> Iterable[str]:
    for kind in (RELATIONSHIP_TYPE.FOOTNOTES, RELATIONSHIP_TYPE.ENDNOTES):
        for relation in part.rels.values():
            if relation.reltype != kind or relation.is_external:
                continue
            root = etree.fromstring(relation.target_part.blob, etree.XMLParser(resolve_entities=False))
            for note in root:
                if note.get(qn("w:type")) in (None, "normal"):
                    paragraphs = note.iter(qn("w:p"))
                    yield "\n".join("".join(p.itertext(qn("w:t"))) for p in paragraphs)


def _pptx(path: Path) -> Parsed:
    outline = Outline()
    presentation = pptx.Presentation(str(path))
    slides = dict(enumerate(presentation.slides, start=1))
    by_page: dict[int, list[Any]] = {page: [] for page in slides}
    for element in partition_pptx(filename=str(path), include_page_breaks=False, languages=[""]):
        by_page[element.metadata.page_number or 1].append(element)
    for page, slide in slides.items():
        outline.end_sections()
        shape = slide.shapes.title
        titles = [] if shape is None else [squeeze(p.text) for p in shape.text_frame.paragraphs]
        for element in by_page[page]:
            if element.category == "Table":
                _table(element, outline)
            elif element.category == "Title" and squeeze(element.text) in titles[:1]:
                hidden = " (hidden)" if slide._element.get("show") in ("0", "false") else ""
                outline.heading(element.text + hidden, 1, page)
                titles.clear()
            else:
                # Elsewhere on a slide, short lines are points and labels, not headings.
                kind = "UncategorizedText" if element.category == "Title" else element.category
                outline.add(element.text, kind, page)
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            outline.add(frame.text, "NarrativeText", page)
    return _parsed(outline, presentation.core_properties)


def _table(element: Any, outline: Outline) -> None:
    page = element.metadata.page_number
    root = tree(element.metadata.text_as_html or "")
    if root is None:
        outline.add(element.text, "Table", page)
        return
    outline.table(rows_of(root), page)


def _parsed(outline: Outline, core: Any) -> Parsed:
    properties = {}
    for name in _PROPERTIES:
        if value := getattr(core, name):
            properties[name] = value.isoformat() if hasattr(value, "isoformat") else str(value)
    language = (core.language or "").partition("-")[0].lower() or None
    return outline.parsed(fallback_title=core.title or "", language=language, properties=properties)
