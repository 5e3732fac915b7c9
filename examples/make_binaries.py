"""Write the example documents whose formats are not text: DOCX, ODT, EPUB, RTF, PPTX, XLSX, PDF and MSG.

They are committed, so nobody needs to run this to try freshkb. Edit the texts in ``originals/``, then::

    .venv/bin/python examples/make_binaries.py

The same texts give the same bytes, whatever the clock says.
"""

from __future__ import annotations

import csv
import os
import re
import struct
import sys
import textwrap
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MOMENT = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
"""What the documents say about when they were made."""

PANDOC = {".docx", ".odt", ".epub", ".rtf", ".pptx"}


def write_with_pandoc(text: Path, target: Path) -> None:
    import pypandoc

    os.environ["SOURCE_DATE_EPOCH"] = str(int(MOMENT.timestamp()))
    pypandoc.convert_file(str(text), target.suffix[1:], "markdown", ["--standalone"], outputfile=str(target))


def write_workbook(table: Path, target: Path) -> None:
    """One sheet, its first row in bold."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.create_sheet(target.stem.replace("-", " ").capitalize())
    book.remove(book.worksheets[0])
    with table.open(encoding="utf-8", newline="") as rows:
        for row in csv.reader(rows):
            sheet.append([float(cell) if re.fullmatch(r"\d+(\.\d+)?", cell) else cell for cell in row])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    book.properties.creator = "Fernhill Cargo Bikes"
    book.properties.created = MOMENT.replace(tzinfo=None)
    book.save(target)


def repack(archive: Path) -> None:
    """Write the archive's members again, in their order, without the time at which they were written."""
    moment = MOMENT.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(archive) as old:
        members = [(item.filename, old.read(item), item.compress_type) for item in old.infolist()]
    with zipfile.ZipFile(archive, "w") as new:
        for name, data, compression in members:
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, data)
            new.writestr(zipfile.ZipInfo(name, MOMENT.timetuple()[:6]), data, compression, compresslevel=9)


# ── PDF ───────────────────────────────────────────────────────────────────────────────────────────────


def write_pdf(text: Path, target: Path) -> None:
    """Headings (``#``, ``##``) and paragraphs in Helvetica on A4; a line of ``---`` starts a new page."""
    source = text.read_text(encoding="utf-8")
    pages = source.split("\n---\n")
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    title = source.splitlines()[0].lstrip("# ")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        content = b"\n".join(_page(page))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (6 + 2 * number)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    objects.append(b"<< /Title (%s) /Author (Fernhill Cargo Bikes) >>" % _literal(title))

    body, offsets = b"%PDF-1.4\n", []
    for number, value in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"<< /Size %d /Root 1 0 R /Info %d 0 R >>" % (len(objects) + 1, len(objects))
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, entries)
    target.write_bytes(body + table + b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, len(body)))


def _page(markup: str) -> Iterator[bytes]:
    """The operators that show a page's blocks from top to bottom."""
    y = 770
    yield b"BT"
    for block in markup.strip().split("\n\n"):
        level = len(block) - len(block.lstrip("#"))
        font, size, width = [("F1", 11, 88), ("F2", 20, 50), ("F2", 14, 70)][level]
        for line in textwrap.wrap(block.lstrip("# ").replace("\n", " "), width):
            yield f"/{font} {size} Tf 1 0 0 1 64 {y} Tm (".encode() + _literal(line) + b") Tj"
            y -= size + 5
        y -= 10
    yield b"ET"


def _literal(text: str) -> bytes:
    return re.sub(rb"([\\()])", rb"\\\1", text.encode("cp1252"))


# ── MSG: an Outlook message is a folder tree of properties in a compound file ([MS-OXMSG], [MS-CFB]) ──

SECTOR, MINI_SECTOR, MINI_LIMIT = 512, 64, 4096
FREE, END, FAT_SECTOR, NO_ENTRY = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
Tree = Mapping[str, "bytes | Tree"]


def write_message(text: Path, target: Path) -> None:
    """A plain-text message with sender and recipient, from a file that holds it as e-mail."""
    mail = message_from_bytes(text.read_bytes(), policy=policy.default)
    sender, recipient = (mail[name].addresses[0] for name in ("from", "to"))
    body = mail.get_content().replace("\n", "\r\n")
    since_1601 = mail["date"].datetime.astimezone(UTC) - datetime(1601, 1, 1, tzinfo=UTC)
    fixed = {
        (0x0039, 0x0040): int(since_1601.total_seconds()) * 10_000_000,  # sent at
        (0x340D, 0x0003): 0x00040000,  # strings are Unicode
    }
    strings = {
        0x001A: "IPM.Note",
        0x0037: mail["subject"],
        0x0C1A: sender.display_name,
        0x0C1E: "SMTP",
        0x0C1F: sender.addr_spec,
        0x0E04: recipient.display_name,
        0x1000: body,
    }
    address = recipient.addr_spec
    to = {0x3001: recipient.display_name, 0x3002: "SMTP", 0x3003: address, 0x39FE: address}
    tree: dict[str, bytes | Tree] = {
        "__nameid_version1.0": {f"__substg1.0_{stream}0102": b"" for stream in ("0002", "0003", "0004")},
        "__recip_version1.0_#00000000": _properties(bytes(8), to, {(0x0C15, 0x0003): 1, (0x3000, 0x0003): 0}),
        **_properties(struct.pack("<8x4I8x", 1, 0, 1, 0), strings, fixed),
    }
    target.write_bytes(compound_file(tree))


