"""Documents that grow: in memory, in time, in depth or on the disk."""

from __future__ import annotations

import struct
import zipfile
from functools import partial
from pathlib import Path

from tests import documents
from tests.promises.hostile import (
    DAMAGED,
    DEEP,
    ENTITIES,
    GROWS,
    MEMORY,
    PARTS,
    SLOW,
    TEXT,
    Maker,
    Scene,
    harmless,
    quarantined,
    skipped,
)

_MIB = 1 << 20

# ── Archives ──────────────────────────────────────────────────────────────────────────────────────────

#: Of each container: the part that holds its text, where in it markup may be put, and a piece of markup that
#: may stand there any number of times.
_ROOM = {
    "docx": ("word/document.xml", b"<w:p>", b"<w:p/>"),
    "pptx": ("ppt/slides/slide1.xml", b"<a:p>", b"<a:p/>"),
    "xlsx": ("xl/worksheets/sheet1.xml", b"<row ", b"<row/>"),
    "odt": ("content.xml", b"<text:p>", b"<text:p/>"),
    "epub": ("chapter1.xhtml", b"<p>", b"<p></p>"),
}


def sample(path: Path, text: str = "A sound text") -> Path:
    """A sound document of the format that the suffix names."""
    match path.suffix[1:]:
        case "docx":
            return documents.docx(path, [("Normal", text)])
        case "pptx":
            return documents.pptx(path, [("A title", text, "")])
        case "xlsx":
            return documents.xlsx(path, {"Sheet": [[text, "Other"], [1, 2]]})
        case "odt":
            return documents.odt(path, f"<text:p>{text}</text:p>")
        case "epub":
            return documents.epub(path, "A book", [f"<p>{text}</p>"])
        case "pdf":
            return documents.pdf(path, [[(12, text)]])
        case "png" | "jpeg" | "tiff" | "bmp" | "webp" as suffix:
            return documents.image(path, text, suffix.upper())
        case "eml":
            return documents.eml(path, subject="A subject", text=text)
        case "msg":
            return documents.msg(path, subject="A subject", text=text)
        case "rtf":
            return documents.rtf(path, rf"{text}\par")
        case "json":
            path.write_text(f'{{"text": "{text}"}}')
        case "html" | "xml":
            path.write_text(f"<html><body><p>{text}</p></body></html>")
        case _:
            path.write_text(text)
    return path


def rewritten(path: Path, part: str, old: bytes, new: bytes) -> None:
    """Replace the first such bytes in one part of an archive; they must be there."""
    with zipfile.ZipFile(path) as archive:
        parts = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in parts:
            if entry.filename == part:
                assert old in data, (part, old)
                data = data.replace(old, new, 1)
            archive.writestr(entry, data, entry.compress_type, 1)


