"""EPUB, reStructuredText and Org, which pandoc turns into HTML."""

from __future__ import annotations

import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pypandoc
from lxml import etree

from index.model import ANY_ANCHOR, Link, Parsed
from index.parse import archive
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers import html
from index.parse.readers.text import decode
from index.parse.references import References, references, unique

#: In these the title that pandoc prints stands in the text; in the others it repeats a property.
_TITLE_IS_TEXT = frozenset({"rst", "org"})
#: reStructuredText: a label, the document of a role, and directives that make anchors or add text.
_LABEL = re.compile(r"^\s*\.\. _`?([^:`\n]+)`?:[ \t]*$", re.MULTILINE)
_ROLE_TARGET = re.compile(r"(?:.*<)?([^<>]+)>?\Z")
_DIRECTIVE = re.compile(
    r"^\s*\.\. (?!(?:note|tip|hint|warning|caution|danger|error|important|attention|image|figure|code|"
    r"code-block|sourcecode|highlight|contents|toctree|list-table|table|csv-table|rubric|versionadded|"
    r"versionchanged|deprecated|seealso|admonition|math|epigraph|replace|class|tab|tabs|only)::)[\w:-]+::",
    re.MULTILINE,
)
_LOCKS = "META-INF/encryption.xml"
#: Fonts may be obfuscated in a book that anyone may read.
_FONT_ALGORITHMS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def parse(path: Path, format: Format) -> Parsed:
    text = ""
    if format.name == "epub":
        archive.check(path)
        _refuse_locked(path)
    else:
        # pandoc takes UTF-8 only.
        text = decode(path.read_bytes())
        path = Path(tempfile.mkdtemp(), "document")
        path.write_text(text, "utf-8")
    root = html.tree(_converted(path, format))
    if root is None:
        return Outline().parsed()
    header = root.find(".//header[@id='title-block-header']")
    title = "" if header is None else squeeze(header.findtext("h1") or "")
    if header is not None and format.name in _TITLE_IS_TEXT:
        _put_below_title(root, header)
    elif header is not None:
        header.getparent().remove(header)
    for link in root.iter("a"):
        if link.get("role") in ("doc-noteref", "doc-backlink"):
            # Numbers and arrows that pandoc made; what follows them stays.
            link.text = None
            link[:] = []
    outline = Outline()
    found = _references(root, text, format)
    notes = root.find(".//section[@role='doc-endnotes']")
    if notes is not None:
        notes.getparent().remove(notes)
    html.walk(root, outline)
    if notes is not None:
        outline.end_sections()
        html.walk(notes, outline)
    return outline.parsed(
        # Each chapter of a book has a top heading; its title is the book's.
        title=title if format.name == "epub" else "",
        fallback_title=title,
        language=html.language_of(root),
        properties=html.properties_of(root),
        links=found.links,
        anchors=found.anchors,
    )


def _references(root: Any, text: str, format: Format) -> References:
    """Those of reStructuredText and Org; books point to parts of themselves."""
    if format.name not in _TITLE_IS_TEXT:
        return References()
    for link in root.iter("a") if format.name == "org" else ():
        # After two colons comes a search in the target.
        link.set("href", link.get("href", "").partition("::")[0])
    links, anchors = references(root, named=True)
    if format.name == "org":
        return References(links, anchors)
    roles = root.iterfind(".//code[@role='doc']")
    named = [_ROLE_TARGET.search(squeeze("".join(role.itertext()))) for role in roles]
    pages = [Link(found[1], None) for found in named if found is not None and ":" not in found[1]]
    made = [ANY_ANCHOR] if _DIRECTIVE.search(text) else []
    return References(tuple(unique([*links, *pages])), (*anchors, *_LABEL.findall(text), *made))


def _put_below_title(root: Any, header: Any) -> None:
    """pandoc prints sections as high as the title that they belong to."""
    for node in root.iter("h1", "h2", "h3", "h4", "h5"):
        if header not in node.iterancestors():
            node.tag = f"h{int(node.tag[1]) + 1}"


def _converted(path: Path, format: Format) -> str:
    try:
        # The title-block is part of a standalone page only. In the sandbox no other file is read.
        page = pypandoc.convert_file(
            str(path),
            "html",
            format=format.name,
            sandbox=True,
            extra_args=["--standalone", "--wrap=none", "--email-obfuscation=none"],
        )
    except RuntimeError as error:
        why = squeeze(str(error))[-200:]
        raise Unreadable(f"The document is damaged: pandoc could not read it ({why}).") from None
    except OSError as error:
        raise Unreadable(
            f"The document needs pandoc, which is not installed ({error.strerror or 'not found'})."
        ) from None
    return str(page)


def _refuse_locked(book: Path) -> None:
    with zipfile.ZipFile(book) as archive:
        if _LOCKS not in archive.namelist():
            return
        try:
            root: Any = etree.fromstring(archive.read(_LOCKS), etree.XMLParser(resolve_entities=False))
        except etree.XMLSyntaxError:
            return
    algorithms = [node.get("Algorithm") for node in root.iter("{*}EncryptionMethod")]
    if any(algorithm not in _FONT_ALGORITHMS for algorithm in algorithms):
        raise Unreadable("The document is protected by digital rights management.")
