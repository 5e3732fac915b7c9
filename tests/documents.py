"""Makers of small real files, one for each format that freshkb reads."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

Rows = Sequence[Sequence[object]]


def docx(
    path: Path,
    blocks: Sequence[tuple[str, object]],
    *,
    title: str = "",
    author: str = "",
) -> Path:
    """Blocks are (style, text), ("table", rows), ("page", None) for a page break, or ("xml", body markup)."""
    import docx as word
    from docx.enum.text import WD_BREAK
    from docx.oxml import parse_xml

    document = word.Document()
    document.core_properties.title = title
    document.core_properties.author = author
    for style, content in blocks:
        if style == "table":
            rows: Rows = content  # type: ignore[assignment]  # The style says what the content is.
            table = document.add_table(len(rows), len(rows[0]))
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    table.cell(r, c).text = str(cell)
        elif style == "page":
            document.paragraphs[-1].add_run().add_break(WD_BREAK.PAGE)
        elif style == "xml":
            document.element.body.insert(-1, parse_xml(str(content)))
        else:
            document.add_paragraph(str(content), style=style)
    document.save(str(path))
    return path


def pptx(path: Path, slides: Sequence[tuple[str, str, str]], *, title: str = "") -> Path:
    """Slides are (title, body lines, notes)."""
    from pptx import Presentation

    deck = Presentation()
    deck.core_properties.title = title
    for heading, body, notes in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    deck.save(str(path))
    return path


def xlsx(path: Path, sheets: Mapping[str, Rows], *, title: str = "") -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    book.properties.title = title
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def encrypted_office(path: Path, plain: Path, password: str = "secret") -> Path:
    """A Word, PowerPoint or Excel file behind a password."""
    from msoffcrypto.format.ooxml import OOXMLFile

    with plain.open("rb") as source, path.open("wb") as target:
        OOXMLFile(source).encrypt(password, target)
    return path


# ── PDF ───────────────────────────────────────────────────────────────────────────────────────────────

#: (size in points, text): a line, 1.2 times its size below the one before; an empty text is a gap.
Line = tuple[float, str]


def pdf(
    path: Path,
    pages: Sequence[Sequence[Line]],
    *,
    info: Mapping[str, str] | None = None,
    bookmarks: Sequence[tuple[str, int]] = (),
) -> Path:
    """Pages of lines in Helvetica; bookmarks are (title, page number), all at the top level."""
    file = _Pdf()
    font = file.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
    tree = file.reserve()
    kids = []
    for lines in pages:
        content = file.add_stream(_drawn(lines))
        kids.append(
            file.add(
                f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 612 792]/Contents {content} 0 R"
                f"/Resources<</Font<</F1 {font} 0 R>>>>>>"
            )
        )
    return file.save(path, tree, kids, info, bookmarks)


#: (left, baseline, size in points, text, font): fonts are F1 Helvetica, F2 the same in bold, F3 Courier.
Placed = tuple[float, float, float, str, str]


def placed_pdf(
    path: Path,
    pages: Sequence[Sequence[Placed]],
    *,
    attributes: str = "",
    landscape: bool = False,
    bookmarks: Sequence[tuple[str, int, float]] = (),
) -> Path:
    """Pages of texts in their places, drawn in this order; `attributes` are those of all pages, and bookmarks
    (title, page number, height that they point to). In `landscape` the places are those of the page as it is
    shown, turned to the right."""
    file = _Pdf()
    names = {"F1": "Helvetica", "F2": "Helvetica-Bold", "F3": "Courier"}
    fonts = {
        key: file.add(f"<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>")
        for key, name in names.items()
    }
    listed = "".join(f"/{key} {number} 0 R" for key, number in fonts.items())
    tree = file.reserve()
    kids = []
    for texts in pages:
        turned = "0 1 -1 0 {1:g} {0:g} Tm" if landscape else "1 0 0 1 {0:g} {2:g} Tm"
        drawn = "\n".join(
            f"BT /{font} {size:g} Tf {turned.format(left, 612 - base, base)} ({text}) Tj ET"
            for left, base, size, text, font in texts
        )
        content = file.add_stream(drawn.encode("cp1252"))
        kids.append(
            file.add(
                f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 612 792]{attributes}{'/Rotate 90' * landscape}"
                f"/Contents {content} 0 R/Resources<</Font<<{listed}>>>>>>"
            )
        )
    return file.save(path, tree, kids, None, bookmarks)


def drawn_pdf(
    path: Path,
    content: str,
    *,
    objects: Sequence[str | tuple[str, bytes]] = (),
    resources: str = "",
    attributes: str = "",
    catalog: str = "",
    every: str = "",
) -> Path:
    """A page with this content, whose font F1 is Helvetica. The objects, numbered from 1, are dictionaries,
    or streams as (entries, data); the other arguments are entries of the page's resources, of the page, of
    the catalog and of all pages, which may name them."""
    file = _Pdf()
    for one in objects:
        if isinstance(one, str):
            file.add(one)
        else:
            file.add_stream(one[1], one[0])
    font = file.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
    tree = file.reserve()
    drawn = file.add_stream(content.encode("cp1252"))
    fonts = "" if "/Font" in resources else f"/Font<</F1 {font} 0 R>>"
    size = "" if "/MediaBox" in every else "/MediaBox[0 0 612 792]"
    page = file.add(
        f"<</Type/Page/Parent {tree} 0 R{size}{attributes}/Contents {drawn} 0 R"
        f"/Resources<<{fonts}{resources}>>>>"
    )
    return file.save(path, tree, [page], catalog=catalog, every=every)


def form_pdf(path: Path, printed: str, filled: Sequence[str], *, drawn: bool) -> Path:
    """A page that says `printed`, with a form: text fields that hold these values, and a list from which the
    last one was chosen. Their appearance is in the file (`drawn`), as some programs write it, or not."""
    file = _Pdf()
    font = file.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
    fonts = f"<</Font<</F1 {font} 0 R>>>>"
    tree, page = file.reserve(), file.reserve()
    widgets = []
    for number, value in enumerate(filled):
        kind = "/Tx" if number + 1 < len(filled) else f"/Ch/Ff 131072/Opt[(Other)({value})]"
        look = ""
        if drawn:
            text = f"/Tx BMC q BT /F1 12 Tf 0 g 2 5 Td ({value}) Tj ET Q EMC".encode()
            box = "/Type/XObject/Subtype/Form/BBox[0 0 300 20]"
            look = f"/AP<</N {file.add_stream(text, f'{box}/Resources{fonts}')} 0 R>>"
        low = 600 - 40 * number
        widgets.append(
            file.add(
                f"<</Type/Annot/Subtype/Widget/FT{kind}/T(field{number})/V({value})/F 4/P {page} 0 R"
                f"/Rect[100 {low} 400 {low + 20}]/DA(/F1 12 Tf 0 g){look}>>"
            )
        )
    fields = " ".join(f"{widget} 0 R" for widget in widgets)
    content = file.add_stream(_drawn([(12, printed)]))
    file.objects[page - 1] = (
        f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 612 792]/Contents {content} 0 R"
        f"/Resources{fonts}/Annots[{fields}]>>"
    ).encode()
    form = f"/AcroForm<</Fields[{fields}]/DA(/F1 12 Tf 0 g)/DR{fonts}>>"
    return file.save(path, tree, [page], catalog=form)


def scanned_pdf(path: Path, text: str) -> Path:
    """A PDF whose only page is a picture of a text."""
    from PIL import Image

    image = Image.open(io.BytesIO(_picture(text, "PNG"))).convert("L")
    file = _Pdf()
    tree = file.reserve()
    picture = file.add_stream(
        image.tobytes(),
        f"/Type/XObject/Subtype/Image/Width {image.width}/Height {image.height}"
        "/ColorSpace/DeviceGray/BitsPerComponent 8",
    )
    content = file.add_stream(b"612 0 0 100 0 600 cm /I1 Do")
    page = file.add(
        f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 612 792]/Contents {content} 0 R"
        f"/Resources<</XObject<</I1 {picture} 0 R>>>>>>"
    )
    return file.save(path, tree, [page])


def encrypted_pdf(path: Path, password: str = "secret") -> Path:
    """A PDF that says it is encrypted, by the standard handler, with hashes that no empty password meets."""
    file = _Pdf()
    tree = file.reserve()
    page = file.add(f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 612 792]>>")
    key = password.encode().ljust(32, b"\x01").hex()
    encrypt = f"<</Filter/Standard/V 2/R 3/Length 128/P -44/O<{key}>/U<{key}>>>"
    return file.save(path, tree, [page], trailer=f"/Encrypt {encrypt}/ID[<{key}><{key}>]")


def _drawn(lines: Sequence[Line]) -> bytes:
    drawn = []
    height = 740.0
    for size, text in lines:
        height -= size * 1.2
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        if text:
            drawn.append(f"BT /F1 {size:g} Tf 60 {height:.1f} Td ({escaped}) Tj ET")
    return "\n".join(drawn).encode("cp1252")


class _Pdf:
    def __init__(self) -> None:
        self.objects: list[bytes] = []

    def reserve(self) -> int:
        self.objects.append(b"")
        return len(self.objects)

    def add(self, text: str) -> int:
        self.objects.append(text.encode("latin-1"))
        return len(self.objects)

    def add_stream(self, data: bytes, entries: str = "") -> int:
        packed = zlib.compress(data)
        head = f"<</Length {len(packed)}/Filter/FlateDecode{entries}>>\nstream\n".encode()
        self.objects.append(head + packed + b"\nendstream")
        return len(self.objects)

    def save(
        self,
        path: Path,
        tree: int,
        kids: Sequence[int],
        info: Mapping[str, str] | None = None,
        bookmarks: Sequence[tuple[str, int] | tuple[str, int, float]] = (),
        trailer: str = "",
        catalog: str = "",
        every: str = "",
    ) -> Path:
        listed = " ".join(f"{kid} 0 R" for kid in kids)
        self.objects[tree - 1] = f"<</Type/Pages/Count {len(kids)}/Kids[{listed}]{every}>>".encode()
        root = f"<</Type/Catalog/Pages {tree} 0 R{catalog}"
        if bookmarks:
            outline = self.reserve()
            first = len(self.objects) + 1
            for number, (title, page, *top) in enumerate(bookmarks):
                place = f"/XYZ 0 {top[0]:g} 0" if top else "/Fit"
                following = f"/Next {first + number + 1} 0 R" if number + 1 < len(bookmarks) else ""
                self.add(
                    f"<</Title({title})/Parent {outline} 0 R/Dest[{kids[page - 1]} 0 R{place}]{following}>>"
                )
            last = len(self.objects)
            self.objects[outline - 1] = (
                f"<</Type/Outlines/First {first} 0 R/Last {last} 0 R/Count {len(bookmarks)}>>".encode()
            )
            root += f"/Outlines {outline} 0 R"
        home = self.add(root + ">>")
        if info:
            entries = "".join(f"/{key}({value})" for key, value in info.items())
            trailer += f"/Info {self.add(f'<<{entries}>>')} 0 R"
        data = bytearray(b"%PDF-1.7\n")
        offsets = []
        for number, content in enumerate(self.objects, start=1):
            offsets.append(len(data))
            data += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
        start = len(data)
        data += f"xref\n0 {len(offsets) + 1}\n0000000000 65535 f \n".encode()
        data += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
        data += f"trailer<</Size {len(offsets) + 1}/Root {home} 0 R{trailer}>>\n".encode()
        data += f"startxref\n{start}\n%%EOF".encode()
        path.write_bytes(data)
        return path


def image(path: Path, text: str, format: str = "PNG", *, lies: int = 0, shot: int = 1) -> Path:
    """A picture of a text that lies so many degrees to the left; `shot`: what its file says of that, the
    orientation of EXIF."""
    path.write_bytes(_picture(text, format, lies, shot))
    return path


def _picture(text: str, format: str, lies: int = 0, shot: int = 1) -> bytes:
    from PIL import Image, ImageDraw, ImageFont
    from PIL.ExifTags import Base

    height = 120 + 80 * len(text.splitlines())
    picture = Image.new("RGB", (1200, height), "white")
    ImageDraw.Draw(picture).text((40, 60), text, fill="black", font=ImageFont.load_default(size=64))
    exif = Image.Exif()
    exif[Base.Orientation] = shot
    buffer = io.BytesIO()
    picture.rotate(lies, expand=True).save(buffer, format, exif=exif)
    return buffer.getvalue()


# ── Mail ──────────────────────────────────────────────────────────────────────────────────────────────


def eml(path: Path, *, subject: str, text: str = "", html: str = "", attachment: str = "") -> Path:
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Anna Sender <anna@example.com>"
    message["To"] = "bert@example.com"
    message["Date"] = "Tue, 05 Mar 2024 10:30:00 +0100"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    if attachment:
        message.add_attachment(b"data", "application", "octet-stream", filename=attachment)
    path.write_bytes(message.as_bytes())
    return path


def letter(
    path: Path,
    files: Sequence[tuple[str, bytes | str]],
    *,
    subject: str = "Letter",
    text: str = "Please find the files.",
    kind: str = "application/octet-stream",
) -> Path:
    """A mail with attached files, (name, content) each; those that are text have `text/plain`."""
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"], message["From"] = subject, "Anna Sender <anna@example.com>"
    message["Date"] = "Tue, 05 Mar 2024 10:30:00 +0100"
    message.set_content(text)
    for name, content in files:
        if isinstance(content, str):
            message.add_attachment(content, filename=name)
        else:
            message.add_attachment(content, *kind.split("/"), filename=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(message.as_bytes())
    return path


def msg(path: Path, *, subject: str, text: str = "", html: str = "", attachment: str = "") -> Path:
    """An Outlook message: properties as streams of a compound file."""
    strings = {0x001A: "IPM.Note", 0x0037: subject, 0x0C1A: "Anna Sender", 0x1000: text}
    streams = _properties("", 32, strings)
    if html:
        streams["__substg1.0_10130102"] = html.encode()
        streams["__properties_version1.0"] += struct.pack("<HHIII", 0x0102, 0x1013, 6, len(html), 0)
    if attachment:
        streams |= _properties("__attach_version1.0_#00000000/", 8, {0x3704: "evil", 0x3707: attachment})
        streams["__attach_version1.0_#00000000/__substg1.0_37010102"] = b"data"
        listed = struct.pack("<HHIII", 0x0102, 0x3701, 6, 4, 0)
        streams["__attach_version1.0_#00000000/__properties_version1.0"] += listed
    path.write_bytes(_compound(streams))
    return path


def _properties(folder: str, head: int, strings: Mapping[int, str]) -> dict[str, bytes]:
    """The streams of these properties, and the stream that lists them."""
    given = {tag: value for tag, value in strings.items() if value}
    listed = (struct.pack("<HHIII", 0x001F, tag, 6, len(text) * 2 + 2, 0) for tag, text in given.items())
    return {
        **{f"{folder}__substg1.0_{tag:04X}001F": text.encode("utf-16-le") for tag, text in given.items()},
        f"{folder}__properties_version1.0": bytes(head) + b"".join(listed),
    }


def _compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (MS-CFB version 3) with these streams, in folders where their names have a slash."""
    end, free, fat_mark, sector = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 512
    folders = sorted({name.partition("/")[0] for name in streams if "/" in name})
    names = sorted(streams, key=lambda name: (len(name), name.upper()))
    body, table, places = bytearray(), [fat_mark], {}

    def store(data: bytes) -> int:
        first = len(table)
        count = max(1, -(-len(data) // sector))
        table.extend([*range(first + 1, first + count), end])
        body.extend(data.ljust(count * sector, b"\0"))
        return first

    mini = bytearray()
    mini_table: list[int] = []
    for name in names:
        data = streams[name]
        if len(data) >= 4096:
            places[name] = store(data)
        else:
            places[name] = len(mini_table)
            count = max(1, -(-len(data) // 64))
            mini_table.extend([*range(len(mini_table) + 1, len(mini_table) + count), end])
            mini.extend(data.ljust(count * 64, b"\0"))
    mini_first = store(bytes(mini))
    mini_fat = store(b"".join(struct.pack("<I", entry) for entry in mini_table).ljust(sector, b"\xff"))

    def entry(name: str, kind: int, *, right: int, child: int, start: int, size: int) -> bytes:
        encoded = name.encode("utf-16-le") + b"\0\0"
        head = encoded.ljust(64, b"\0") + struct.pack("<HBBIII", len(encoded), kind, 1, free, right, child)
        return head + bytes(36) + struct.pack("<IQ", start, size)

    # Each folder's entries hang on each other by their right sides.
    inside = {"": [*(name for name in names if "/" not in name), *folders]}
    inside |= {folder: [n for n in names if n.startswith(f"{folder}/")] for folder in folders}
    ordered = [name for folder in inside for name in inside[folder]]
    number = {name: place for place, name in enumerate(ordered, start=1)}
    directory = entry("Root Entry", 5, right=free, child=1, start=mini_first, size=len(mini))
    for siblings in inside.values():
        for name, after in zip(siblings, [*siblings[1:], ""], strict=True):
            right = number.get(after, free)
            if name in folders:
                child = number[inside[name][0]]
                directory += entry(name, 1, right=right, child=child, start=0, size=0)
            else:
                leaf, size = name.rpartition("/")[2], len(streams[name])
                directory += entry(leaf, 2, right=right, child=free, start=places[name], size=size)
    directory_first = store(directory)
    if len(table) > sector // 4:
        raise ValueError("more than one FAT sector would be needed")
    fat = b"".join(struct.pack("<I", mark) for mark in table).ljust(sector, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIII",
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        1,
        directory_first,
        0,
        4096,
        mini_fat,
        max(1, -(-len(mini_table) // 128)),
        end,
        0,
    )
    header += struct.pack("<I", 0).ljust(sector - len(header), b"\xff")
    return header + fat + bytes(body)


# ── Containers and markup ─────────────────────────────────────────────────────────────────────────────


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    # Bombs are most of what is packed.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def epub(path: Path, title: str, chapters: Sequence[str]) -> Path:
    """Chapters are the markup inside `<body>`."""
    names = [f"chapter{number}.xhtml" for number in range(1, len(chapters) + 1)]
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container version="1.0" '
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
        "</container>",
        "book.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier>'
        f"<dc:title>{title}</dc:title><dc:language>en</dc:language><dc:creator>Anna</dc:creator></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for name, body in zip(names, chapters, strict=True):
        files[name] = (
            f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>{body}</body></html>'
        )
    return zipped(path, files)


def odt(path: Path, body: str, *, encrypted: bool = False) -> Path:
    """`body` is the markup inside `<office:text>`."""
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{name}="{urn}:{name}:1.0"' for name in ("office", "text", "table"))
    locked = '<manifest:encryption-data manifest:checksum="x"/>' if encrypted else ""
    return zipped(
        path,
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0">'
            '<manifest:file-entry manifest:full-path="content.xml" '
            f'manifest:media-type="text/xml">{locked}</manifest:file-entry></manifest:manifest>',
            "content.xml": f"<office:document-content {spaces}><office:body><office:text>{body}</office:text>"
            "</office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {spaces}><office:styles/></office:document-styles>",
        },
    )


def rtf(path: Path, body: str, *, title: str = "") -> Path:
    path.write_text(rf"{{\rtf1\ansi\ansicpg1252{{\info{{\title {title}}}}}{body}}}", "ascii")
    return path