def added(path: Path, name: str, data: bytes) -> None:
    """Add a file to an archive."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, data)


def _inflating(size: int, path: Path, scene: Scene) -> None:
    """A sound container whose text grows to this size, or to a gigabyte."""
    _grow(sample(path), 8 * size if scene.large else size)


def _grow(path: Path, size: int) -> None:
    """Put this much markup into the text of a container, a mebibyte at a time: it takes less time to make
    than as a whole."""
    part, mark, piece = _ROOM[path.suffix[1:]]
    block = piece * (_MIB // len(piece))
    with zipfile.ZipFile(path) as archive:
        parts = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for entry, data in parts:
            if entry.filename != part:
                archive.writestr(entry, data, entry.compress_type, 1)
                continue
            before, found, after = data.partition(mark)
            assert found, (part, mark)
            with archive.open(part, "w") as file:
                file.write(before)
                for _ in range(size // len(block)):
                    file.write(block)
                file.write(found + after)


def _heavy(path: Path, scene: Scene) -> None:
    """As large as is let through, and then too much for the memory or the time."""
    _grow(sample(path), 110 * _MIB)


for _suffix in _ROOM:
    quarantined(f"bomb.{_suffix}", GROWS)(partial(_inflating, 136 * _MIB))
    quarantined(f"heavy.{_suffix}", SLOW, MEMORY, seconds=2)(_heavy)


@skipped("bomb.zip")
def _(path: Path, scene: Scene) -> None:
    documents.zipped(path, {"zeros": bytes(100 * _MIB)})


@quarantined("renamed-bomb.docx", GROWS)
def _(path: Path, scene: Scene) -> None:
    documents.zipped(path, {"zeros": bytes(136 * _MIB)})


@harmless("nested-bomb.docx", "A sound text")
def _(path: Path, scene: Scene) -> None:
    """Archives in archives: the inner ones are never opened."""
    inner = documents.zipped(scene.outside / "inner.zip", {"zeros": bytes(64 * _MIB)}).read_bytes()
    for _level in range(4):
        again = {f"{number}.zip": inner for number in range(16)}
        inner = documents.zipped(scene.outside / "inner.zip", again).read_bytes()
    (scene.outside / "inner.zip").unlink()
    added(sample(path), "word/embeddings/inner.docx", inner)


@quarantined("lying-bomb.epub", DAMAGED)
def _(path: Path, scene: Scene) -> None:
    """Says of its text that it is small."""
    _inflating(16 * _MIB, path, scene)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("chapter1.xhtml").file_size
    path.write_bytes(data.replace(struct.pack("<I", size), struct.pack("<I", 100)))


@quarantined("overlapping-bomb.odt", GROWS, DAMAGED)
def _(path: Path, scene: Scene) -> None:
    """A thousand entries that share one body."""
    documents.zipped(path, {"content.xml": bytes(_MIB)})
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    entry = data[start : data.index(b"PK\5\6")]
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1000, 1000, 1000 * len(entry), start, 0)
    path.write_bytes(data[:start] + entry * 1000 + end)


@quarantined("many-entries.docx", r"^The document is an archive of more than \d+ files\.$")
def _(path: Path, scene: Scene) -> None:
    sample(path)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(25_000):
            archive.writestr(f"word/media/{number}", b"")


@quarantined("far-cells.xlsx", SLOW, MEMORY, TEXT, seconds=2)
def _(path: Path, scene: Scene) -> None:
    """Each row has one cell, in the last column of all."""
    rows = b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (n, n) for n in range(3, 60_000))
    rewritten(sample(path), "xl/worksheets/sheet1.xml", b"</sheetData>", rows + b"</sheetData>")


_SHEETS = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@quarantined("shared-string.xlsx", SLOW, MEMORY, TEXT, seconds=2)
def _(path: Path, scene: Scene) -> None:
    """One long text, named by a hundred thousand cells."""
    rows = b'<row><c t="s"><v>0</v></c></row>' * 100_000
    rewritten(sample(path), "xl/worksheets/sheet1.xml", b"</sheetData>", rows + b"</sheetData>")
    added(path, "xl/sharedStrings.xml", b"<sst xmlns='%b'><si><t>%b</t></si></sst>" % (_SHEETS, b"x" * _MIB))
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    told = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%b"/></Types>' % kind
    rewritten(path, "[Content_Types].xml", b"</Types>", told)


# ── Entities ──────────────────────────────────────────────────────────────────────────────────────────

#: Ten times ten times ten …
_LAUGHS = '<!DOCTYPE r [<!ENTITY e0 "laugh">' + "".join(
    f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 13)
) + "]>"  # fmt: skip


def _laughing(path: Path, scene: Scene) -> None:
    part, mark, _ = _ROOM[path.suffix[1:]]
    rewritten(sample(path), part, mark, b"&e12;" + mark)
    with zipfile.ZipFile(path) as archive:
        data = archive.read(part)
    start = data.index(b"?>") + 2 if data.startswith(b"<?xml") else 0
    rewritten(path, part, data, data[:start] + _LAUGHS.encode() + data[start:])


for _suffix in ("docx", "pptx", "xlsx", "odt"):
    quarantined(f"laughs.{_suffix}", ENTITIES, *([DAMAGED] if _suffix == "xlsx" else []))(_laughing)
harmless("laughs.epub", "A sound text")(_laughing)


@quarantined("laughs.xml", ENTITIES)
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"{_LAUGHS}<r>before &e12; after</r>")


@quarantined("laughs-in-attribute.xml", ENTITIES)
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"{_LAUGHS}<r a='&e12;'>before</r>")


@harmless("laughs.html", "before")
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"{_LAUGHS}<html><body><p title='&e12;'>before &e12; after</p></body></html>")


@skipped("laughs.svg")
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"{_LAUGHS}<svg><text>&e12;</text></svg>")


@quarantined("quadratic.xml", ENTITIES)
def _(path: Path, scene: Scene) -> None:
    long = "x" * 200_000
    path.write_text(f'<!DOCTYPE r [<!ENTITY e "{long}">]><r>before {"&e;" * 100_000}</r>')


@harmless("aliases.md", "A sound text")
def _(path: Path, scene: Scene) -> None:
    """The same in YAML: lists of the same lists."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12))
    path.write_text(f"---\nl0: &l0 laugh\n{levels}---\nA sound text\n")


