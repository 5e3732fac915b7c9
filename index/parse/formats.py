"""Formats: which documents can be read, by which reader, and the fingerprint of the extraction.

A format goes by a suffix: `of` is the one rule that finds a document's.

Imported by commands that parse nothing: the standard library only, and package versions are read from their
metadata, never by importing them.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from index.model import digest
from index.parse import nlp

if TYPE_CHECKING:
    from connectors.base import Entry

#: Goes into every fingerprint: raise it when `outline`, `language` or the decoding of texts make other
#: elements or properties of the same file, or `index.freshness.validity` other claims.
COMMON_REVISION = 6


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file, and the packages and programs that its text depends on."""

    name: str
    content_type: str
    module: str
    """The module of `index.parse` whose `parse` reads it, inside the child."""
    revision: int
    """Raised when our reader of this format makes other elements or properties of the same file."""
    packages: tuple[str, ...] = ()
    """Distributions whose upgrade may change the text."""
    programs: tuple[str, ...] = ()
    """Helper programs that may be installed or not."""
    classifies: bool = False
    """Whether the spaCy model, or our stand-in for it, takes part in classifying blocks."""

    @property
    def authored(self) -> bool:
        """Whether its properties are an author's words; others are of the program that wrote the file."""
        return self.module in ("markdown", "html", "pandoc")

    def fingerprint(self, *, chunking: str) -> str:
        """Hash of everything that decides which chunks a given file of this format has."""
        return digest(
            [
                self.name,
                COMMON_REVISION,
                self.revision,
                {package: _version(package) for package in (*self.packages, "langdetect")},
                {program: _installed(program) for program in self.programs},
                nlp.in_use() if self.classifies else "",
                chunking,
            ]
        )


_OFFICE = "application/vnd.openxmlformats-officedocument"
_TEXT = ("charset-normalizer",)
_MARKUP = ("lxml", "charset-normalizer")
_PANDOC = ("lxml", "charset-normalizer", "pypandoc_binary", "pypandoc")
_SPACY = ("unstructured", "spacy")

_FORMATS: dict[Format, str] = {
    Format(
        "markdown", "text/markdown", "markdown", 4, (*_MARKUP, "markdown-it-py", "PyYAML")
    ): "md markdown mdx",
    Format("text", "text/plain", "text", 1, _TEXT): "txt text log",
    Format("html", "text/html", "html", 5, _MARKUP): "html htm xhtml",
    Format(
        "pdf", "application/pdf", "pdf", 6, ("pypdfium2", "pypdf", *_SPACY), ("tesseract",), classifies=True
    ): "pdf",
    Format(
        "docx",
        f"{_OFFICE}.wordprocessingml.document",
        "office",
        5,
        ("python-docx", "lxml", "openpyxl", *_SPACY),
        classifies=True,
    ): "docx",
    Format(
        "pptx",
        f"{_OFFICE}.presentationml.presentation",
        "slides",
        4,
        ("python-pptx", "lxml", "openpyxl"),
    ): "pptx",
    Format(
        "doc",
        "application/msword",
        "office",
        5,
        ("python-docx", "lxml", "openpyxl", *_SPACY),
        ("soffice",),
        classifies=True,
    ): "doc",
    Format(
        "ppt",
        "application/vnd.ms-powerpoint",
        "slides",
        4,
        ("python-pptx", "lxml", "openpyxl"),
        ("soffice",),
    ): "ppt",
    Format("xlsx", f"{_OFFICE}.spreadsheetml.sheet", "tables", 5, ("openpyxl", "lxml")): "xlsx",
    Format("xls", "application/vnd.ms-excel", "tables", 3, ("xlrd",)): "xls",
    Format("csv", "text/csv", "tables", 1, _TEXT): "csv",
    Format("tsv", "text/tab-separated-values", "tables", 1, _TEXT): "tsv",
    Format("eml", "message/rfc822", "mail", 5, _MARKUP): "eml",
    Format("msg", "application/vnd.ms-outlook", "mail", 5, (*_MARKUP, "python-oxmsg")): "msg",
    Format("epub", "application/epub+zip", "pandoc", 3, _PANDOC): "epub",
    Format("odt", "application/vnd.oasis.opendocument.text", "opendocument", 4, ("lxml",)): "odt",
    Format("rtf", "application/rtf", "rtf", 2): "rtf",
    Format("rst", "text/x-rst", "pandoc", 3, _PANDOC): "rst",
    Format("org", "text/org", "pandoc", 3, _PANDOC): "org",
    Format("xml", "application/xml", "data", 2, _MARKUP): "xml",
    Format("json", "application/json", "data", 2, _TEXT): "json",
    Format("jsonl", "application/x-ndjson", "data", 2, _TEXT): "jsonl ndjson",
    Format("png", "image/png", "ocr", 2, ("pillow",), ("tesseract",)): "png",
    Format("jpeg", "image/jpeg", "ocr", 2, ("pillow",), ("tesseract",)): "jpg jpeg",
    Format("tiff", "image/tiff", "ocr", 2, ("pillow",), ("tesseract",)): "tif tiff",
    Format("bmp", "image/bmp", "ocr", 2, ("pillow",), ("tesseract",)): "bmp",
    Format("webp", "image/webp", "ocr", 2, ("pillow",), ("tesseract",)): "webp",
}

