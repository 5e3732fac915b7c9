"""Text in images, by tesseract where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from index.model import Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable
from index.parse.readers.text import paragraphs


def parse(path: Path, format: Format) -> Parsed:
    if not available():
        raise Unreadable("The image needs OCR; install tesseract.")
    outline = Outline()
    # tesseract ends each image of a file with a form feed.
    pages = recognise(path).split("\f")
    for number, text in enumerate(pages, start=1):
        paragraphs(text, outline, number if len(pages) > 2 else None)
    return outline.parsed()


def available() -> bool:
    return shutil.which("tesseract") is not None


def recognise(image: Path) -> str:
    """The text in an image file. Raises Unreadable when tesseract cannot read it."""
    done = subprocess.run(
        ["tesseract", str(image), "stdout", "-l", _languages()], check=False, capture_output=True
    )
    if done.returncode:
        raise Unreadable("The document is damaged: tesseract could not read its image.")
    return done.stdout.decode("utf-8", "replace")


@cache
def _languages() -> str:
    """Every language that is installed: an operator installs those that the documents are in."""
    listed = subprocess.run(["tesseract", "--list-langs"], check=False, capture_output=True, text=True)
    names = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return "+".join(name for name in names if name and name not in ("osd", "equ")) or "eng"
