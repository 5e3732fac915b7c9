"""What a plan's item comes to: values that say what the ledger and the store should hold."""

from __future__ import annotations

from dataclasses import dataclass

from index.model import Action, Chunk, Item
from index.records import Document


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A new version: all its points are written."""

    action: Action
    document: Document
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """All points of the document go."""

    document: Document


@dataclass(frozen=True, slots=True)
class RowOnly:
    """Only the ledger's row changes."""

    document: Document


@dataclass(frozen=True, slots=True)
class Skip:
    """The document is gone since it was listed, or has come back; a later listing decides."""

    uri: str


@dataclass(frozen=True, slots=True)
class NewMetadata:
    """The text stays, what is said of it changes: payloads are written, nothing is embedded."""

    action: Action
    document: Document
    otherwise: Item | RowOnly | Skip
    """When the store does not hold the text as the ledger says: the item is prepared, which writes the whole
    text; where there is none to be had, only what is known of the document changes."""


Work = NewVersion | NewMetadata | Removal | RowOnly | Skip
