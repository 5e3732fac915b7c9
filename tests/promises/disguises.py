"""Documents that are no files, cannot be read, are not whole, or are something else than they say."""

from __future__ import annotations

import os
import socket
import stat
from functools import partial
from pathlib import Path

from tests import documents
from tests.promises.bombs import sample
from tests.promises.hostile import DAMAGED, LOCKED, NO_TEXT, OCR, Scene, harmless, quarantined, unlisted

# ── What is no file ───────────────────────────────────────────────────────────────────────────────────


@unlisted("pipe.md")
def _(path: Path, scene: Scene) -> None:
    os.mkfifo(path)


@unlisted("socket.md")
def _(path: Path, scene: Scene) -> None:
    here = os.open(path.parent, os.O_RDONLY)
    try:
        # The path of a socket is short.
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


@unlisted("device.md")
def _(path: Path, scene: Scene) -> None:
    """/dev/zero, which never ends."""
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))


@unlisted("link.md")
def _(path: Path, scene: Scene) -> None:
    path.symlink_to(scene.outside / "secret.txt")


@unlisted("link-loop.md")
def _(path: Path, scene: Scene) -> None:
    path.symlink_to(path)


@unlisted("link-to-zero.md")
def _(path: Path, scene: Scene) -> None:
    path.symlink_to("/dev/zero")


@unlisted("folder-loop")
def _(path: Path, scene: Scene) -> None:
    path.mkdir()
    (path / "again").symlink_to(path)
    (path / "up").symlink_to("..")


@unlisted("folder-out")
def _(path: Path, scene: Scene) -> None:
    path.symlink_to(scene.outside)


@unlisted("folder.md")
def _(path: Path, scene: Scene) -> None:
    path.mkdir()


# ── What cannot be read ───────────────────────────────────────────────────────────────────────────────


@quarantined("unreadable.md", r"^'.*unreadable.md' may not be read: Permission denied\.$", transient=True)
def _(path: Path, scene: Scene) -> None:
    sample(path).chmod(0)


@quarantined("sparse.txt", r"^'.*sparse.txt' has 2,147,483,648 bytes; the limit is 50,000,000\.$")
def _(path: Path, scene: Scene) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


@quarantined("zeros.txt", NO_TEXT)
def _(path: Path, scene: Scene) -> None:
    with path.open("wb") as file:
        file.truncate(49_000_000)


@quarantined("encrypted.pdf", LOCKED)
def _(path: Path, scene: Scene) -> None:
    documents.encrypted_pdf(path)


def _encrypted(path: Path, scene: Scene) -> None:
    plain = sample(scene.outside / f"plain{path.suffix}")
    documents.encrypted_office(path, plain)
    plain.unlink()


for _suffix in ("docx", "pptx", "xlsx"):
    quarantined(f"encrypted.{_suffix}", LOCKED)(_encrypted)


@quarantined("encrypted.odt", LOCKED)
def _(path: Path, scene: Scene) -> None:
    documents.odt(path, "<text:p>x</text:p>", encrypted=True)


