"""Documents of random words, in every format that can be made here, and the words of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.documents import docx, eml, epub, image, msg, odt, pdf, pptx, rtf, scanned_pdf, xlsx
from tests.promises.bytes_left import word

Maker = Callable[[Path, str, str], object]
"""Writes a document: path, title, text."""

MAKERS: dict[str, Maker] = {
    "md": lambda path, title, text: path.write_text(f"# {title}\n\n{text}\n"),
    "txt": lambda path, title, text: path.write_text(f"{title}\n\n{text}\n"),
    "html": lambda path, title, text: path.write_text(
        f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    ),
    "rst": lambda path, title, text: path.write_text(f"{title}\n{'=' * len(title)}\n\n{text}\n"),
    "org": lambda path, title, text: path.write_text(f"#+TITLE: {title}\n\n* {title}\n\n{text}\n"),
    "xml": lambda path, title, text: path.write_text(f"<page><head>{title}</head><p>{text}</p></page>"),
    "json": lambda path, title, text: path.write_text(json.dumps({"title": title, "text": text})),
    "csv": lambda path, title, text: path.write_text(f"name,said\n{title},{text}\n"),
    "tsv": lambda path, title, text: path.write_text(f"name\tsaid\n{title}\t{text}\n"),
    "eml": lambda path, title, text: eml(path, subject=title, text=text),
    "msg": lambda path, title, text: msg(path, subject=title, text=text),
    "pdf": lambda path, title, text: pdf(path, [[(24, title), (12, ""), (12, text)]], info={"Title": title}),
    "docx": lambda path, title, text: docx(path, [("Heading 1", title), ("Normal", text)], title=title),
    "pptx": lambda path, title, text: pptx(path, [(title, text, "")], title=title),
    "xlsx": lambda path, title, text: xlsx(path, {title: [["said"], [text]]}, title=title),
    "epub": lambda path, title, text: epub(path, title, [f"<h1>{title}</h1><p>{text}</p>"]),
    "odt": lambda path, title, text: odt(path, f"<text:h>{title}</text:h><text:p>{text}</text:p>"),
    "rtf": lambda path, title, text: rtf(path, rf"\b {title}\b0\par {text}\par ", title=title),
}

#: What is read of a picture may differ by a letter: its name and its vectors are looked for.
SEEN: dict[str, Maker] = {
    "png": lambda path, title, text: image(path, text),
    "scan.pdf": lambda path, title, text: scanned_pdf(path, text),
}


def write(folder: Path, number: int, random: Random) -> dict[str, list[str]]:
    """So many documents, the formats in turns. Returns {file name: the words of the document}, the name's
    among them."""
    formats = [*MAKERS, *(SEEN if shutil.which("tesseract") else ())]
    made: dict[str, list[str]] = {}
    for each in range(number):
        kind = formats[each % len(formats)]
        name, title, first, second = (word(random) for _ in range(4))
        path = folder / f"{name}.{kind}"
        (MAKERS | SEEN)[kind](path, title, f"{first} and {second}")
        made[path.name] = [name, title, first, second] if kind in MAKERS else [name]
    return made


def described(folder: Path, random: Random) -> dict[str, list[str]]:
    """A document with front matter: title, owner and an address of two words."""
    name, title, owner, host, page, text = (word(random) for _ in range(6))
    head = f"---\ntitle: {title}\nowner: user:{owner}\ncanonical: https://{host}.org/{page}\n---\n"
    (folder / f"{name}.md").write_text(f"{head}\n{text} it is.\n")
    return {f"{name}.md": [name, title, owner, host, page, text]}
