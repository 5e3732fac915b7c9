"""The work of an item: values that state what ledger and store are to hold."""

from __future__ import annotations

from dataclasses import dataclass

from index.model import Action, Chunk, Item
from index.records import Document, Extract


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A new version: all its points are written."""

    action: Action
    document: Document
    chunks: tuple[Chunk, ...]
    searched: frozenset[str] | None = None
    """Keyed hashes of the suppressed phrases that it was searched for; None of a text that is in the index
    already."""
    extract: Extract | None = None
    """What is kept of a text that was read; None: what is kept already stays."""


@dataclass(frozen=True, slots=True)
class Removal:
    """All points of the document go."""

    document: Document
    action: Action = Action.DELETE


@dataclass(frozen=True, slots=True)
class Withheld:
    """An order to erase keeps the bytes at this path out: the path joins the order."""

    order_id: str
    source: str
    uri: str
    document: Document | None
    """The document that was there before: all its points go. None when there was none."""


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
    """The text stays, its metadata changes: payloads are written, nothing is embedded."""

    action: Action
    document: Document
    otherwise: Item | RowOnly | Skip
    """The item to prepare as a whole when the store does not hold the text as the ledger says; where the
    source cannot give it, only the row changes."""


Work = NewVersion | NewMetadata | Removal | Withheld | RowOnly | Skip