@quarantined("encrypted-zip.docx", LOCKED)
def _(path: Path, scene: Scene) -> None:
    """Its parts are encrypted one by one, as zip can."""
    data = bytearray(sample(path).read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    path.write_bytes(data)


_TEXTS = ("md", "txt", "html", "csv", "tsv", "xml", "json", "jsonl", "rst", "org")


def _halved(path: Path, scene: Scene) -> None:
    data = sample(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _empty(path: Path, scene: Scene) -> None:
    path.touch()


for _suffix in ("docx", "pptx", "xlsx", "odt", "epub", "pdf", "msg", "json", "xml"):
    quarantined(f"half.{_suffix}", DAMAGED)(_halved)
for _suffix in ("png", "jpeg", "tiff", "bmp", "webp", "rtf"):
    quarantined(f"half.{_suffix}", DAMAGED, OCR, optional=True)(_halved)
for _suffix in ("eml", "html", "md", "csv"):
    harmless(f"half.{_suffix}")(_halved)
for _suffix in ("docx", "pptx", "xlsx", "odt", "epub", "pdf", "msg", "eml", "rtf"):
    quarantined(f"empty.{_suffix}", DAMAGED)(_empty)
for _suffix in ("png", "jpeg", "tiff", "bmp", "webp"):
    quarantined(f"empty.{_suffix}", DAMAGED, OCR)(_empty)
for _suffix in _TEXTS:
    harmless(f"empty.{_suffix}")(_empty)


# ── What is something else ────────────────────────────────────────────────────────────────────────────

_PROGRAM = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + bytes(range(256)) * 200


def _holding(data: bytes, path: Path, scene: Scene) -> None:
    path.write_bytes(data)


for _suffix in ("docx", "pptx", "xlsx", "xls", "odt", "epub", "pdf", "msg", "rtf"):
    quarantined(f"program.{_suffix}", DAMAGED)(partial(_holding, _PROGRAM))
for _suffix in ("md", "txt", "csv", "html", "json", "xml", "rst"):
    quarantined(f"program.{_suffix}", NO_TEXT, DAMAGED)(partial(_holding, _PROGRAM))
quarantined("program.png", DAMAGED, OCR)(partial(_holding, _PROGRAM))


@quarantined("picture.pdf", DAMAGED)
def _(path: Path, scene: Scene) -> None:
    documents.image(path, "A sound text")


@harmless("page.md", "A sound text")
def _(path: Path, scene: Scene) -> None:
    path.write_text("<html><head><script>alert(1)</script></head><body><p>A sound text</p></body></html>")


@quarantined("page.docx", DAMAGED)
def _(path: Path, scene: Scene) -> None:
    path.write_text("<html><body>A sound text</body></html>")


def _many_things(path: Path, scene: Scene) -> None:
    """PDF, archive and web page at once."""
    inner = scene.outside / "inner.pdf"
    page = sample(inner).read_bytes()
    inner.unlink()
    zipped = documents.zipped(inner, {"evil": "evil"}).read_bytes()
    inner.unlink()
    path.write_bytes(page + b"\n<html><script>evil</script><p>A page</p></html>\n" + zipped)


harmless("polyglot.pdf", "A sound text")(_many_things)
quarantined("polyglot.docx", DAMAGED)(_many_things)
quarantined("polyglot.html", NO_TEXT)(_many_things)

# ── Characters ────────────────────────────────────────────────────────────────────────────────────────

_WORDS = "A sound text, with umlauts: äöü. It has some words more, so that it can be told from noise.\n"
harmless("utf-16.txt", "umlauts: äöü")(partial(_holding, _WORDS.encode("utf-16-le")))
harmless("utf-16.md", "umlauts: äöü")(partial(_holding, _WORDS.encode("utf-16-be")))
harmless("utf-7.html", "script")(partial(_holding, b'<meta charset="utf-7"><p>+ADw-script+AD4-evil()</p>'))
quarantined("nul.md", NO_TEXT)(partial(_holding, b"A sound\0 text\n" * 100))
harmless("surrogates.json", "A sound text")(
    partial(_holding, b'{"a": "\\ud800 A sound text \\udfff", "\\udc00": 1}')
)
harmless("escapes.md", "A [31msound[0m text")(
    partial(_holding, b"A \x1b[31msound\x1b[0m \x07text\n\n# \x1b]0;evil\x07\n")
)
harmless("marks.md", "A sound text")(
    partial(_holding, "A sound text \u202eevil\u202c \u2066x\u2069\n".encode())
)
harmless("huge-number.json", "9" * 5000)(partial(_holding, b'{"a": ' + b"9" * 5000 + b"}"))
harmless("huge-number.md", "A sound text")(
    partial(_holding, b"---\na: 0x" + b"f" * 9000 + b"\n---\nA sound text\n")
)
harmless("not-a-number.md", "A sound text")(partial(_holding, b"---\na: .nan\nb: -.inf\n---\nA sound text\n"))
