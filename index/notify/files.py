"""The files that a dry run writes: a mail is an ``.eml`` file, what goes to Apprise a ``.txt`` file."""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path

from index.disk.private import private_file, private_folder
from index.errors import ConfigError

#: Words in each of our files, by suffix: others are not replaced.
_SIGNS = {".eml": b"\nAuto-Submitted: auto-generated", ".txt": b"\nYou get at most one such digest"}


class Files:
    """A folder for digests, made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()
        self.written: list[Path] = []

    def write(self, owner: str, suffix: str, content: bytes) -> None:
        """Write a digest under the name of its person. Raises ConfigError when the folder cannot be used, and
        for a file of others in its place."""
        stem = re.sub(r"[^\w.@-]+", "-", owner).strip("-.")[:80] or "owner"
        names = (f"{stem}{f'-{number}' if number > 1 else ''}{suffix}" for number in count(1))
        name = next(name for name in names if name not in self._names)
        self._names.add(name)
        path = self._folder / name
        try:
            private_folder(self._folder)
            if path.is_symlink() or (path.exists() and not _ours(path, suffix)):
                raise ConfigError(
                    f"{path} was not written by freshkb and is not replaced. Name another folder with --out, "
                    "or move the file."
                )
            with os.fdopen(private_file(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(content)
        except OSError as error:
            raise ConfigError(
                f"The digests cannot be written to {self._folder}: {error.strerror}. Name another folder "
                "with --out."
            ) from error
        self.written.append(path)


def _ours(path: Path, suffix: str) -> bool:
    return _SIGNS[suffix] in path.read_bytes().replace(b"\r\n", b"\n")
