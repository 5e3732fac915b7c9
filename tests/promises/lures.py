"""Documents that reach out of their place, or pretend to be something else."""

from __future__ import annotations

import os
import stat
import zipfile
from email.message import EmailMessage
from pathlib import Path

from tests import documents
from tests.promises.bombs import added, rewritten, sample
from tests.promises.hostile import (
    DAMAGED,
    DEEP,
    OLD,
    Scene,
    harmless,
    quarantined,
    skipped,
)

# ── Other machines, other files ───────────────────────────────────────────────────────────────────────


def _remote_markup(scene: Scene) -> str:
    """Every way in which a page names another."""
    parts = []
    for url in [*scene.urls("x"), scene.secret, *(f"//{sink}/x" for sink in scene.sinks)]:
        parts.append(
            f'<base href="{url}"><link rel="stylesheet" href="{url}"><script src="{url}"></script>'
            f'<style>@import url("{url}"); p {{ background: url({url}) }}</style><img src="{url}">'
            f'<iframe src="{url}"></iframe><object data="{url}"></object><embed src="{url}">'
            f'<meta http-equiv="refresh" content="0;url={url}"><video src="{url}"></video>'
            f'<svg><image href="{url}"/><use href="{url}#a"/></svg><p style="background:url({url})">',
        )
    return "".join(parts)


@harmless("remote.html", "A sound text")
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"<html><body>{_remote_markup(scene)}<p>A sound text</p></body></html>")


@harmless("remote.md", "A sound text")
def _(path: Path, scene: Scene) -> None:
    images = "\n".join(f"![x]({url}) [y]: {url}" for url in [*scene.urls("x"), scene.secret])
    path.write_text(f"{images}\n\n{_remote_markup(scene)}\n\nA sound text\n")


@skipped("remote.svg")
def _(path: Path, scene: Scene) -> None:
    path.write_text(_remote_markup(scene))


@harmless("remote.eml", "A sound text")
def _(path: Path, scene: Scene) -> None:
    documents.eml(path, subject="x", html=f"{_remote_markup(scene)}<p>A sound text</p>")


def _entities(path: Path, scene: Scene) -> None:
    names = [*scene.urls("x"), scene.secret]
    declared = "".join(f'<!ENTITY e{n} SYSTEM "{url}">' for n, url in enumerate(names))
    parameters = "".join(f'<!ENTITY % p{n} SYSTEM "{url}"> %p{n};' for n, url in enumerate(names))
    used = "".join(f"&e{n};" for n in range(len(names)))
    include = "".join(f'<i:include href="{url}" parse="text"/>' for url in names)
    style = "".join(f'<?xml-stylesheet href="{url}" type="text/xsl"?>' for url in names)
    path.write_text(
        f'{style}<!DOCTYPE r [{declared}{parameters}]><r xmlns:i="http://www.w3.org/2001/XInclude">'
        f"<p>A sound text {used}</p>{include}</r>"
    )


harmless("entities.xml", "A sound text")(_entities)
harmless("entities.html", "A sound text")(_entities)


@harmless("type.xml", "A sound text")
def _(path: Path, scene: Scene) -> None:
    path.write_text(f'<!DOCTYPE r SYSTEM "{scene.urls("x.dtd")[0]}"><r>A sound text</r>')


@harmless("include.rst", "A sound text")
def _(path: Path, scene: Scene) -> None:
    names = [*scene.urls("x"), scene.secret, str(scene.outside / "secret.txt")]
    told = "\n\n".join(
        f".. include:: {name}\n\n.. image:: {name}\n\n.. raw:: html\n   :file: {name}" for name in names
    )
    path.write_text(f"{told}\n\nA sound text\n")


@quarantined("table.rst", DAMAGED)
def _(path: Path, scene: Scene) -> None:
    told = "\n\n".join(f".. csv-table::\n   :url: {url}" for url in [*scene.urls("x"), scene.secret])
    path.write_text(f"{told}\n\nA sound text\n")


@harmless("include.org", "A sound text")
def _(path: Path, scene: Scene) -> None:
    names = [*scene.urls("x"), scene.secret, str(scene.outside / "secret.txt")]
    told = "\n\n".join(f'#+INCLUDE: "{n}"\n[[{n}]]\n#+BEGIN_SRC sh\ncat {n}\n#+END_SRC' for n in names)
    path.write_text(f"{told}\n\nA sound text\n")


