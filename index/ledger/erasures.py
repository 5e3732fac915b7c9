"""Orders to erase, and the tombstones that keep erased documents out.

An order is durable before anything is removed. From that moment on its documents are *erased*: no search
shows them, no run writes them, and what a run has read of them is refused. Their rows go when the order is
carried out; what stays are keyed hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.erased import Erased, keys_of, of_document, put, replaced, rows
from index.ledger.holds import held, lock, matching
from index.ledger.intents import unpacked
from index.ledger.log import append
from index.ledger.order import WITHHELD, Order, OrderKind, OrderState, withheld_by
from index.ledger.reduction import reduced
from index.ledger.schema import (
    chunks,
    documents,
    intents,
    order_documents,
    orders,
    removals,
    tombstones,
)
from index.ledger.tombstone import Tombstone
from index.model import State

_ORDER = schema.columns(orders, Order)
_TOMBSTONE = schema.columns(tombstones, Tombstone)


class HeldBack(Exception):
    """Documents of an order are under a hold; nothing was put on record."""

    def __init__(self, document_ids: Collection[str]) -> None:
        super().__init__()
        self.document_ids = sorted(document_ids)


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
        """Place an order on these documents and on all that have the same bytes. Yields those that it is
        about inside the transaction, which an exception of the block undoes. `subject` makes the keyed hash
        of each for the receipt; None: the order has them. `standing`: tombstones besides those of the
        documents. The order is durable when the block has ended.

        Raises HeldBack when a hold stands on one of them: then nothing is on record.
        """
        with self._database.writing() as connection:
            covered = self._covered(connection, document_ids)
            found = self._shown(connection, covered, document_ids)
            self._join(connection, order.order_id, order.kind, covered, standing)
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
            known |= self._never_indexed(connection)
            more = [d for d in self._copies(connection, document_ids) if d.document_id not in known]
            ids = [document.document_id for document in more]
            lock(self._database, connection, ids)
            under = held(self._database, connection, ids)
            found = [document for document in more if document.document_id not in under]
            put(self._database, connection, order_id, standing)
            if found:
                query = sa.select(orders.c.kind, orders.c.subjects).where(orders.c.order_id == order_id)
                kind, subjects = connection.execute(query).one()
                shown = self._shown(connection, found, document_ids)
                self._join(connection, order_id, kind, found)
                subjects += [subject(document) for document in shown] if subject else []
                which = sa.update(orders).where(orders.c.order_id == order_id)
                total = orders.c.documents + len(shown)
                connection.execute(which.values(documents=total, subjects=subjects))
        return found, sorted(under)

    def _never_indexed(self, connection: sa.Connection) -> set[str]:
        """The ids of documents that an order has kept out since they came: they have nothing to erase."""
        kept = sa.select(documents.c.document_id).where(
            documents.c.state == State.QUARANTINED,
            documents.c.version == 0,
            documents.c.reason.startswith(WITHHELD, autoescape=True),
        )
        return set(connection.execute(kept).scalars())

    def _of(self, order_id: str) -> sa.Select[Any]:
        return sa.select(order_documents.c.document_id).where(order_documents.c.order_id == order_id)

    def covered(self, document_ids: Collection[str]) -> list[Erased]:
        """The documents that an order on these would be about, in order of source and uri."""
        with self._database.reading() as connection:
            return self._shown(connection, self._copies(connection, document_ids), document_ids)

    def _covered(self, connection: sa.Connection, document_ids: Collection[str]) -> list[Erased]:
        """These documents and all that have the same bytes. Until the transaction ends, no hold is placed on
        them. Raises HeldBack for one that stands."""
        matching(self._database, connection)
        found = self._copies(connection, document_ids)
        ids = [document.document_id for document in found]
        lock(self._database, connection, ids)
        if under := held(self._database, connection, ids):
            raise HeldBack(under)
        return found

    def _copies(self, connection: sa.Connection, document_ids: Collection[str]) -> list[Erased]:
        named = rows(self._database, connection, documents.c.document_id, document_ids)
        found = {document.document_id: document for document in named}
        hashes = {content for document in found.values() for content in document.hashes}
        for column in (documents.c.content_hash, documents.c.seen_hash):
            for copy in rows(self._database, connection, column, hashes):
                found.setdefault(copy.document_id, copy)
        return sorted(found.values(), key=lambda d: (d.source, d.uri, d.document_id))

    def _shown(
        self, connection: sa.Connection, found: Sequence[Erased], named: Collection[str]
    ) -> list[Erased]:
        """Those of these documents that an order is about. What is left of a deleted copy goes with the
        others, but nobody is to take it for the document that is in its place by now."""
        former, own = replaced(self._database, connection, found), set(named)
        return [document for document in found if document not in former or document.document_id in own]

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
        more = [Erased.of(document) for document in flying]
        keys = keys_of(connection)
        # What holds a phrase comes back once the phrase is gone from it: its path and its bytes are free.
        named = () if kind is OrderKind.PHRASE else (*found, *more)
        former = replaced(self._database, connection, named)
        stones = [*standing, *(stone for d in named for stone in of_document(keys, d, path=d not in former))]
        put(self._database, connection, order_id, stones)
        if ids:
            connection.execute(
                sa.insert(order_documents), [{"order_id": order_id, "document_id": name} for name in ids]
            )
            erased = sa.update(documents).where(self._database.among(documents.c.document_id, ids))
            connection.execute(erased.values(state=State.ERASED, reason=""))

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

    def ordered(self) -> set[str]:
        """The ids of the documents of all open orders."""
        with self._database.reading() as connection:
            return set(connection.execute(sa.select(order_documents.c.document_id)).scalars())

    def documents(self, order_id: str) -> list[str]:
        """The ids of the documents of an open order."""
        with self._database.reading() as connection:
            return list(
                connection.execute(self._of(order_id).order_by(order_documents.c.document_id)).scalars()
            )

    def tally(self) -> tuple[int, int, int]:
        """(orders whose tombstones stand, those of them that are open, documents in quarantine by an
        order)."""
        number = sa.func.count()
        stand = sa.select(number).where(orders.c.state != OrderState.LIFTED)
        kept = sa.select(number).where(
            documents.c.state == State.QUARANTINED, documents.c.reason.startswith(WITHHELD, autoescape=True)
        )
        with self._database.reading() as connection:
            standing = connection.execute(stand).scalar_one()
            pending = connection.execute(stand.where(orders.c.state == OrderState.OPEN)).scalar_one()
            return standing, pending, connection.execute(kept).scalar_one()

    def reduce(self, order_id: str, naming: Callable[[str], bool] | None = None) -> int:
        """Delete everything that the ledger records of an order's documents, but for ids of points that are
        to be purged: see `index.ledger.reduction`. Returns the number of rows. Repeated, it finds none."""
        with self._database.writing() as connection:
            own = list(connection.execute(self._of(order_id)).scalars())
            return reduced(self._database, connection, own, naming)

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
        """End the tombstones of an order that is done: the next sync looks again at the documents that it
        kept in quarantine. False, with nothing on record, when it is not done."""
        which = sa.and_(orders.c.order_id == order_id, orders.c.state == OrderState.DONE)
        lifted = {"state": OrderState.LIFTED, "lifted_at": at, "lifted_by": by, "lift_reason": reason}
        with self._database.writing() as connection:
            if connection.execute(sa.update(orders).where(which).values(lifted)).rowcount == 0:
                return False
            connection.execute(sa.delete(tombstones).where(tombstones.c.order_id == order_id))
            said = documents.c.reason
            own = (said == withheld_by(order_id), *(said.startswith(text) for text in _more(order_id)))
            again = sa.update(documents).where(documents.c.state == State.QUARANTINED, sa.or_(*own))
            connection.execute(again.values(seen_extraction=""))
            append(connection, entries)
        return True

    def unpurged(self, document_ids: Collection[str]) -> list[str]:
        """Point ids of removals of these documents, whose bytes may be on a disk."""
        query = sa.select(removals.c.point_id).where(
            self._database.among(removals.c.document_id, document_ids)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(removals.c.point_id)).scalars())


def _more(order_id: str) -> list[str]:
    """The beginnings of reasons that have more words than `withheld_by`."""
    return [f"{withheld_by(order_id)}{mark}" for mark in "; "]