def _properties(
    header: bytes, strings: Mapping[int, str], fixed: Mapping[tuple[int, int], int]
) -> dict[str, bytes]:
    """The streams of one property set: those of variable length, and the list of them all."""
    streams = {f"__substg1.0_{key:04X}001F": value.encode("utf-16-le") for key, value in strings.items()}
    rows = [struct.pack("<HHIQ", kind, key, 6, value) for (key, kind), value in fixed.items()]
    # The stated length counts a terminating zero, which the stream leaves out.
    rows += [struct.pack("<HHIQ", 0x001F, key, 6, len(value) * 2 + 2) for key, value in strings.items()]
    return streams | {"__properties_version1.0": header + b"".join(rows)}


def compound_file(tree: Tree) -> bytes:
    """A compound file, version 3, of folders and small streams; ValueError for one above 4095 bytes."""
    entries: list[dict[str, Any]] = []
    mini, mini_fat = b"", list[int]()

    def add(name: str, node: bytes | Tree, kind: int) -> int:
        nonlocal mini
        entry = {"name": name, "kind": kind, "left": NO_ENTRY, "right": NO_ENTRY, "child": NO_ENTRY}
        entry |= {"start": 0, "size": 0}
        entries.append(entry)
        index = len(entries) - 1
        if isinstance(node, bytes):
            if len(node) >= MINI_LIMIT:
                raise ValueError(f"{name} holds {len(node)} bytes; this writer takes less than {MINI_LIMIT}")
            entry["start"], entry["size"] = (len(mini) // MINI_SECTOR if node else END), len(node)
            count = -(-len(node) // MINI_SECTOR)
            mini_fat.extend(_chain(len(mini_fat), count))
            mini += node.ljust(count * MINI_SECTOR, b"\0")
        else:
            children = sorted(node, key=lambda child: (len(child), child.upper()))
            numbers = [
                add(child, node[child], 2 if isinstance(node[child], bytes) else 1) for child in children
            ]
            entry["child"] = _search_tree(numbers, entries)
        return index

    add("Root Entry", tree, 5)
    while len(entries) % 4:
        blank = {"name": "", "kind": 0, "left": NO_ENTRY, "right": NO_ENTRY, "child": NO_ENTRY}
        entries.append(blank | {"start": 0, "size": 0})
    directory_sectors = len(entries) // 4
    mini_fat_sectors = -(-len(mini_fat) * 4 // SECTOR)
    mini_sectors = -(-len(mini) // SECTOR)
    first_mini_fat = 1 + directory_sectors
    entries[0] |= {"start": first_mini_fat + mini_fat_sectors, "size": len(mini)}
    fat = [FAT_SECTOR]
    for count in (directory_sectors, mini_fat_sectors, mini_sectors):
        fat.extend(_chain(len(fat), count))
    if len(fat) > SECTOR // 4:
        raise ValueError("the file needs more than one sector for its allocation table")
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII",
        bytes.fromhex("D0CF11E0A1B11AE1"),
        *(0x3E, 3, 0xFFFE, 9, 6),  # version, byte order, sizes of sectors and mini sectors as powers of two
        *(0, 1, 1, 0, MINI_LIMIT),  # directory count (0 in version 3), FAT sectors, first directory sector
        *(first_mini_fat, mini_fat_sectors, END, 0, 0),  # no further FAT sectors; the first is sector 0
    )
    header += struct.pack("<108I", *[FREE] * 108)
    return b"".join(
        [
            header,
            _table(fat),
            b"".join(_entry(entry) for entry in entries),
            _table(mini_fat),
            mini.ljust(mini_sectors * SECTOR, b"\0"),
        ]
    )


def _chain(first: int, count: int) -> list[int]:
    return [*range(first + 1, first + count), END] if count else []


def _table(numbers: list[int]) -> bytes:
    whole = -(-len(numbers) * 4 // SECTOR) * (SECTOR // 4)
    return struct.pack(f"<{whole}I", *numbers, *[FREE] * (whole - len(numbers)))


def _search_tree(numbers: list[int], entries: list[dict[str, Any]]) -> int:
    """Link sorted siblings as a balanced binary tree and return its top."""
    if not numbers:
        return NO_ENTRY
    middle = len(numbers) // 2
    entries[numbers[middle]]["left"] = _search_tree(numbers[:middle], entries)
    entries[numbers[middle]]["right"] = _search_tree(numbers[middle + 1 :], entries)
    return numbers[middle]


def _entry(entry: Mapping[str, Any]) -> bytes:
    name = entry["name"].encode("utf-16-le")
    length = len(name) + 2 if name else 0
    place = struct.pack(
        "<64sHBBIII", name, length, entry["kind"], 1, entry["left"], entry["right"], entry["child"]
    )
    return place + struct.pack("<36xIQ", entry["start"], entry["size"])


WRITERS = {".xlsx": write_workbook, ".pdf": write_pdf, ".msg": write_message}


def main(target: Path) -> None:
    for text in sorted(path for path in (HERE / "originals").rglob("*") if path.is_file()):
        # The text of `policies/expenses.docx` is `policies/expenses.docx.md`.
        document = (target / text.relative_to(HERE / "originals")).with_suffix("")
        document.parent.mkdir(parents=True, exist_ok=True)
        if document.suffix in PANDOC:
            write_with_pandoc(text, document)
        else:
            WRITERS[document.suffix](text, document)
        if zipfile.is_zipfile(document):
            repack(document)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "handbook")
