"""Orders to erase, and the tombstones that keep erased documents out.

An order is durable before anything is removed. From that moment on its documents are *erased*: no search
shows them, no run writes them, and what a run has read of them is refused. Their rows go when the order is
carried out; what stays are keyed hashes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.errors import LedgerDamaged
from index.ledger import schema
from index.ledger.database import Database, Tables
from index.ledger.entry import LogEntry
from index.ledger.holds import held, lock, matching
from index.ledger.intents import unpacked
from index.ledger.log import append, hide_subjects
from index.ledger.order import Order, OrderKind, OrderState
from index.ledger.schema import (
    chunks,
    documents,
    held_documents,
    intents,
    items,
    meta,
    order_documents,
    orders,
    removals,
    reviews,
    runs,
    sources,
    tombstones,
)
from index.ledger.tombstone import KEY, Keys, Tombstone, TombstoneKind
from index.model import State
from index.records import Document

_ORDER = schema.columns(orders, Order)
_TOMBSTONE = schema.columns(tombstones, Tombstone)
_NAMES = ("document_id", "source", "uri", "state", "size", "content_hash", "seen_hash", "title")
_ROW = [documents.c[name] for name in _NAMES]
#: A shorter text is not looked for in the records of runs: it stands everywhere.
_SHORTEST = 4


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

    @property
    def hashes(self) -> list[str]:
        """The hashes of its bytes, unless it has none: the empty file is nobody's."""
        return [h for h in dict.fromkeys((self.content_hash, self.seen_hash)) if h and self.size != 0]


class HeldBack(Exception):
    """Documents of an order are under a hold; nothing was put on record."""

    def __init__(self, document_ids: Collection[str]) -> None:
        super().__init__()
        self.document_ids = sorted(document_ids)


#: The tombstones of a document.
def of_document(keys: Keys, document: Erased) -> Iterator[Tombstone]:
    yield Tombstone(keys.uri(document.source, document.uri), TombstoneKind.URI)
    for content in document.hashes:
        yield Tombstone(keys.content(content), TombstoneKind.CONTENT)


def barred(database: Database, connection: sa.Connection, found: Collection[Document]) -> set[str]:
    """The ids of those of these documents that may not be written: they are erased, or a tombstone stands on
    their path or on their bytes."""
    if not found or connection.execute(sa.select(tombstones.c.order_id).limit(1)).first() is None:
        return set()
    ids = [document.document_id for document in found]
    gone = sa.select(documents.c.document_id).where(documents.c.state == State.ERASED)
    barred = set(connection.execute(gone.where(database.among(documents.c.document_id, ids))).scalars())
    keys = _keys(connection)
    of: dict[str, set[str]] = {}
    for document in found:
        hashes = {document.content_hash, document.seen_hash} if document.size != 0 else set()
        named = {keys.uri(document.source, document.uri)} | {keys.content(h) for h in hashes if h}
        for key in named:
            of.setdefault(key, set()).add(document.document_id)
    query = sa.select(tombstones.c.key_hash).where(database.among(tombstones.c.key_hash, of))
    for key in connection.execute(query).scalars():
        barred |= of[key]
    return barred


def _keys(connection: sa.Connection) -> Keys:
    recorded = connection.execute(sa.select(meta.c.value).where(meta.c.name == KEY)).scalar()
    try:
        return Keys(bytes.fromhex(recorded or "none"))
    except ValueError as error:
        raise LedgerDamaged(
            "The ledger has lost the key of its tombstones, so that erased documents could come back. "
            "Restore it from a backup."
        ) from error