#: Format by suffix, lower case, with its dot.
BY_SUFFIX: dict[str, Format] = {
    f".{suffix}": format for format, suffixes in _FORMATS.items() for suffix in suffixes.split()
}

CONTENT_TYPES = frozenset(format.content_type for format in _FORMATS)

BY_NAME: dict[str, Format] = {format.name: format for format in _FORMATS}

#: Other content types that sources give for a format.
_ALIASES = {
    "application/csv": ".csv",
    "application/jsonl": ".jsonl",
    "application/jsonlines": ".jsonl",
    "application/x-pdf": ".pdf",
    "application/xhtml+xml": ".html",
    "image/jpg": ".jpg",
    "image/x-ms-bmp": ".bmp",
    "text/json": ".json",
    "text/rtf": ".rtf",
    "text/x-markdown": ".md",
    "text/xml": ".xml",
}
#: Suffix by content type, lower case, without parameters.
_BY_CONTENT_TYPE = {
    **{format.content_type: f".{suffixes.split()[0]}" for format, suffixes in _FORMATS.items()},
    **_ALIASES,
}
#: Content types that stand for unknown.
_UNSPECIFIC = frozenset({"application/octet-stream", "binary/octet-stream", "application/x-unknown"})

#: Characters of a content type that a message repeats.
_SHOWN_MAX = 100

#: Modules of the child, in the order in which `Parser.warm` loads them.
MODULES = tuple(dict.fromkeys(format.module for format in _FORMATS))


def suffix_of(uri: str) -> str:
    """The suffix that decides the format, lower case with its dot; "" when there is none."""
    stem, dot, suffix = uri.rpartition("/")[2].rpartition(".")
    return dot + suffix.lower() if stem else ""


def of(entry: Entry) -> str:
    """The suffix that stands for the document's format: by the content type that its source gives, else the
    one of its uri. A content type that no format has stands for itself; "" when neither is known."""
    if entry.format is None:
        return suffix_of(entry.uri)
    stated = entry.format.partition(";")[0].strip().lower()
    return suffix_of(entry.uri) if stated in _UNSPECIFIC else _BY_CONTENT_TYPE.get(stated, stated)


def format_of(uri: str) -> Format | None:
    """The format of a document by its uri alone; None when its type is not supported."""
    return BY_SUFFIX.get(suffix_of(uri))


def why_unsupported(stated: str) -> str:
    """A sentence about a document for which `of` gives no supported format."""
    if not stated.strip("."):
        return "It has no type."
    shown = "".join(char if char.isprintable() else " " for char in stated[:_SHOWN_MAX])
    return f"{'Files' if stated.startswith('.') else 'Documents'} of type {shown} cannot be parsed."


def fingerprint(format: Format, *, chunking: str) -> str:
    """Extraction fingerprint of a format; `chunking` names the chunker and its settings."""
    return format.fingerprint(chunking=chunking)


def fingerprints(chunking: str) -> dict[str, str]:
    """Extraction fingerprint by suffix (`of`), for plans that ask for many documents."""
    by_format = {format: format.fingerprint(chunking=chunking) for format in _FORMATS}
    return {suffix: by_format[format] for suffix, format in BY_SUFFIX.items()}


def missing_programs() -> dict[str, Iterable[str]]:
    """Helper programs that are not installed, with the suffixes that cannot be read without them."""
    wanted: dict[str, list[str]] = {}
    for suffix, format in BY_SUFFIX.items():
        for program in format.programs:
            if not _installed(program):
                wanted.setdefault(program, []).append(suffix)
    return {program: tuple(suffixes) for program, suffixes in wanted.items()}


def _version(package: str) -> str:
    return _versions().get(_normal(package), "")


@cache
def _versions() -> dict[str, str]:
    """Version by distribution, from the names of their folders: reading every METADATA takes 30 ms."""
    found: dict[str, str] = {}
    for place in sys.path:
        with contextlib.suppress(OSError):
            for name in (entry.name for entry in Path(place).iterdir()):
                if name.endswith(".dist-info"):
                    distribution, _, version = name.removesuffix(".dist-info").partition("-")
                    found.setdefault(_normal(distribution), version)
    return found


def _normal(package: str) -> str:
    return package.lower().replace("_", "-").replace(".", "-")


@cache
def _installed(program: str) -> bool:
    return shutil.which(program) is not None
