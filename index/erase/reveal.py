"""Reveal files: the salt of a receipt and the documents that it is about, for the requester of an order.

    {"type": "urn:freshkb:reveal:v1", "order_id", "salt": hex, "by", "reason",
     "documents": [{"source", "uri"}]}

With it the subjects of a receipt can be computed again; nothing else leads from them to a document. The file
is not signed: what it shows is shown by the receipt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.disk.atomic import sync_folder
from index.erase import parts
from index.errors import ConfigError, SignatureError
from index.signed.envelope import strict_json

if TYPE_CHECKING:
    from index.erase.receipt import Receipt
    from index.ledger import Erased

TYPE = "urn:freshkb:reveal:v1"


@dataclass(frozen=True, slots=True)
class Revealed:
    """A document, and the name of the receipt's subject that it is; "" when it is none of them."""

    source: str
    uri: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Reveal:
    """The contents of a reveal file."""

    order_id: str
    salt: bytes
    by: str
    reason: str
    documents: tuple[tuple[str, str], ...]
    """(source, uri) of each."""

    def in_receipt(self, receipt: Receipt) -> list[Revealed]:
        """Its documents as the subjects of this receipt. Raises ConfigError for one of another order."""
        from index.erase.receipt import KEYED
        from index.ledger import subject

        if receipt.order_id != self.order_id:
            raise ConfigError(
                f"The reveal file is of the order {self.order_id}, and the receipt of {receipt.order_id}."
            )
        names = {found.digest.get(KEYED, ""): found.name for found in receipt.subjects}
        return [Revealed(s, u, names.get(subject(self.salt, s, u), "")) for s, u in self.documents]


def write(path: Path, order_id: str, salt: bytes, by: str, reason: str, found: Sequence[Erased]) -> None:
    """Write the reveal file of an order on these documents, for its owner alone; after a power cut it is
    still there. Raises ConfigError when there is a file already, which stays, or none can be made."""
    made = {
        "type": TYPE,
        "order_id": order_id,
        "salt": salt.hex(),
        "by": by,
        "reason": reason,
        "documents": [{"source": document.source, "uri": document.uri} for document in found],
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ConfigError(
            f"{path} is there already, and is not replaced. Name another: --reveal FILE"
        ) from error
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        # Half a character becomes what JSON escapes it to.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            json.dump(made, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(handle)
        sync_folder(path.parent)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritten(path, error) from error
        raise


def read(path: Path) -> Reveal:
    """The contents of a reveal file. Raises ConfigError for a file that is none."""
    try:
        found = strict_json(path.read_bytes(), "reveal file")
        if found.get("type") != TYPE:
            raise ValueError(f"its type is not {TYPE}")
        documents = parts.alike(found, "documents", {"source": str, "uri": str})
        return Reveal(
            parts.part(found, "order_id", str),
            parts.unhexed(found, "salt"),
            parts.part(found, "by", str),
            parts.part(found, "reason", str),
            tuple((document["source"], document["uri"]) for document in documents),
        )
    except OSError as error:
        raise ConfigError(f"The reveal file {path} cannot be read: {error.strerror or error}.") from error
    except SignatureError as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no reveal file of freshkb: {error}.") from error


def _unwritten(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"The reveal file {path} cannot be written: {error.strerror or error}.")
