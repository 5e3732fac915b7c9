"""Legal holds, and the documents that are under them.

The documents of a hold are on record: those that match it when it is placed and, in the transaction that
writes their row, those that come to match it. A document stays under its hold when it is renamed or gets
another owner.

Placing excludes the transactions that write documents' rows, so that no document is missed that comes at the
same time. On SQLite a transaction is alone in any case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.freshness.properties import mails_above
from index.ledger import schema
from index.ledger.database import Database, Tables
from index.ledger.entry import LogEntry
from index.ledger.hold import Hold, HoldKind
from index.ledger.log import append
from index.ledger.schema import documents, held_documents, holds
from index.model import LIVE, State
from index.precedence import Fate, fate
from index.records import Document

_HOLD = schema.columns(holds, Hold)
#: Key of PostgreSQL's advisory lock: shared by those that write documents, exclusive for placing.
_PLACING_KEY = 0x667265736C68


def standing(database: Database) -> sa.ColumnElement[bool]:
    """The condition of holds that are neither released nor over."""
    over = sa.or_(holds.c.until.is_(None), holds.c.until > database.now())
    return sa.and_(holds.c.released_at.is_(None), over)


def under_hold(database: Database, document_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """The condition that a hold stands on the document."""
    same = held_documents.c.hold_id == holds.c.hold_id
    return sa.exists().where(held_documents.c.document_id == document_id, same, standing(database))


def kept(database: Database, connection: sa.Connection, document_ids: Collection[str]) -> set[str]:
    """The documents among these that a hold keeps from being removed. Until this transaction ends, no other
    places a hold on them or announces their removal."""
    if not document_ids:
        return set()
    lock(database, connection, document_ids)
    under = held(database, connection, document_ids)
    return {name for name in document_ids if fate(held=name in under, absent=True) is Fate.HELD}


def lock(database: Database, connection: sa.Connection, document_ids: Collection[str]) -> None:
    """Until this transaction ends, no other places a hold on these documents or announces their removal."""
    rows = sa.select(documents.c.document_id).where(database.among(documents.c.document_id, document_ids))
    connection.execute(rows.order_by(documents.c.document_id).with_for_update()).all()


def held(database: Database, connection: sa.Connection, document_ids: Collection[str]) -> set[str]:
    """The documents among these that are under a hold."""
    query = sa.select(held_documents.c.document_id).join(holds, holds.c.hold_id == held_documents.c.hold_id)
    query = query.where(standing(database), database.among(held_documents.c.document_id, document_ids))
    return set(connection.execute(query).scalars())


def matching(database: Database, connection: sa.Connection) -> list[Hold]:
    """The standing holds that documents may come to match. Until this transaction ends, none is placed.

    Called before the transaction locks any document: placing takes the two locks in this order.
    """
    if not database.on_sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_PLACING_KEY)))
    query = sa.select(*_HOLD).where(standing(database), holds.c.kind != HoldKind.DOCUMENT)
    return [Hold(*row) for row in connection.execute(query)]


def extend(
    database: Database, connection: sa.Connection, found: Sequence[Hold], records: Iterable[Document]
) -> None:
    """Put those of these documents under the holds that match them, and what is attached to a mail under
    those that were placed on the mail."""
    records = [record for record in records if record.state in LIVE]
    rows = [*_of_mails(database, connection, records)]
    rows += [
        {"hold_id": hold.hold_id, "document_id": record.document_id, "since": database.now()}
        for record in (records if found else ())
        for hold in found
        if hold.covers(record.source, record.uri, record.owners or [record.owner])
    ]
    if rows:
        connection.execute(database.insert_new(held_documents), rows)


def _of_mails(
    database: Database, connection: sa.Connection, records: Iterable[Document]
) -> Iterator[dict[str, Any]]:
    """A row for each hold on a mail, and each of these documents that is attached to it."""
    above: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for mail in mails_above(record.uri, record.properties):
            above.setdefault((record.source, mail), []).append(record.document_id)
    if not above:
        return
    query = sa.select(held_documents.c.hold_id, documents.c.source, documents.c.uri)
    query = query.join(documents, documents.c.document_id == held_documents.c.document_id)
    query = query.join(holds, holds.c.hold_id == held_documents.c.hold_id)
    query = query.where(standing(database), holds.c.kind == HoldKind.DOCUMENT)
    query = query.where(database.among(documents.c.uri, {mail for _, mail in above}))
    for hold_id, source, uri in connection.execute(query).all():
        for document_id in above.get((source, uri), ()):
            yield {"hold_id": hold_id, "document_id": document_id, "since": database.now()}


class Holds(Tables):
    def place(self, hold: Hold, document_ids: Collection[str], entries: Sequence[LogEntry]) -> int:
        """Place a hold, on these documents and on the live ones that match it. Returns their number.

        A removal that was announced before goes on; one that is about to be announced sees the hold.
        """
        with self._database.writing() as connection:
            if not self._database.on_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PLACING_KEY)))
            connection.execute(sa.insert(holds), schema.values(hold))
            under = dict.fromkeys([*document_ids, *self._covered(connection, hold)])
            if under:
                lock(self._database, connection, under)
                connection.execute(
                    sa.insert(held_documents),
                    [
                        {"hold_id": hold.hold_id, "document_id": name, "since": hold.placed_at}
                        for name in under
                    ],
                )
            append(connection, entries)
        return len(under)

    def _covered(self, connection: sa.Connection, hold: Hold) -> list[str]:
        if hold.kind is HoldKind.DOCUMENT:
            return []
        names = ("document_id", "source", "uri", "owner", "owners")
        query = sa.select(*(documents.c[name] for name in names)).where(schema.live)
        if hold.source:
            query = query.where(documents.c.source == hold.source)
        return [
            document_id
            for document_id, source, uri, owner, owners in connection.execute(query)
            if hold.covers(source, uri, owners or [owner])
        ]

    def release(self, hold_id: str, by: str, reason: str, at: datetime, entries: Sequence[LogEntry]) -> bool:
        """Release a hold. False, with nothing on record, when it does not stand."""
        which = sa.and_(holds.c.hold_id == hold_id, standing(self._database))
        done = {"released_at": at, "released_by": by, "release_reason": reason}
        with self._database.writing() as connection:
            released = connection.execute(sa.update(holds).where(which).values(done)).rowcount > 0
            append(connection, entries if released else ())
        return released

    def get(self, hold_id: str) -> Hold | None:
        """The hold, also when it is released or over."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*_HOLD).where(holds.c.hold_id == hold_id)).first()
        return None if row is None else Hold(*row)

    def all(self) -> list[Hold]:
        """All holds, also those that are released or over, in the order of placing."""
        query = sa.select(*_HOLD).order_by(holds.c.placed_at, holds.c.hold_id)
        with self._database.reading() as connection:
            return [Hold(*row) for row in connection.execute(query)]

    def standing(self) -> list[Hold]:
        """The holds in force, in the order of placing."""
        query = sa.select(*_HOLD).where(standing(self._database))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(holds.c.placed_at, holds.c.hold_id)).all()
        return [Hold(*row) for row in found]

    def of(self, document_ids: Collection[str]) -> dict[str, list[Hold]]:
        """The standing holds of each document that is under some, in the order of placing."""
        query = (
            sa.select(held_documents.c.document_id, *_HOLD)
            .join_from(held_documents, holds, holds.c.hold_id == held_documents.c.hold_id)
            .where(standing(self._database), self._database.among(held_documents.c.document_id, document_ids))
            .order_by(holds.c.placed_at, holds.c.hold_id)
        )
        found: dict[str, list[Hold]] = {}
        with self._database.reading() as connection:
            for document_id, *row in connection.execute(query):
                found.setdefault(document_id, []).append(Hold(*row))
        return found

    def held(self) -> set[str]:
        """All documents under a standing hold."""
        query = sa.select(held_documents.c.document_id).distinct()
        query = query.join(holds, holds.c.hold_id == held_documents.c.hold_id)
        with self._database.reading() as connection:
            return set(connection.execute(query.where(standing(self._database))).scalars())

    def tally(self) -> tuple[int, int]:
        """(standing holds, documents under them)."""
        under = sa.func.count(held_documents.c.document_id.distinct())
        query = sa.select(sa.func.count(holds.c.hold_id.distinct()), under)
        query = query.outerjoin_from(holds, held_documents, holds.c.hold_id == held_documents.c.hold_id)
        with self._database.reading() as connection:
            number, documents = connection.execute(query.where(standing(self._database))).one()
        return int(number), int(documents)

    def members(self, hold_id: str, limit: int | None = None) -> list[str]:
        """The first documents under a hold, also under one that is released or over, in order of their
        ids."""
        query = sa.select(held_documents.c.document_id).where(held_documents.c.hold_id == hold_id)
        query = query.order_by(held_documents.c.document_id).limit(limit)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def counts(self) -> dict[str, int]:
        """{hold id: its documents}, for holds that have some."""
        query = sa.select(held_documents.c.hold_id, sa.func.count()).group_by(held_documents.c.hold_id)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def waiting(self, hold_id: str) -> int:
        """Documents of a hold that their sources no longer have, and that no hold keeps now."""
        gone = sa.and_(
            held_documents.c.hold_id == hold_id,
            documents.c.document_id == held_documents.c.document_id,
            documents.c.state == State.HELD,
        )
        # Aliased: the condition asks for any hold, not for this membership.
        free = ~documents.c.document_id.in_(
            sa.select(_other.c.document_id)
            .join(holds, holds.c.hold_id == _other.c.hold_id)
            .where(standing(self._database))
        )
        query = sa.select(sa.func.count()).select_from(documents, held_documents).where(gone, free)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def once_held(self, document_ids: Collection[str]) -> set[str]:
        """The documents among these that are or were under a hold."""
        query = sa.select(held_documents.c.document_id)
        query = query.join(holds, holds.c.hold_id == held_documents.c.hold_id)
        query = query.where(self._database.among(held_documents.c.document_id, document_ids))
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())


_other = held_documents.alias()
