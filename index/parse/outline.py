"""Elements in reading order with their headings, as every reader of a format builds them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from index.freshness.validity import claims
from index.model import HEADING_MAX, Diagnostic, Element, Link, Parsed
from index.parse.language import language_of

#: Breaks of lines and pages other than a newline.
_BREAKS = re.compile(r"\r\n|[\r\v\f]")
#: Control characters other than tab and newline, lone surrogates, soft hyphens and byte order marks:
#: invisible to readers, and refused by stores, ledgers or tokenizers.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f\xad\ud800-\udfff\ufeff\ufffe\uffff]")
_SPACES = re.compile(r"[ \t\r\n\f\v\u00a0]+")

#: Kinds of elements that hold sentences.
_SENTENCES = frozenset({"NarrativeText", "ListItem"})

#: Titles that programs give to what nobody has named.
_UNNAMED = re.compile(
    r"(?:untitled|unbenannt(?:es)?|sans titre|sin título|new|blank|microsoft|office|word|excel|powerpoint"
    r"|open|libreoffice|google|[\s\-_\[\]()])*"
    r"(?:document|dokument|presentation|präsentation|spreadsheet|workbook|sheet|book|slide|page|title)?"
    r"[\s\d_()\[\]]*",
    re.IGNORECASE,
)
#: The name of the file that was printed, with the program that printed it or a suffix.
_PRINTED = re.compile(
    r"(?:microsoft (?:office )?(?:word|powerpoint|excel)|word|powerpoint) - .*"
    r"|\S+\.(?:docx?|pptx?|xlsx?|xlsm|odt|ods|odp|rtf|indd|qxd|pub|pages|tex|dvi|ps|pdf|p65|fm|cdr|ai)",
    re.IGNORECASE,
)
#: Pieces of a title or of a text: "1st", "6.4 Internal PXC", "- 3 -".
_FRAGMENT = re.compile(r"\d+(?:st|nd|rd|th)|\d+\.\d+.*|[\W\d_]*", re.IGNORECASE | re.DOTALL)


class Unreadable(Exception):
    """The document cannot be read. The message is a full sentence that a person understands."""


def squeeze(text: str) -> str:
    """The text on one line, with single spaces."""
    return _SPACES.sub(" ", text).strip()


def clean(text: str) -> str:
    """The text without characters that are not text, its breaks as newlines."""
    return _UNWANTED.sub("", _BREAKS.sub("\n", text))


def _names(title: str) -> bool:
    """Whether a title names its document.

    >>> [_names(title) for title in ("Untitled spreadsheet", "Microsoft Word - a.doc", "Word 365 in brief")]
    [False, False, True]
    """
    return not any(pattern.fullmatch(title) for pattern in (_UNNAMED, _PRINTED, _FRAGMENT))


def _kept(value: Any) -> Any:
    """A property's value, its texts clean and not longer than other text that chunks repeat."""
    if isinstance(value, list):
        return [_kept(item) for item in value]
    return clean(value)[:HEADING_MAX] if isinstance(value, str) else value


class Outline:
    """Collects the elements of one document."""

    def __init__(self, *, letter: bool = False, guessed: bool = False) -> None:
        """`letter`: its sentences speak of the day on which it was sent, and claim nothing of later ones.
        `guessed`: its headings are, so that a fragment of one is no title."""
        self.elements: list[Element] = []
        self._letter = letter
        self._guessed = guessed
        self._said: list[tuple[str, tuple[str, ...]]] = []
        self._path: list[tuple[int, str]] = []
        self._tops: list[str] = []
        """The headings at the top."""

    def heading(self, text: str, level: int, page: int | None = None) -> None:
        """A heading; those of the same or a deeper level before it end here. Level 1 is the top."""
        text = squeeze(clean(text))
        if not text:
            return
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if len(text) > HEADING_MAX:
            self._append(text, "NarrativeText", page)
            return
        self._path.append((level, text))
        if level == 1 and not (self._guessed and _FRAGMENT.fullmatch(text)):
            self._tops.append(text)
        self._append(text, "Title", page)

    def end_sections(self) -> None:
        """End all headings: another slide, the notes at the end."""
        self._path.clear()

    def add(self, text: str, kind: str, page: int | None = None, said: str | None = None) -> None:
        """A block below the current headings. Blank ones are left out; newlines inside are kept.

        `said` is what the document itself says there, without quotes and code; None: all of the text.
        """
        text = clean(text).strip("\n").rstrip()
        if text.strip():
            self._append(text if kind == "CodeSnippet" else text.strip(), kind, page)
            if kind in _SENTENCES:
                self._said.append((text if said is None else said, self.elements[-1].heading_path))

    def table(self, rows: list[list[str]], page: int | None = None) -> None:
        """A table: a line for each row, its cells separated by bars, the header row first."""
        lines = []
        for row in rows:
            cells = [squeeze(cell) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                lines.append(" | ".join(cells))
        self.add("\n".join(lines), "Table", page)

    def extend(self, other: Outline) -> None:
        """Append the elements of another document (a body inside a mail) below the current headings."""
        above = tuple(text for _, text in self._path)
        self.elements += [Element(e.text, e.kind, (*above, *e.heading_path), e.page) for e in other.elements]

    def parsed(
        self,
        *,
        title: str = "",
        fallback_title: str = "",
        language: str | None = None,
        properties: Mapping[str, Any] | None = None,
        findings: Sequence[Diagnostic] = (),
        links: Sequence[Link] = (),
        anchors: Sequence[str] = (),
    ) -> Parsed:
        """The document. Its title is `title`, as its author gave it, else its one top heading, else
        `fallback_title`, a property that a program may have filled, when it names it, else the first of
        several top headings, which are chapters."""
        fallback = squeeze(clean(fallback_title))
        (first, *more) = self._tops or [""]
        named = (squeeze(clean(title)), "" if more else first, fallback if _names(fallback) else "", first)
        return Parsed(
            elements=tuple(self.elements),
            title=next(filter(None, named), "")[:HEADING_MAX],
            language=_kept(language) or language_of(self.elements),
            properties={clean(name): _kept(value) for name, value in (properties or {}).items()},
            findings=findings,
            links=links,
            anchors=anchors,
            claims=() if self._letter else claims(self._said),
        )

    def _append(self, text: str, kind: str, page: int | None) -> None:
        self.elements.append(Element(text, kind, tuple(heading for _, heading in self._path), page))
