"""What a source needs besides its settings, and where it was found: packages, programs, credentials.

An origin names a place (a variable, a file, a profile, an agent), never the value that lies there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

_DISTRIBUTION = "freshkb"
_EXTRA = re.compile(r"""(?P<package>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")


class Need(NamedTuple):
    """Something that a source needs, or can make use of."""

    kind: Literal["package", "program", "credential"]
    name: str
    origin: str | None
    """Where it was found: ``environment variable X``, a path. None: nowhere."""
    remedy: str = ""
    """What to do about one that was not found, as ``pip install 'freshkb[web]'``; "" where the source can do
    without it."""

    @property
    def missing(self) -> bool:
        """Whether the source cannot work without it, and it was not found."""
        return self.origin is None and bool(self.remedy)


def packages(extra: str) -> Iterator[Need]:
    """The packages of an extra of freshkb, by the metadata of what is installed: nothing is imported. None
    for an extra that there is not."""
    # Its import takes 15 ms of every command.
    from importlib import metadata

    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        # freshkb runs from its source, and what it requires is written nowhere.
        return
    for line in required:
        found = _EXTRA.match(line)
        if found is None or found["extra"] != extra:
            continue
        try:
            version: str | None = metadata.version(found["package"])
        except metadata.PackageNotFoundError:
            version = None
        yield Need("package", found["package"], version, f"pip install '{_DISTRIBUTION}[{extra}]'")


def program(name: str, remedy: str) -> Need:
    """A program that the source runs; `remedy` says how to install it."""
    return Need("program", name, shutil.which(name), remedy)


def variable(name: str, *, remedy: str = "") -> Need:
    """A credential that a library reads from the environment by itself."""
    found = f"environment variable {name}" if os.environ.get(name) else None
    return Need("credential", name, found, remedy)


def file(name: str, path: Path, *, remedy: str = "") -> Need:
    """A credential that a library reads from a file by itself."""
    found = path.expanduser()
    return Need("credential", name, str(found) if found.is_file() else None, remedy)