# ── Depth ─────────────────────────────────────────────────────────────────────────────────────────────

_DEPTH = 100_000


def _written(text: str) -> Maker:
    def make(path: Path, scene: Scene) -> None:
        path.write_text(text)

    return make


quarantined("deep.html", DEEP)(_written("<div>" * _DEPTH + "deep" + "</div>" * _DEPTH))
quarantined("deep-tables.html", DEEP)(_written("<table><tr><td>" * _DEPTH + "deep"))
harmless("deep-inline.html", "deep")(_written("<p>" + "<b><i>" * 100 + "deep"))
quarantined("deep.xml", DEEP)(_written("<a>" * _DEPTH + "deep" + "</a>" * _DEPTH))
quarantined("deep.json", DEEP)(_written("[" * _DEPTH + "]" * _DEPTH))
quarantined("deep-objects.json", DEEP)(_written('{"a":' * _DEPTH + "1" + "}" * _DEPTH))
quarantined("deep-quotes.md", DEEP)(_written(">" * _DEPTH + " deep"))
quarantined("deep-lists.md", DEEP)(_written("- " * 20_000 + "deep"))
quarantined("deep-emphasis.md", DEEP, SLOW, seconds=2)(
    _written("*a **b " * _DEPTH + "deep" + "** *" * _DEPTH)
)
harmless("deep-brackets.md", "[[[[deep](x)](x)")(_written("[" * 5_000 + "deep" + "](x)" * 5_000))


@harmless("deep-front-matter.md", "deep")
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"---\na: {'[' * (4_000 if scene.large else 1_500)}\n---\ndeep")


harmless("deep.rtf", "deep")(_written(r"{\rtf1 " + "{" * _DEPTH + "deep" + "}" * _DEPTH + "}"))
harmless("deep.org", "deep")(_written("*" * _DEPTH + " deep"))
harmless("deep.rst", "deep")(_written("> " * 4_000 + " deep"))


# ── Patterns that are hard to match ───────────────────────────────────────────────────────────────────

_HARD = {
    "backticks": "".join("`" * n + " " for n in range(1, 200)),
    "comments": "<!--" * 20_000,
    "definitions": "[a]: " * 4_000,
    "links": "[a](" * 4_000,
    "stars": "*a_ " * 3_000,
    "tables": "|" * 3_000 + "\n" + "|-" * 3_000,
    "entities": "&" * 10_000 + ";",
    "tags": "<a " + "a=" * 4_000,
    "rules": "---\n" * 5_000,
    "spaces": "a" + " " * 500_000 + "b",
}
for _name, _text in _HARD.items():
    harmless(f"hard-{_name}.md")(_written(_text))


# ── Much text ─────────────────────────────────────────────────────────────────────────────────────────


quarantined("many-parts.txt", PARTS)(_written("a\n\n" * 100_001))
#: Each of these stands in every chunk, or could.
_LONG = "long word " * 50_000
harmless("long-title.md", "A sound text")(_written(f"---\ntitle: {_LONG}\n---\nA sound text\n\n# B\n\nb\n"))
harmless("long-heading.md", "A sound text")(_written(f"# {_LONG}\n\nA sound text\n\n## B\n\nb\n"))
harmless("long-owner.md", "A sound text")(_written(f"---\nowner: {_LONG}\n---\nA sound text\n\n# B\n\nb\n"))
_DATA = "A" * 2_000_000
harmless("long-data.md", "A sound text")(
    _written(
        f"A sound text ![x](data:image/png;base64,{'A' * 2_000_000})\n\n<img src='data:,{'A' * 2_000_000}'>\n"
    )
)
harmless("long-data.html", "A sound text")(_written(f"<p>A sound text<img src='data:,{_DATA * 10}'>"))


@harmless("columns.csv", "a | a | a | a | b")
def _(path: Path, scene: Scene) -> None:
    path.write_text("a," * (200_000 if scene.large else 20_000) + "b\n")


@quarantined("one-line.csv", TEXT)
def _(path: Path, scene: Scene) -> None:
    path.write_bytes(b"a" * (49_000_000 if scene.large else 34_000_000))