@harmless("remote.docx", "A sound text")
def _(path: Path, scene: Scene) -> None:
    """A remote template, remote pictures, embedded objects, and fields that fetch."""
    url = scene.urls("x")[0]
    field = "".join(
        f'<w:fldSimple w:instr=" {kind} &quot;{name}&quot; "><w:r><w:t> </w:t></w:r></w:fldSimple>'
        for kind, name in (("INCLUDETEXT", scene.secret), ("INCLUDEPICTURE", url))
    )
    rewritten(sample(path), "word/document.xml", b"</w:p>", field.encode() + b"</w:p>")
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kinds = ("attachedTemplate", "image", "oleObject", "hyperlink", "frame", "subDocument", "aFChunk")
    external = "".join(
        f'<Relationship Id="x{n}{kind}" Type="{office}/{kind}" Target="{target}" TargetMode="External"/>'
        for n, target in enumerate([*scene.urls("x"), scene.secret])
        for kind in kinds
    )
    end = b"</Relationships>"
    rewritten(path, "word/_rels/document.xml.rels", end, external.encode() + end)


@harmless("remote.xlsx", "A sound text")
def _(path: Path, scene: Scene) -> None:
    url = scene.urls("x")[0]
    sample(path)
    formula = f'<row r="9"><c r="A9"><f>WEBSERVICE("{url}")</f></c></row>'.encode()
    rewritten(path, "xl/worksheets/sheet1.xml", b"</sheetData>", formula + b"</sheetData>")
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLink"
    link = f'<Relationship Id="x1" Type="{kind}Path" Target="{url}" TargetMode="External"/>'
    external = f'<Relationship Id="x1" Type="{kind}" Target="externalLinks/externalLink1.xml"/>'
    end = b"</Relationships>"
    rewritten(path, "xl/_rels/workbook.xml.rels", end, external.encode() + end)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    added(path, "xl/externalLinks/externalLink1.xml", f'<externalLink xmlns="{main}"/>'.encode())
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    packed = f'<Relationships xmlns="{relations}">{link}</Relationships>'.encode()
    added(path, "xl/externalLinks/_rels/externalLink1.xml.rels", packed)


@harmless("remote.odt", "A sound text")
def _(path: Path, scene: Scene) -> None:
    spaces = 'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"'
    drawn = "".join(
        f'<draw:frame {spaces}><draw:image xlink:href="{url}"/><draw:object xlink:href="{url}"/></draw:frame>'
        f'<text:section><text:section-source {spaces} xlink:href="{url}"/></text:section>'
        for url in [*scene.urls("x"), scene.secret]
    )
    documents.odt(path, f"<text:p>A sound text</text:p>{drawn}")


@harmless("remote.epub", "A sound text")
def _(path: Path, scene: Scene) -> None:
    images = "".join(
        f'<img src="{url}" alt=""/>' for url in [*scene.urls("x"), scene.secret, "../../../etc/passwd"]
    )
    documents.epub(path, "A book", [f"<p>A sound text {images}</p>"])


@quarantined("remote.rtf", DAMAGED, optional=True)
def _(path: Path, scene: Scene) -> None:
    fields = "".join(
        rf'{{\field{{\*\fldinst {{ {kind} "{url}" \\d }}}}{{\fldrslt {{ }}}}}}'
        for url in [*scene.urls("x"), scene.secret]
        for kind in ("INCLUDEPICTURE", "INCLUDETEXT", "DDEAUTO")
    )
    template = rf"{{\*\template {scene.urls('x')[0]}}}"
    documents.rtf(path, rf"{template}{fields}A sound text\par")


@quarantined("remote.doc", DAMAGED, OLD, optional=True)
def _(path: Path, scene: Scene) -> None:
    """A flat OpenDocument, which LibreOffice reads under any name."""
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = f'xmlns:office="{urn}:office:1.0" xmlns:text="{urn}:text:1.0" xmlns:draw="{urn}:drawing:1.0"'
    linked = "".join(
        f'<text:section text:name="s{n}"><text:section-source xlink:href="{url}" text:filter-name="Text"/>'
        f'</text:section><text:p><draw:frame><draw:image xlink:href="{url}.png"/></draw:frame></text:p>'
        for n, url in enumerate([*scene.urls("x"), scene.secret])
    )
    path.write_text(
        f'<?xml version="1.0"?><office:document {spaces} xmlns:xlink="http://www.w3.org/1999/xlink" '
        'office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text"><office:body>'
        f"<office:text><text:p>A sound text</text:p>{linked}</office:text></office:body></office:document>"
    )


