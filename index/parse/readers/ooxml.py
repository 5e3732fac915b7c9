"""Word, PowerPoint and Excel files of other flavours, made into those that the libraries open.

The strict flavour of Office Open XML has other namespaces: python-docx and python-pptx refuse it, openpyxl
finds no sheets in it. Templates and shows differ from documents in a content type alone.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from index.parse import archive

_TYPES = "[Content_Types].xml"
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
_WORD = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_SHOW = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_OTHER_TYPES = (
    (
        re.compile(
            rb"application/vnd\.(?:ms-word\.(?:document|template)\.macroEnabled(?:Template)?|"
            rb"openxmlformats-officedocument\.wordprocessingml\.template)\.main\+xml"
        ),
        _WORD,
    ),
    (
        re.compile(
            rb"application/vnd\.(?:ms-powerpoint\.\w+\.macroEnabled|"
            rb"openxmlformats-officedocument\.presentationml\.(?:slideshow|template))\.main\+xml"
        ),
        _SHOW,
    ),
)

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


def plain(path: Path) -> Path:
    """The file, or a copy in the private folder that is a document of the usual flavour."""
    archive.check(path)
    with zipfile.ZipFile(path) as book:
        if _TYPES not in book.namelist():
            return path
        types = book.read(_TYPES)
        strict = any(_STRICT.search(book.read(name)) for name in book.namelist() if name.endswith(".rels"))
        if not strict and not any(found.search(types) for found, _ in _OTHER_TYPES):
            return path
        return _copied(book, path, strict, "")


def without(path: Path, part: str) -> Path:
    """A copy of the file that lacks a part."""
    with zipfile.ZipFile(path) as book:
        return _copied(book, path, False, part)


def _copied(book: zipfile.ZipFile, path: Path, strict: bool, left_out: str) -> Path:
    copy = Path(tempfile.mkdtemp()) / f"document{path.suffix}"
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as written:
        for name in book.namelist():
            if name == left_out:
                continue
            data = book.read(name)
            if name == _TYPES:
                for found, usual in _OTHER_TYPES:
                    data = found.sub(usual, data)
            if strict and name.endswith((".xml", ".rels")):
                data = _STRICT.sub(_TRANSITIONAL, data)
            written.writestr(name, data)
    return copy


def properties_of(core: Any) -> dict[str, Any]:
    """Language and properties of a Word or PowerPoint file, as `Outline.parsed` takes them."""
    properties = {}
    for name in _PROPERTIES:
        if value := getattr(core, name):
            properties[name] = value.isoformat() if hasattr(value, "isoformat") else str(value)
    language = (core.language or "").partition("-")[0].lower() or None
    return {"language": language, "properties": properties}
