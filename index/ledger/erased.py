"""Erased documents: what their rows name, their tombstones, and what these forbid to write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from index.errors import LedgerDamaged
from index.freshness.properties import mails_above
from index.ledger.database import Database
from index.ledger.schema import documents, live, meta, order_documents, tombstones
from index.ledger.tombstone import KEY, Keys, Tombstone, TombstoneKind
from index.model import State
from index.records import Document

_NAMES = ("document_id", "source", "uri", "state", "size", "content_hash", "seen_hash", "title")
_ROW = [documents.c[name] for name in _NAMES]


@dataclass(frozen=True, slots=True)
class Erased:
    """A document of an order, as its row names it."""

    document_id: str
    source: str
    uri: str
    state: State
    size: int | None
    content_hash: str | None
    seen_hash: str | None
    title: str

    @classmethod
    def of(cls, document: Document) -> Erased:
        return cls(*(getattr(document, name) for name in _NAMES))

    @property
    def hashes(self) -> list[str]:
        """The hashes of its bytes, unless it has none: the empty file is nobody's."""
        return [h for h in dict.fromkeys((self.content_hash, self.seen_hash)) if h and self.size != 0]


def rows(
    database: Database, connection: sa.Connection, column: sa.Column[Any], wanted: Collection[str]
) -> Iterable[Erased]:
    """The documents of which this column has one of these values."""
    query = sa.select(*_ROW).where(database.among(column, wanted))
    return [Erased(*row) for row in connection.execute(query)]


def taken(database: Database, connection: sa.Connection, found: Iterable[Erased]) -> set[tuple[str, str]]:
    """The places of these documents, (source, uri), that a live document has."""
    query = sa.select(documents.c.source, documents.c.uri).where(live)
    query = query.where(database.among(documents.c.uri, {document.uri for document in found}))
    return {(source, uri) for source, uri in connection.execute(query)}


def replaced(database: Database, connection: sa.Connection, found: Iterable[Erased]) -> set[Erased]:
    """Those of these documents that are deleted, and in whose place another one is by now."""
    gone = {document for document in found if document.state is State.DELETED}
    places = taken(database, connection, gone)
    return {document for document in gone if (document.source, document.uri) in places}


def of_document(keys: Keys, document: Erased, *, path: bool = True) -> Iterator[Tombstone]:
    """The tombstones of a document, with that of its path unless another document has it."""
    if path:
        yield Tombstone(keys.uri(document.source, document.uri), TombstoneKind.URI)
    for content in document.hashes:
        yield Tombstone(keys.content(content), TombstoneKind.CONTENT)


def barred(database: Database, connection: sa.Connection, found: Collection[Document]) -> set[str]:
    """The ids of those of these documents that may not be written: they are erased, or a tombstone stands on
    their path, on the path of a mail that they are attached to, or on their bytes."""
    if not found or connection.execute(sa.select(tombstones.c.order_id).limit(1)).first() is None:
        return set()
    ids = [document.document_id for document in found]
    gone = sa.select(documents.c.document_id).where(documents.c.state == State.ERASED)
    barred = set(connection.execute(gone.where(database.among(documents.c.document_id, ids))).scalars())
    # A damaged ledger may have lost the row that says so.
    ordered = sa.select(order_documents.c.document_id)
    ordered = ordered.where(database.among(order_documents.c.document_id, ids))
    barred |= set(connection.execute(ordered).scalars())
    keys = keys_of(connection)
    of: dict[str, set[str]] = {}
    for document in found:
        hashes = {document.content_hash, document.seen_hash} if document.size != 0 else set()
        paths = (document.uri, *mails_above(document.uri, document.properties))
        named = {keys.uri(document.source, path) for path in paths} | {keys.content(h) for h in hashes if h}
        for key in named:
            of.setdefault(key, set()).add(document.document_id)
    query = sa.select(tombstones.c.key_hash).where(database.among(tombstones.c.key_hash, of))
    for key in connection.execute(query).scalars():
        barred |= of[key]
    return barred


def put(database: Database, connection: sa.Connection, order_id: str, stones: Iterable[Tombstone]) -> None:
    """Put tombstones of an order on record, those that are not there."""
    rows = [
        {"key_hash": s.key_hash, "order_id": order_id, "kind": s.kind, "words": s.words}
        for s in dict.fromkeys(stones)
    ]
    if rows:
        connection.execute(database.insert_new(tombstones), rows)


def keys_of(connection: sa.Connection) -> Keys:
    """Raises LedgerDamaged when the ledger has lost the key."""
    recorded = connection.execute(sa.select(meta.c.value).where(meta.c.name == KEY)).scalar()
    try:
        return Keys(bytes.fromhex(recorded or "none"))
    except ValueError as error:
        raise LedgerDamaged(
            "The ledger has lost the key of its tombstones, so that erased documents could come back. "
            "Restore it from a backup."
        ) from error
