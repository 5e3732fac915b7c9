"""Paths of this machine that a parsing child has to read: Python, its packages, the helper programs, and
their libraries, fonts and data. Documents, configurations and homes are not among them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import index

#: System folders of programs and their data; of /etc the files that fonts, loader and LibreOffice read.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store"),
    *("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/libreoffice", "/etc/localtime"),
    *("/etc/ssl/openssl.cnf", "/var/cache/fontconfig"),
)
#: Parts of a folder into which programs were installed: the folder itself may be a home.
_PARTS = ("bin", "lib", "lib64", "libexec", "share", "etc/fonts")
_PROGRAMS = ("soffice", "tesseract", "pandoc")
_PARTS_OF_LIBREOFFICE = ("program", "presets", "share", "ure")


@cache
def paths() -> list[Path]:
    """Files and folders that exist, each as it is named and as its links lead; none lies in another."""
    parts = (*map(Path, _SYSTEM), *_python(), *_helpers(), *_environment())
    named = [entry.absolute() for entry in parts]
    found = {path for entry in named if entry.exists() for path in (entry, entry.resolve())}
    kept: list[Path] = []
    for path in sorted(found, key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(above) for above in kept):
            kept.append(path)
    return kept


def indispensable() -> list[Path]:
    """Without these the child cannot do anything: Python's library, the packages, and our readers."""
    return [Path(os.__file__), *_packages(), Path(index.__file__)]


def _python() -> Iterator[Path]:
    for prefix in (sys.prefix, sys.base_prefix):
        yield from (Path(prefix, part) for part in _PARTS)
    yield from _packages()
    yield Path(index.__file__).parent


def _packages() -> list[Path]:
    """Folders that packages were installed into. Other folders of the import path are projects, with foreign
    files in them."""
    return [Path(entry) for entry in sys.path if entry and any(Path(entry).glob("*.dist-info"))]


def _helpers() -> Iterator[Path]:
    for name in _PROGRAMS:
        named = shutil.which(name)
        for program in () if named is None else (Path(named), Path(named).resolve()):
            above = program.parent.parent
            if program.parent.name == "bin":
                yield from (above / part for part in _PARTS)
            elif program.parent.name == "program":
                yield from (above / part for part in _PARTS_OF_LIBREOFFICE)
            else:
                yield program


def _environment() -> Iterator[Path]:
    """Paths that variables name, as far as they are of the expected kind."""
    if program := os.environ.get("PYPANDOC_PANDOC"):
        yield Path(program)
    if data := os.environ.get("TESSDATA_PREFIX"):
        yield Path(data) if any(Path(data).glob("*.traineddata")) else Path(data, "tessdata")
    for entry in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)):
        if any(Path(entry).glob("*.so*")):
            yield Path(entry)
