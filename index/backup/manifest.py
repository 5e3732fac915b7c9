"""The manifest of a backup: what is in it, readable by anybody, without a word of a document."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from index.backup.lines import File, damaged, hashed
from index.disk.private import private_file
from index.errors import Refused
from index.model import digest

NAME = "backup.json"
#: The key of the files, behind a passphrase.
IDENTITY = "identity.age"
#: The format that this program writes, and the newest that it reads.
FORMAT = 1

#: What opens an encrypted backup.
Lock = Literal["passphrase", "recipient"]


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a collection."""

    collection: str
    file: str
    points: int
    dimension: int
    embedding_fingerprint: str
    sparse_fingerprint: str
    model: str
    revision: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole backup."""

    schema: str
    """Schema of the ledger whose rows these are."""
    instance: str
    """Instance id of ledger and store."""
    made_at: str
    """RFC 3339, in UTC."""
    encrypted: Lock | None
    documents: int
    """Documents that the index has or should have: neither deleted nor of an unsupported type."""
    rows: Mapping[str, int]
    """Number of rows by table of the ledger."""
    ledger: str
    """Name of the file with the rows."""
    collections: tuple[Points, ...]
    files: tuple[File, ...]
    checkpoint: str
    """Of the log: origin, size and root, a line each, as in its signed checkpoints."""

    @property
    def points(self) -> int:
        return sum(points.points for points in self.collections)

    def json(self) -> dict[str, Any]:
        """The answer of the command."""
        return {"documents": self.documents, "points": self.points, "checkpoint": self.checkpoint}

    def write(self, folder: Path) -> None:
        """Write it, durably. Raises OSError."""
        with open(folder / NAME, "x", encoding="ascii", opener=private_file) as file:
            file.write(self._text())
            file.flush()
            os.fsync(file.fileno())

    def _text(self) -> str:
        said = asdict(self)
        # Fields that are named tuples would be lists.
        said["files"] = [file._asdict() for file in self.files]
        said = {"format": FORMAT, **said}
        return json.dumps({**said, "digest": digest(said)}, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises Refused when there is none, or a damaged one, or that of a newer program."""
        try:
            text = (folder / NAME).read_bytes()
        except OSError as error:
            raise Refused(
                f"{folder} holds no backup: {NAME} cannot be read ({error.strerror}). A backup that was cut "
                "short while it was made leaves none. Nothing was restored."
            ) from error
        try:
            said = json.loads(text)
            written = said.pop("format")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(NAME, "it is no manifest") from error
        if isinstance(written, int) and written > FORMAT:
            raise Refused(
                f"The backup in {folder} has format {written} of a newer freshkb; this one reads up to "
                f"{FORMAT}. Nothing was restored. Upgrade freshkb."
            )
        try:
            del said["digest"]
            said["collections"] = tuple(Points(**points) for points in said["collections"])
            said["files"] = tuple(File(**file) for file in said["files"])
            found = cls(**said)
            whole = found._text().encode("ascii") == text
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(NAME, "it is no manifest") from error
        if not whole:
            raise damaged(NAME, "it is not as it was written")
        return found

    def check(self, folder: Path) -> None:
        """Raises Refused when a file is missing, or not as it was written."""
        listed = {file.name for file in self.files}
        needed = {self.ledger, *(points.file for points in self.collections)}
        needed |= {IDENTITY} if self.encrypted == "passphrase" else set()
        if missing := needed - listed:
            raise damaged(NAME, f"it does not list {min(missing)}")
        for file in self.files:
            try:
                found = hashed(folder / file.name)
            except FileNotFoundError as error:
                raise damaged(file.name, "it is missing") from error
            if found.size != file.size:
                raise damaged(file.name, f"it has {found.size:,} bytes instead of {file.size:,}")
            if found != file:
                raise damaged(file.name, "its bytes are not those that were written")
