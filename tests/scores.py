"""Documents with known text, and how much of it a reader finds: words, order, headings, tables, title, date.

The same content is written in each format by libraries other than those that read it, as far as there are
some: Chromium prints the PDF, and markup is written by hand.
"""

from __future__ import annotations

import bisect
import html
import itertools
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx

from tests import documents

_SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "ri",
    "so",
    "tu",
    "va",
    "we",
    "xi",
    "yo",
    "zu",
]
#: A paragraph in each of some scripts: Greek, Cyrillic, Han, Kana, Hangul, Arabic, Hebrew, Devanagari.
_SCRIPTS = (
    "Καλημέρα κόσμε, τι κάνεις σήμερα;",
    "Съешь ещё этих мягких французских булок.",
    "你好，世界。",
    "こんにちは、テスト。",
    "안녕하세요 여러분",
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
)
_SCRIPTS_HEADING = "Other scripts"
#: What a document hides: found words of it cost precision.
_HIDDEN = "Quibble quagmire quokka."
_COMMON = ["the", "a", "of", "in", "and", "to", "for", "with", "on", "by"]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a level from 1, and what stands below it."""

    heading: str
    level: int
    paragraphs: tuple[str, ...]
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """Of a table, the header first. A first cell that is "" is merged with the one above."""


@dataclass(frozen=True, slots=True)
class Truth:
    title: str
    date: str
    """ISO."""
    sections: tuple[Section, ...]

    def words(self) -> list[str]:
        found: list[str] = []
        for section in self.sections:
            texts = (
                section.heading,
                *section.paragraphs,
                *section.items,
                *(c for row in section.rows for c in row),
            )
            found += words(" ".join(texts))
        return found


@dataclass(frozen=True, slots=True)
class Scores:
    """From 0 to 1; None where a format has no such thing."""

    recall: float
    """Share of the document's words that were found."""
    precision: float
    """Share of the words found that are the document's."""
    order: float
    """Kendall's tau of the words that occur once, as a share of pairs in order."""
    headings: float | None
    """Share of the paragraphs that stand below the right headings."""
    cells: float | None
    """Share of the cells of tables that stand under the right header, in the right row."""
    title: float | None
    date: float | None

    def values(self) -> dict[str, float | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def truth(seed: int) -> Truth:
    """A document of three chapters with two sections each, lists and a table."""
    chance = random.Random(seed)

    def word() -> str:
        return "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4)))

    def sentence() -> str:
        said = [chance.choice(_COMMON) if n % 3 == 1 else word() for n in range(chance.randint(8, 16))]
        return f"{said[0].capitalize()} {' '.join(said[1:])}."

    def paragraph() -> str:
        return " ".join(sentence() for _ in range(chance.randint(3, 6)))

    sections: list[Section] = []
    for chapter in range(3):
        sections.append(Section(f"{word()} {word()} {word()}".capitalize(), 1, (paragraph(), paragraph())))
        for part in range(2):
            listed = tuple(sentence() for _ in range(3)) if part else ()
            table = (
                (
                    ("Plan", "Price", "Seats"),
                    *((word(), str(chance.randint(10, 999)), word()) for _ in range(4)),
                    ("", str(chance.randint(1000, 9999)), word()),
                )
                if chapter == part
                else ()
            )
            sections.append(
                Section(f"{word()} {word()}".capitalize(), 2, (paragraph(), paragraph()), listed, table)
            )
        sections.append(Section(f"{word()} {word()}".capitalize(), 3, (paragraph(),)))
    sections.append(Section(_SCRIPTS_HEADING, 1, _SCRIPTS))
    return Truth(
        f"Report on {word()} {word()}".title(),
        f"20{chance.randint(10, 25)}-0{chance.randint(1, 9)}-15",
        tuple(sections),
    )


# ── Writers ───────────────────────────────────────────────────────────────────────────────────────────


def _markup(known: Truth, *, page: bool = False) -> str:
    parts = []
    for section in known.sections:
        parts.append(f"<h{section.level}>{section.heading}</h{section.level}>")
        parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
        if section.items:
            parts.append("<ul>" + "".join(f"<li>{item}</li>" for item in section.items) + "</ul>")
        if section.rows:
            head, *rows = section.rows
            cells = "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"
            cells += "".join("<tr>" + _markup_row(row, below) + "</tr>" for row, below in _pairs(rows))
            parts.append(f"<table>{cells}</table>")
    return "\n".join(parts)


def _pairs(rows: Sequence[Sequence[str]]) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Each row with the one below it."""
    return list(zip(rows, [*rows[1:], ("-",)], strict=False))


def _markup_row(row: Sequence[str], below: Sequence[str]) -> str:
    first = f"<td{' rowspan=2' if not below[0] else ''}>{row[0]}</td>" if row[0] else ""
    return first + "".join(f"<td>{cell}</td>" for cell in row[1:])


def _html(path: Path, known: Truth) -> None:
    path.write_text(
        f"<!doctype html><html lang=en><head><title>{known.title}</title>"
        f'<meta name="date" content="{known.date}"></head>'
        "<body><nav><a href=/>Home</a> Products Imprint</nav>"
        f"<main>{_markup(known)}<p hidden>{_HIDDEN}</p></main>"
        "<footer>Copyright by somebody else</footer></body></html>"
    )


def _markdown(path: Path, known: Truth) -> None:
    parts = [f"---\ntitle: {known.title}\ndate: {known.date}\n---\n"]
    for section in known.sections:
        parts.append(f"{'#' * section.level} {section.heading}\n")
        parts += [f"{text}\n" for text in section.paragraphs]
        if section.items:
            parts.append("".join(f"- {item}\n" for item in section.items))
        if section.rows:
            head, *rows = section.rows
            lines = [head, ("---",) * len(head), *rows]
            parts.append("".join(f"| {' | '.join(row)} |\n" for row in lines))
    path.write_text("\n".join(parts))


def _pdf(path: Path, known: Truth, *, columns: int = 1) -> None:
    known = _for_print(known)
    page = path.with_suffix(".page.html")
    style = (
        f"@page{{margin:2cm;@top-center{{content:'{known.title}'}}@bottom-center{{content:counter(page)}}}}"
        "body{font:10pt serif;text-align:justify;hyphens:auto}"
        "td,th{padding:2px 14px;border:1px solid} table{margin:8px 0}"
        "h1{font-size:17pt} h2{font-size:14pt} h3{font-size:12pt}"
    )
    page.write_text(
        f"<html lang=en><head><title>{known.title}</title><style>{style}</style></head>"
        f"<body><div{f' style=columns:{columns}' if columns > 1 else ''}>{_markup(known)}</div></body></html>"
    )
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--user-data-dir={path.parent / 'chromium'}", f"--print-to-pdf={path}", str(page)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip


def _for_print(known: Truth) -> Truth:
    """Without other scripts, for which this machine may have no fonts, and without merged cells."""
    sections = [
        replace(section, rows=tuple(row for row in section.rows if row[0]))
        for section in known.sections
        if section.heading != _SCRIPTS_HEADING
    ]
    return replace(known, sections=tuple(sections))


def _two_columns(path: Path, known: Truth) -> None:
    _pdf(path, known, columns=2)


def _docx(path: Path, known: Truth) -> None:
    blocks: list[tuple[str, object]] = []
    for section in known.sections:
        blocks.append((f"Heading {section.level}", section.heading))
        blocks += [("Normal", text) for text in section.paragraphs]
        blocks += [("List Bullet", item) for item in section.items]
        if section.rows:
            blocks.append(("table", section.rows))
    documents.docx(path, blocks, title=known.title)
    document = docx.Document(str(path))
    for table in document.tables:
        for above, row in itertools.pairwise(table.rows):
            if not row.cells[0].text:
                above.cells[0].merge(row.cells[0]).text = above.cells[0].text.strip()
    document.add_paragraph().add_run(_HIDDEN).font.hidden = True
    document.save(str(path))


def _odt(path: Path, known: Truth) -> None:
    parts = []
    for section in known.sections:
        parts.append(f'<text:h text:outline-level="{section.level}">{section.heading}</text:h>')
        parts += [f"<text:p>{html.escape(text)}</text:p>" for text in section.paragraphs]
        items = "".join(f"<text:list-item><text:p>{i}</text:p></text:list-item>" for i in section.items)
        parts.append(f"<text:list>{items}</text:list>" if items else "")
        rows = "".join(
            "<table:table-row>"
            + "".join(_odt_cell(cell, below) for cell, below in zip(row, (*under, "-", "-"), strict=False))
            + "</table:table-row>"
            for row, under in _pairs(section.rows)
        )
        parts.append(f"<table:table>{rows}</table:table>" if rows else "")
    parts.append(f"<text:p><text:hidden-text>{_HIDDEN}</text:hidden-text></text:p>")
    documents.odt(path, "".join(parts))


def _odt_cell(cell: str, below: str) -> str:
    if not cell:
        return "<table:covered-table-cell/>"
    spans = "" if below else ' table:number-rows-spanned="2"'
    return f"<table:table-cell{spans}><text:p>{cell}</text:p></table:table-cell>"


def _rtf(path: Path, known: Truth) -> None:
    parts = []
    for section in known.sections:
        parts.append(rf"\pard\outlinelevel{section.level - 1}\b {section.heading}\b0\par")
        parts += [rf"\pard {_escaped(text)}\par" for text in (*section.paragraphs, *section.items)]
        for row, below in _pairs(section.rows):
            merges = [r"\clvmrg" if not row[0] else r"\clvmgf" if not below[0] else ""]
            merges += [""] * (len(row) - 1)
            stops = "".join(rf"{merge}\cellx{2000 * n}" for n, merge in enumerate(merges, start=1))
            parts.append(rf"\trowd{stops}" + "".join(rf"\pard\intbl {cell}\cell" for cell in row) + r"\row")
    parts.append(rf"\pard{{\v {_HIDDEN}}}\par")
    documents.rtf(path, "\n".join(parts), title=known.title)


def _escaped(text: str) -> str:
    units = text.encode("utf-16-le")
    codes = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
    return "".join(chr(code) if 0 < code < 128 else rf"\u{code}?" for code in codes)


def _epub(path: Path, known: Truth) -> None:
    body = _markup(known)
    documents.epub(path, known.title, [body])


def _eml(path: Path, known: Truth) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = known.title, "a@example.com", "b@example.com"
    message["Date"] = f"{known.date}T10:00:00+00:00"
    year, month, day = known.date.split("-")
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][
        int(month) - 1
    ]
    message.replace_header("Date", f"{int(day)} {month} {year} 10:00:00 +0000")
    message.set_content("Plain.")
    message.add_alternative(f"<html><body>{_markup(known)}</body></html>", subtype="html")
    path.write_bytes(message.as_bytes())


def _xlsx(path: Path, known: Truth) -> None:
    rows = next(section.rows for section in known.sections if section.rows)
    documents.xlsx(path, {"Plans": rows}, title=known.title)


def _pptx(path: Path, known: Truth) -> None:
    slides = [(s.heading, "\n".join((*s.paragraphs, *s.items)), "") for s in known.sections]
    # Its properties are those of an older show.
    documents.pptx(path, [(known.title, "", ""), *slides], title="PowerPoint Presentation")


def _reduced_to_table(known: Truth) -> Truth:
    rows = next(section.rows for section in known.sections if section.rows)
    return Truth(known.title, known.date, (Section("Plans", 2, (), (), rows),))


def _reduced_to_slides(known: Truth) -> Truth:
    sections = [Section(s.heading, 1, s.paragraphs, s.items) for s in known.sections]
    return Truth(known.title, known.date, (Section(known.title, 1, ()), *sections))


#: Sentences in the code pages of old machines, by page.
_OLD = {
    "cp1252": ("The fee is £30 – or €35 – per person.", "Le café est fermé à l’été. Où êtes-vous ?"),
    "cp1250": ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "Zażółć gęślą jaźń, proszę zapłacić 30 złotych."),
    "koi8-r": ("Съешь ещё этих мягких французских булок, да выпей чаю.", "Широкая электрификация."),
    "shift_jis": ("これは日本語のテキストです。", "よろしくお願いします。"),
    "utf-16": ("Fifteen £ and ten €.", "Ελληνικά και русский."),
}


def _old_text(path: Path, known: Truth) -> None:
    (section,) = _reduced_to_old(known).sections
    page = list(_OLD)[sum(map(ord, known.title)) % len(_OLD)]
    path.write_bytes("\n\n".join(section.paragraphs).encode(page))


def _reduced_to_old(known: Truth) -> Truth:
    page = list(_OLD)[sum(map(ord, known.title)) % len(_OLD)]
    return Truth("", "", (Section("", 1, _OLD[page]),))


@dataclass(frozen=True, slots=True)
class Kind:
    """A format: its suffix, the function that writes it, and what of the truth it holds."""

    suffix: str
    write: Callable[[Path, Truth], None]
    holds: Callable[[Truth], Truth] = lambda known: known
    titled: bool = True
    dated: str = ""
    """Name of the property with the document's own date; "" where the writer gives none."""
    headed: bool = True
    needs: str = ""
    """A program."""


KINDS = {
    "Markdown": Kind(".md", _markdown, dated="date"),
    "HTML": Kind(".html", _html, dated="date"),
    "text, old code pages": Kind(".txt", _old_text, holds=_reduced_to_old, titled=False, headed=False),
    "PDF": Kind(".pdf", _pdf, holds=_for_print, needs="chromium"),
    "PDF, two columns": Kind(".pdf", _two_columns, holds=_for_print, needs="chromium"),
    "Word": Kind(".docx", _docx),
    "OpenDocument": Kind(".odt", _odt, titled=False),
    "RTF": Kind(".rtf", _rtf),
    "EPUB": Kind(".epub", _epub),
    "mail": Kind(".eml", _eml, dated="sent"),
    "Excel": Kind(".xlsx", _xlsx, holds=_reduced_to_table),
    "PowerPoint": Kind(".pptx", _pptx, holds=_reduced_to_slides),
}


def written(kind: Kind, folder: Path, seed: int) -> tuple[Path, Truth] | None:
    """A document of this kind and what is true of it; None where the program is missing that writes it."""
    if kind.needs and shutil.which(kind.needs) is None:
        return None
    known = truth(seed)
    path = folder / f"{seed}{kind.suffix}"
    kind.write(path, known)
    return path, kind.holds(known)


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────

#: What a reader has found: (text, headings above it, whether it is a table of cells between bars).
Found = Sequence[tuple[str, tuple[str, ...], bool]]


def score(kind: Kind, known: Truth, found: Found, title: str, properties: dict[str, Any]) -> Scores:
    said = [word for text, _, _ in found for word in words(text)]
    wanted = known.words()
    common = (Counter(said) & Counter(wanted)).total()
    headings = kind.headed and any(section.paragraphs for section in known.sections)
    rows = any(section.rows for section in known.sections)
    return Scores(
        common / len(wanted),
        common / max(1, len(said)),
        _order(wanted, said),
        _headed(known, found) if headings else None,
        _cells(known, found) if rows else None,
        float(title == known.title) if kind.titled else None,
        float(str(properties.get(kind.dated, "")).startswith(known.date)) if kind.dated else None,
    )


def mean(scores: Sequence[Scores]) -> Scores:
    values = [one.values() for one in scores]

    def of(name: str) -> Any:
        given = [found for value in values if (found := value[name]) is not None]
        return sum(given) / len(given) if given else None

    return Scores(**{name: of(name) for name in values[0]})


def _order(wanted: Sequence[str], said: Sequence[str]) -> float:
    once = {word for word, n in Counter(wanted).items() if n == 1} & {
        w for w, n in Counter(said).items() if n == 1
    }
    place = {word: number for number, word in enumerate(word for word in wanted if word in once)}
    seen: list[int] = []
    inverted = 0
    for number in (place[word] for word in said if word in once):
        at = bisect.bisect(seen, number)
        inverted += len(seen) - at
        seen.insert(at, number)
    pairs = len(seen) * (len(seen) - 1) / 2
    return 1 - inverted / pairs if pairs else 0.0


def _headed(known: Truth, found: Found) -> float:
    right = every = 0
    path: tuple[str, ...] = ()
    for section in known.sections:
        path = (*path[: section.level - 1], section.heading)
        for text in section.paragraphs:
            begin = words(text)[:5]
            above = [given for said, given, _ in found if _within(begin, words(said))]
            every += 1
            # A title may stand above the chapters.
            right += any(tuple(one[-len(path) :]) == path for one in above)
    return right / every


def _within(some: Sequence[str], every: Sequence[str]) -> bool:
    return any(list(every[at : at + len(some)]) == list(some) for at in range(len(every)))


def _cells(known: Truth, found: Found) -> float:
    right = every = 0
    tables = [
        [[cell.strip() for cell in line.split("|")] for line in text.split("\n")]
        for text, _, table in found
        if table
    ]
    for section in known.sections:
        if not section.rows:
            continue
        head, *rows = section.rows
        for row in rows:
            for name, cell in zip(head, row, strict=True):
                every += 1
                right += any(_stands(table, name, row[0], cell) for table in tables)
    return right / every


def _stands(table: Sequence[Sequence[str]], header: str, label: str, cell: str) -> bool:
    if not table or header not in table[0]:
        return False
    column = table[0].index(header)
    return any(row[:1] == [label] and len(row) > column and row[column] == cell for row in table[1:])
