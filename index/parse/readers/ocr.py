"""Text in images, by tesseract where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from index.model import Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable
from index.parse.readers.text import paragraphs

#: tesseract's model of which side of a page is up.
_ORIENTATION = "osd"
#: Its ways to find the lines of a page: as the page lies, and after turning it upright.
_AS_IT_LIES, _UPRIGHT = "3", "1"


def parse(path: Path, format: Format) -> Parsed:
    if not available():
        raise Unreadable("The image needs OCR; install tesseract.")
    outline = Outline()
    # tesseract ends each image of a file with a form feed.
    pages = recognise(path if format.name == "tiff" else _as_shot(path)).split("\f")
    for number, text in enumerate(pages, start=1):
        paragraphs(text, outline, number if len(pages) > 2 else None)
    return outline.parsed()


def available() -> bool:
    return shutil.which("tesseract") is not None


def recognise(image: Path) -> str:
    """The text in an image file, whichever side of a page is up where tesseract's model for that is
    installed. Raises Unreadable when tesseract cannot read it."""
    installed = _installed()
    languages = "+".join(name for name in installed if name not in (_ORIENTATION, "equ")) or "eng"
    lines = _UPRIGHT if _ORIENTATION in installed else _AS_IT_LIES
    done = subprocess.run(
        ["tesseract", str(image), "stdout", "-l", languages, "--psm", lines],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        raise Unreadable("The document is damaged: tesseract could not read its image.")
    return done.stdout.decode("utf-8", "replace")


def _as_shot(image: Path) -> Path:
    """The image, or a copy of it that is turned as its camera was held. tesseract does that in TIFF alone,
    and too little text does not tell which side is up."""
    from PIL import Image, ImageOps
    from PIL.ExifTags import Base

    # The walls around the child bound what a large image takes.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(image) as picture:
            if picture.getexif().get(Base.Orientation, 1) == 1:
                return image
            upright = ImageOps.exif_transpose(picture).convert("L")
    except Exception:
        # Broken metadata raise anything. What is wrong with the image is tesseract's to say.
        return image
    copy = Path(tempfile.mkdtemp(), "image.png")
    upright.save(copy)
    return copy


@cache
def _installed() -> list[str]:
    """Every model that is there: an operator installs those of the languages that the documents are in."""
    listed = subprocess.run(["tesseract", "--list-langs"], check=False, capture_output=True, text=True)
    return [name for line in listed.stdout.splitlines()[1:] if (name := line.strip())]
