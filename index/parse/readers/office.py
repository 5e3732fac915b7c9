"""Word, through unstructured; its old format after LibreOffice has converted it.

Around unstructured, the text that it passes over is brought back: content controls, tracked insertions,
text boxes, equations, charts and diagrams, foot- and endnotes, and headings of styles that an author named.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import qn
from lxml import etree
from unstructured.partition.docx import partition_docx

from index.model import Parsed
from index.parse import archive, nlp, soffice
from index.parse.formats import Format
from index.parse.outline import Outline
from index.parse.readers import ooxml
from index.parse.readers.drawing import drawn
from index.parse.readers.html import rows_of, tree

nlp.install()

#: Wrappers whose content is part of the text around them, and content that is not.
_TRANSPARENT = tuple(
    map(
        qn,
        (
            "w:bdo",
            "w:customXml",
            "w:dir",
            "w:fldSimple",
            "w:ins",
            "w:moveTo",
            "w:sdt",
            "w:sdtContent",
            "w:smartTag",
        ),
    )
)
_NOT_TEXT = tuple(map(qn, ("w:del", "w:moveFrom", "w:sdtPr", "w:sdtEndPr")))
#: Styles that are a document's title, which their authors may place in its outline.
_TITLES = ("title", "subtitle")
#: Styles that a style is based on, one upon the other.
_BASES_MAX = 20
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def parse(path: Path, format: Format) -> Parsed:
    archive.refuse_protected(path)
    if format.name == "doc":
        path = soffice.converted(path, "doc", "docx")
    document = docx.Document(str(ooxml.plain(path)))
    _name_headings(document.styles)
    _draw(document.element.body, document.part)
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
    core = document.core_properties
    return outline.parsed(fallback_title=core.title or "", **ooxml.properties_of(core))


def _name_headings(styles: Any) -> None:
    """Name styles of headings as Word names its own, whatever their author or language named them."""
    by_id = {style.get(qn("w:styleId")): style for style in styles.element.iterfind(qn("w:style"))}
    for style in by_id.values():
        level = _outline_level(style, by_id)
        named = style.find(qn("w:name"))
        if level is not None and named is not None and named.get(qn("w:val"), "").lower() not in _TITLES:
            named.set(qn("w:val"), f"heading {level + 1}")


def _outline_level(style: Any, by_id: Mapping[str, Any]) -> int | None:
    """From 0, as the style or the nearest that it is based on says; None when it is of a text."""
    for _ in range(_BASES_MAX):
        level = style.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if level is not None:
            value = level.get(qn("w:val"), "")
            return int(value) if value in tuple("012345678") else None
        base = style.find(qn("w:basedOn"))
        style = None if base is None else by_id.get(base.get(qn("w:val")))
        if style is None:
            return None
    return None


def _draw(body: Any, part: Any) -> None:
    """Put the words of charts and diagrams behind the paragraphs in which they stand, as text and tables."""
    for graphic in reversed(body.findall(f".//{qn('a:graphicData')}")):
        host = next(graphic.iterancestors(qn("w:p")), None)
        labels, rows = drawn(graphic, part)
        if host is not None:
            if rows:
                host.addnext(_markup("w:tbl", *(_row(row) for row in rows)))
            for label in reversed(labels):
                host.addnext(_markup("w:p", _run(label)))


def _markup(tag: str, *inner: Any) -> Any:
    node = OxmlElement(tag)
    node.extend(inner)
    return node


def _run(text: str) -> Any:
    said = OxmlElement("w:t")
    said.text = text
    return _markup("w:r", said)


def _row(cells: list[str]) -> Any:
    return _markup("w:tr", *(_markup("w:tc", _markup("w:p", _run(text))) for text in cells))


def _make_plain(body: Any) -> None:
    """Rewrite a document's body so that all of its text lies in paragraphs, runs and tables."""
    etree.strip_elements(body, *_NOT_TEXT, _FALLBACK, with_tail=False)
    for box in reversed(body.findall(f".//{qn('w:txbxContent')}")):
        host = next(box.iterancestors(qn("w:p")), None)
        if host is not None:
            for block in reversed(box):
                host.addnext(block)
            box.getparent().remove(box)
    etree.strip_tags(body, *_TRANSPARENT, qn("m:oMathPara"))
    for spoken in body.findall(f".//{qn('w:ruby')}"):
        # The text itself; what is written beside it says how it is spoken.
        host = spoken.getparent()
        for run in spoken.findall(f"{qn('w:rubyBase')}/{qn('w:r')}"):
            host.addprevious(run)
        host.remove(spoken)
    for formula in body.findall(f".//{qn('m:oMath')}"):
        formula.getparent().replace(formula, _run("".join(formula.itertext(qn("m:t"), with_tail=False))))
    for hidden in body.xpath(".//w:r[w:rPr/w:vanish[not(@w:val='0' or @w:val='false' or @w:val='off')]]"):
        hidden.getparent().remove(hidden)
    # Word records where its pages ended when it last saved. Without that record, hard breaks are what is
    # known; with it they would count twice, and as a line break they still keep the words around them
    # apart.
    recorded = body.find(f".//{qn('w:lastRenderedPageBreak')}") is not None
    for hard in body.xpath(".//w:br[@w:type='page']"):
        hard.getparent().replace(hard, OxmlElement("w:br" if recorded else "w:lastRenderedPageBreak"))
    # python-docx takes no other break for one.
    for other in body.xpath(".//w:br[@w:type='column']"):
        other.getparent().replace(other, OxmlElement("w:br"))


def _notes(part: Any) -> Iterable[str]:
    for kind in (RELATIONSHIP_TYPE.FOOTNOTES, RELATIONSHIP_TYPE.ENDNOTES):
        for relation in part.rels.values():
            if relation.reltype != kind or relation.is_external:
                continue
            for note in list(parse_xml(relation.target_part.blob)):
                if note.get(qn("w:type")) in (None, "normal"):
                    body = _markup("w:body", *note)
                    _make_plain(body)
                    paragraphs = body.iter(qn("w:p"))
                    yield "\n".join("".join(run.text for run in p.iter(qn("w:r"))) for p in paragraphs)


def _table(element: Any, outline: Outline) -> None:
    page = element.metadata.page_number
    root = tree(element.metadata.text_as_html or "")
    if root is None:
        outline.add(element.text, "Table", page)
        return
    outline.table(rows_of(root), page)