class Erasures(Tables):
    # ── Orders ────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def placing(
        self,
        order: Order,
        document_ids: Collection[str],
        entries: Callable[[Order], Sequence[LogEntry]],
        subject: Callable[[Erased], str] | None,
        *,
        standing: Collection[Tombstone] = (),
    ) -> Iterator[list[Erased]]:
        """Place an order on these documents and on all that have the same bytes. Yields them inside the
        transaction, which an exception of the block undoes. `subject` makes the keyed hash of each for the
        receipt; None: the order has them. `standing`: tombstones besides those of the documents. The order is
        durable when the block has ended.

        Raises HeldBack when a hold stands on one of them: then nothing is on record.
        """
        with self._database.writing() as connection:
            found = self._covered(connection, document_ids)
            self._join(connection, order.order_id, order.kind, found, standing)
            counted = sa.select(sa.func.count()).where(
                self._database.among(chunks.c.document_id, [d.document_id for d in found])
            )
            placed = replace(
                order,
                documents=len(found),
                chunks=connection.execute(counted).scalar_one(),
                subjects=[subject(document) for document in found] if subject else order.subjects,
            )
            yield found
            connection.execute(sa.insert(orders), schema.values(placed))
            append(connection, entries(placed))

    def join(
        self,
        order_id: str,
        document_ids: Collection[str],
        subject: Callable[[Erased], str] | None = None,
        *,
        standing: Collection[Tombstone] = (),
    ) -> tuple[list[Erased], list[str]]:
        """Put more documents under an open order, with all that have the same bytes: those that a run had
        read before it was placed; and more tombstones. Returns (documents that are new to it, ids of those
        that a hold keeps, which stay). Their keyed hashes are left out where nobody has the salt any more."""
        with self._database.writing() as connection:
            known = set(connection.execute(self._of(order_id)).scalars())
            matching(self._database, connection)
            more = [d for d in self._copies(connection, document_ids) if d.document_id not in known]
            ids = [document.document_id for document in more]
            lock(self._database, connection, ids)
            under = held(self._database, connection, ids)
            found = [document for document in more if document.document_id not in under]
            self._put(connection, order_id, standing)
            if found:
                query = sa.select(orders.c.kind, orders.c.subjects).where(orders.c.order_id == order_id)
                kind, subjects = connection.execute(query).one()
                self._join(connection, order_id, kind, found)
                subjects += [subject(document) for document in found] if subject else []
                which = sa.update(orders).where(orders.c.order_id == order_id)
                total = orders.c.documents + len(found)
                connection.execute(which.values(documents=total, subjects=subjects))
        return found, sorted(under)

    def _of(self, order_id: str) -> sa.Select[Any]:
        return sa.select(order_documents.c.document_id).where(order_documents.c.order_id == order_id)

    def covered(self, document_ids: Collection[str]) -> list[Erased]:
        """These documents and all that have the same bytes, in order of source and uri."""
        with self._database.reading() as connection:
            return self._copies(connection, document_ids)

    def _covered(self, connection: sa.Connection, document_ids: Collection[str]) -> list[Erased]:
        """The same. Until the transaction ends, no hold is placed on them. Raises HeldBack when one stands."""
        matching(self._database, connection)
        found = self._copies(connection, document_ids)
        ids = [document.document_id for document in found]
        lock(self._database, connection, ids)
        if under := held(self._database, connection, ids):
            raise HeldBack(under)
        return found

    def _copies(self, connection: sa.Connection, document_ids: Collection[str]) -> list[Erased]:
        found = {
            row[0]: Erased(*row) for row in self._rows(connection, documents.c.document_id, document_ids)
        }
        hashes = {content for document in found.values() for content in document.hashes}
        for column in (documents.c.content_hash, documents.c.seen_hash):
            for row in self._rows(connection, column, hashes):
                found.setdefault(row[0], Erased(*row))
        return sorted(found.values(), key=lambda d: (d.source, d.uri, d.document_id))

    def _rows(
        self, connection: sa.Connection, column: sa.Column[Any], wanted: Collection[str]
    ) -> Iterable[Sequence[Any]]:
        return connection.execute(sa.select(*_ROW).where(self._database.among(column, wanted))).all()

    def _join(
        self,
        connection: sa.Connection,
        order_id: str,
        kind: OrderKind,
        found: Sequence[Erased],
        standing: Collection[Tombstone] = (),
    ) -> None:
        ids = [document.document_id for document in found]
        # A run in flight may have read bytes that no row knows yet.
        query = sa.select(intents.c.payload).where(self._database.among(intents.c.document_id, ids))
        flying = [unpacked(stored).document for stored in connection.execute(query).scalars()]
        more = [Erased(*(getattr(document, name) for name in _NAMES)) for document in flying]
        keys = _keys(connection)
        # What holds a phrase comes back once the phrase is gone from it: its path and its bytes are free.
        named = () if kind is OrderKind.PHRASE else (*found, *more)
        stones = [*standing, *(stone for d in named for stone in of_document(keys, d))]
        self._put(connection, order_id, stones)
        if ids:
            connection.execute(
                sa.insert(order_documents), [{"order_id": order_id, "document_id": name} for name in ids]
            )
            erased = sa.update(documents).where(self._database.among(documents.c.document_id, ids))
            connection.execute(erased.values(state=State.ERASED, reason=""))

    def _put(self, connection: sa.Connection, order_id: str, stones: Iterable[Tombstone]) -> None:
        rows = [{**schema.values(stone), "order_id": order_id} for stone in dict.fromkeys(stones)]
        if rows:
            connection.execute(self._database.insert_new(tombstones), rows)

    def seal(self, order_id: str, trace_key: str) -> None:
        """Put the key of an open order's traces on record."""
        with self._database.writing() as connection:
            which = sa.update(orders).where(orders.c.order_id == order_id)
            connection.execute(which.values(trace_key=trace_key))

    def get(self, order_id: str) -> Order | None:
        return next(iter(self._orders(orders.c.order_id == order_id)), None)

    def states(self, order_ids: Collection[str]) -> dict[str, OrderState]:
        """The state of each of these orders that is on record."""
        query = sa.select(orders.c.order_id, orders.c.state)
        query = query.where(self._database.among(orders.c.order_id, order_ids))
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def all(self) -> list[Order]:
        """All orders, in the order of placing."""
        return self._orders(sa.true())

    def open(self) -> list[Order]:
        """The orders that are not carried out yet, in the order of placing."""
        return self._orders(orders.c.state == OrderState.OPEN)

    def _orders(self, which: sa.ColumnElement[bool]) -> list[Order]:
        query = sa.select(*_ORDER).where(which).order_by(orders.c.placed_at, orders.c.order_id)
        with self._database.reading() as connection:
            return [Order(*row) for row in connection.execute(query)]

    def documents(self, order_id: str) -> list[str]:
        """The ids of the documents of an open order."""
        with self._database.reading() as connection:
            return list(
                connection.execute(self._of(order_id).order_by(order_documents.c.document_id)).scalars()
            )

    # ── Tombstones ────────────────────────────────────────────────────────────────────────────────────

    def keys(self) -> Keys:
        with self._database.reading() as connection:
            return _keys(connection)

    def kinds(self) -> set[TombstoneKind]:
        """The kinds of tombstones that stand: a question before any key is made."""
        with self._database.reading() as connection:
            return set(connection.execute(sa.select(tombstones.c.kind).distinct()).scalars())

    def lengths(self) -> list[int]:
        """The numbers of words that suppressed phrases have."""
        query = sa.select(tombstones.c.words).where(tombstones.c.kind == TombstoneKind.PHRASE).distinct()
        with self._database.reading() as connection:
            return sorted(connection.execute(query).scalars())

    def standing(self, key_hashes: Collection[str]) -> dict[str, str]:
        """{key hash: the first order}, for those of these that have a tombstone."""
        query = sa.select(tombstones.c.key_hash, sa.func.min(tombstones.c.order_id))
        query = query.where(self._database.among(tombstones.c.key_hash, key_hashes))
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(tombstones.c.key_hash))}

    def of(self, order_id: str) -> list[Tombstone]:
        """The tombstones of an order, in order of their keys."""
        query = sa.select(*_TOMBSTONE).where(tombstones.c.order_id == order_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(tombstones.c.kind, tombstones.c.key_hash))
            return [Tombstone(*row) for row in rows]

    def barred(self, found: Collection[Document]) -> set[str]:
        """The ids of those of these documents that may not be written."""
        with self._database.reading() as connection:
            return barred(self._database, connection, found)

    def withhold(self, found: Mapping[str, str], source: str) -> None:
        """Put the paths {uri: order id} under orders whose bytes lie there, so that they are not read again;
        no record of a run names them any more."""
        with self._database.writing() as connection:
            keys = _keys(connection)
            for uri, order_id in found.items():
                self._put(connection, order_id, [Tombstone(keys.uri(source, uri), TombstoneKind.URI)])
            here = sa.and_(items.c.source == source, self._database.among(items.c.uri, found))
            connection.execute(sa.delete(items).where(here))

    # ── Rows ──────────────────────────────────────────────────────────────────────────────────────────

    def reduce(self, order_id: str) -> int:
        """Delete everything that the ledger records of an order's documents, but for ids of points that are
        to be purged: rows, those of earlier documents of the same paths, reviews, items, and the sentences of
        runs and findings that name them. The log's subjects get their exported form. Returns the number of
        rows. Repeated, it finds none."""
        with self._database.writing() as connection:
            own = list(connection.execute(self._of(order_id)).scalars())
            found = [Erased(*row) for row in self._rows(connection, documents.c.document_id, own)]
            places = {(document.source, document.uri) for document in found}
            for row in self._rows(connection, documents.c.uri, {uri for _, uri in places}):
                former = Erased(*row)
                if former.state in (State.DELETED, State.ERASED) and (former.source, former.uri) in places:
                    found.append(former)
            ids = {*own, *(document.document_id for document in found)}
            number = 0
            for column in (
                documents.c.document_id,
                chunks.c.document_id,
                intents.c.document_id,
                reviews.c.document_id,
                held_documents.c.document_id,
                items.c.document_id,
            ):
                gone = sa.delete(column.table).where(self._database.among(column, ids))
                number += connection.execute(gone).rowcount
            uris = {document.uri for document in found}
            for column in (items.c.uri, items.c.old_uri):
                gone = sa.delete(items).where(self._database.among(column, uris))
                number += connection.execute(gone).rowcount
            words = {*uris, *(document.title for document in found)}
            needles = [word for word in words if len(word) >= _SHORTEST]
            if needles:
                number += self._silence(connection, needles)
            hide_subjects(connection, ids)
        return number

    def _silence(self, connection: sa.Connection, needles: Sequence[str]) -> int:
        """Take what names one of these out of the records of runs and sources."""
        changed = 0
        for run_id, error, counts in connection.execute(
            sa.select(runs.c.run_id, runs.c.error, runs.c.counts)
        ).all():
            quiet = _without(counts, needles)
            said = "" if _names(error, needles) else error
            if (said, quiet) != (error, counts):
                which = sa.update(runs).where(runs.c.run_id == run_id)
                connection.execute(which.values(error=said, counts=quiet))
                changed += 1
        for source, findings in connection.execute(sa.select(sources.c.source, sources.c.findings)).all():
            kept = [one for one in findings if not _names(json.dumps(one, ensure_ascii=False), needles)]
            if kept != findings:
                which = sa.update(sources).where(sources.c.source == source)
                connection.execute(which.values(findings=kept))
                changed += 1
        return changed

    # ── The end of an order ───────────────────────────────────────────────────────────────────────────

    def finish(self, order_id: str, receipt: str, at: datetime) -> None:
        """Put the receipt of an order on record, which is done with it. Its documents' ids go."""
        which = sa.and_(orders.c.order_id == order_id, orders.c.state == OrderState.OPEN)
        done = {"state": OrderState.DONE, "done_at": at, "receipt": receipt, "trace_key": ""}
        with self._database.writing() as connection:
            connection.execute(sa.update(orders).where(which).values(done))
            gone = sa.delete(order_documents).where(order_documents.c.order_id == order_id)
            connection.execute(gone)

    def lift(self, order_id: str, by: str, reason: str, at: datetime, entries: Sequence[LogEntry]) -> bool:
        """End the tombstones of an order that is done. False, with nothing on record, when it is not."""
        which = sa.and_(orders.c.order_id == order_id, orders.c.state == OrderState.DONE)
        lifted = {"state": OrderState.LIFTED, "lifted_at": at, "lifted_by": by, "lift_reason": reason}
        with self._database.writing() as connection:
            if connection.execute(sa.update(orders).where(which).values(lifted)).rowcount == 0:
                return False
            connection.execute(sa.delete(tombstones).where(tombstones.c.order_id == order_id))
            append(connection, entries)
        return True

    def unpurged(self, document_ids: Collection[str]) -> list[str]:
        """Point ids of removals of these documents, whose bytes may be on a disk."""
        query = sa.select(removals.c.point_id).where(
            self._database.among(removals.c.document_id, document_ids)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(removals.c.point_id)).scalars())


def _names(text: str, needles: Sequence[str]) -> bool:
    return any(needle in text for needle in needles)


def _without(value: Any, needles: Sequence[str]) -> Any:
    """The value with empty texts in the places of those that name one of these."""
    match value:
        case str():
            return "" if _names(value, needles) else value
        case list():
            return [_without(each, needles) for each in value]
        case dict():
            return {name: _without(each, needles) for name, each in value.items()}
    return value
