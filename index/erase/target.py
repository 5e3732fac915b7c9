"""The documents that a person names to be erased, and what an order on them would cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import Patterns
from index.errors import ConfigError
from index.freshness.owners import folded, require
from index.ledger import Erased, Hold, OrderKind
from index.lookup import Lookup, with_attachments
from index.model import LIVE, State
from index.phrase import Phrases
from index.records import Document
from index.search.find import find
from index.search.reader import Reader
from index.workspace import Workspace

#: States of documents that an order may name: gone ones have a row, too.
STATES = LIVE | {State.DELETED}
NOTHING = "Nothing was erased."

#: What an erasure does not touch, whatever it claims.
NOT_COVERED = (
    "The sources themselves: what they still hold is withheld from this index, and stays there.",
    "Backups of this knowledge base. Where the log has anchors, an older one is refused until this order is "
    "carried out again.",
    "Copies that readers of the index, reports written elsewhere, exports and logs of other programs hold.",
    "Legal holds on record: their targets, reasons and matters stay as they were written.",
    "Blocks that a file system freed, snapshots of a disk or of a whole server, and replicas.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """The documents to be erased: exactly one of names, a pattern, an owner and phrases. `source` narrows
    them."""

    names: Sequence[str] = ()
    pattern: str | None = None
    owner: str | None = None
    phrases: Sequence[str] = ()
    source: str | None = None

    @property
    def kind(self) -> OrderKind:
        """Raises ConfigError unless there is exactly one."""
        given = {
            OrderKind.DOCUMENT: bool(self.names),
            OrderKind.PATTERN: self.pattern is not None,
            OrderKind.OWNER: self.owner is not None,
            OrderKind.PHRASE: bool(self.phrases),
        }
        if sum(given.values()) != 1:
            raise ConfigError(
                "An erasure has one target: documents by name, --document ID, --match PATTERN, --owner O or "
                f"--containing -. {NOTHING}"
            )
        return next(kind for kind, is_given in given.items() if is_given)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would remove."""

    documents: Sequence[Document]
    """The documents that were named."""
    copies: Sequence[Erased]
    """Others that have the same bytes."""
    holds: dict[str, list[Hold]]
    """The holds of each document that is under some."""
    chunks: int

    def json(self) -> dict[str, Any]:
        return {
            "documents": len(self.documents) + len(self.copies),
            "chunks": self.chunks,
            "items": [{"document_id": d, "source": s, "uri": u} for d, s, u in self.items()],
            "copies": len(self.copies),
            "holds": sorted({hold.hold_id for holds in self.holds.values() for hold in holds}),
            "not_covered": list(NOT_COVERED),
        }

    def items(self) -> Iterator[tuple[str, str, str]]:
        """(id, source, uri) of each."""
        for named in self.documents:
            yield named.document_id, named.source, named.uri
        for copy in self.copies:
            yield copy.document_id, copy.source, copy.uri


def chosen(workspace: Workspace, target: Target) -> list[Document]:
    """The documents that a target names, with what is attached to those that are mails, in order of source
    and uri; for a phrase those that hold it, maybe none.

    Raises ConfigError for a name (`index.lookup`), an owner or a pattern of nothing, and for a target that is
    none or several.
    """
    look = Lookup(workspace.ledger, target.source, STATES, nothing=NOTHING)
    match target.kind:
        case OrderKind.DOCUMENT:
            found = look.named(target.names)
        case OrderKind.PATTERN:
            found = _matching(look, target.pattern or "")
        case OrderKind.OWNER:
            found = _owned(look, target.owner or "")
        case OrderKind.PHRASE:
            holding = find(Reader(workspace), phrases_of(target), source=target.source)
            return [one.document for one in holding]
    return with_attachments(workspace.ledger, found, STATES)


def phrases_of(target: Target) -> Phrases:
    """Raises ConfigError for a phrase without a word."""
    try:
        return Phrases(target.phrases)
    except ValueError as error:
        raise ConfigError(f"{error} {NOTHING}") from error


def preview(workspace: Workspace, target: Target) -> Preview:
    """What an order on this target would remove now. Nothing is changed. Raises as `chosen` does."""
    ledger, named = workspace.ledger, chosen(workspace, target)
    ids = [document.document_id for document in named]
    covered = ledger.erasures.covered(ids)
    known = set(ids)
    everything = [document.document_id for document in covered]
    current = ledger.collections.current()
    chunks = ledger.chunks.of(current.name, everything) if current else {}
    return Preview(
        named,
        [document for document in covered if document.document_id not in known],
        ledger.holds.of(everything),
        sum(map(len, chunks.values())),
    )


def _matching(look: Lookup, pattern: str) -> list[Document]:
    if pattern.startswith("!"):
        raise ConfigError(f"The pattern of an erasure cannot be negated: {pattern}. {NOTHING}")
    try:
        patterns = Patterns([pattern])
    except ValueError as error:
        raise ConfigError(f"{error} {NOTHING}") from error
    found = [document for document in look.all() if patterns.match(document.uri)]
    if not found:
        raise ConfigError(f"No document matches {pattern!r}. {NOTHING} See: {look.see}")
    return found


def _owned(look: Lookup, owner: str) -> list[Document]:
    every = list(look.all())
    asked = require(owner, {name for d in every for name in (d.owners or [d.owner]) if name})
    return [document for document in every if asked in folded(document.owners or [document.owner])]