@quarantined("remote-page.doc", DAMAGED, OLD, optional=True)
def _(path: Path, scene: Scene) -> None:
    path.write_text(f"<html><body>{_remote_markup(scene)}<p>A sound text</p></body></html>")


@harmless("remote.pdf", "A sound text")
def _(path: Path, scene: Scene) -> None:
    sample(path)
    actions = "".join(
        f"/AA<</O<</S/URI/URI({url})>>/C<</S/SubmitForm/F({url})>>/WC<</S/Launch/F({url})>>>>"
        for url in scene.urls("x")
    )
    data = path.read_bytes().replace(b"/Type/Page/", f"/Type/Page{actions}/".encode(), 1)
    path.write_bytes(data)


# ── Names ─────────────────────────────────────────────────────────────────────────────────────────────


def _climbing(path: Path, scene: Scene) -> None:
    """An archive whose names lead out of it, a link among them."""
    sample(path)
    evil = scene.outside / "evil"
    for name in (
        "../../evil",
        f"{'../' * 30}{str(evil)[1:]}",
        str(evil),
        r"..\..\evil",
        "C:\\evil",
        "word//../../../evil",
    ):
        added(path, name, b"evil")
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(scene.outside))
        archive.writestr("link/evil", b"evil")


for _suffix in ("docx", "pptx", "xlsx", "odt", "epub"):
    harmless(f"climbing.{_suffix}", "A sound text")(_climbing)


@harmless("climbing.eml", "A sound text")
def _(path: Path, scene: Scene) -> None:
    mail = EmailMessage()
    mail["Subject"] = "../../evil"
    mail.set_content("A sound text")
    for name in ("../../evil", str(scene.outside / "evil"), r"..\evil", "evil\0.txt", "a" * 300):
        mail.add_attachment(b"evil", "application", "octet-stream", filename=name)
    path.write_bytes(mail.as_bytes())


@harmless("climbing.msg", "A sound text")
def _(path: Path, scene: Scene) -> None:
    documents.msg(path, subject="../../evil", text="A sound text", attachment="../../evil")


@harmless("attachments.eml", "A sound text")
def _(path: Path, scene: Scene) -> None:
    part = (
        "--x\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename={}.bin\n\nx\n"
    )
    head = (
        "Subject: many\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nA sound text\n"
    )
    path.write_text(
        head + "".join(part.format(n) for n in range(10_000 if scene.large else 1000)) + "--x--\n"
    )


@quarantined("mails-in-mails.eml", DEEP)
def _(path: Path, scene: Scene) -> None:
    forwarded = "Subject: again\nContent-Type: message/rfc822\n\n" * 1000
    path.write_text(f"MIME-Version: 1.0\n{forwarded}Subject: last\n\nA sound text\n")


#: A name that a terminal would obey, that pretends to be two lines, and that reads backwards.
TERMINAL = "\x1b]0;evil\x07\x1b[31mred\x9b2J\n\u202egnp.txt\u2066\u2028.md"
harmless(TERMINAL, "A sound text")(lambda path, scene: sample(path))
NOT_UTF8 = os.fsdecode(b"caf\xe9 \xff\xfe.md")
harmless(NOT_UTF8, "A sound text")(lambda path, scene: sample(path))
harmless("%2e%2e%2fevil%00.md", "A sound text")(lambda path, scene: sample(path))
harmless("-rf --output=evil $(touch evil) `touch evil` ;'\".md", "A sound text")(
    lambda path, scene: sample(path)
)
harmless("-o evil.rst", "A sound text")(lambda path, scene: sample(path))
harmless("a" * 252 + ".md", "A sound text")(lambda path, scene: sample(path))
harmless("con.aux.nul.md", "A sound text")(lambda path, scene: sample(path))
harmless("long suffix." + "x" * 200 + ".md", "A sound text")(lambda path, scene: sample(path))


#: Ten thousand characters and more: no call that takes a path takes this one.
DEEP_NAME = "/".join(["d" * 250] * 60) + "/deep.md"


@harmless(DEEP_NAME, "A sound text")
def _(path: Path, scene: Scene) -> None:
    """Forty times deeper than any program expects."""
    *folders, name = DEEP_NAME.split("/")
    here = os.open(scene.folder, os.O_RDONLY)
    for folder in folders:
        os.mkdir(folder, dir_fd=here)
        deeper = os.open(folder, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here)
    os.write(file, b"A sound text")
    os.close(file)
    os.close(here)
