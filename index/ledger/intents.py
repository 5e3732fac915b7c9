"""The ledger's half of the write order: intend → commit → settle.

Between `intend` and `commit` the store may hold any, all or none of an intent's points; between `commit` and
`settle` it may still hold the removals. Both are on record here before the store is touched, so that the next
run can find out what an interrupted one left. So are the events of what was committed: whoever settles it,
tells them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.errors import LedgerError
from index.ledger import schema
from index.ledger.database import Database
from index.ledger.documents import replace
from index.ledger.events import Event, defer, tell
from index.ledger.kinds import Moment
from index.ledger.schema import chunks, documents, intents, removals, untold
from index.model import Action, ChunkRecord, Document, Intent, State

_MOMENTS = [column.name for column in documents.c if isinstance(column.type, Moment)]


def _packed(intent: Intent) -> dict[str, Any]:
    document = schema.values(intent.document)
    for name in _MOMENTS:
        moment: datetime | None = document[name]
        document[name] = None if moment is None else moment.isoformat()
    return {
        "action": intent.action,
        "document": document,
        "chunks": [astuple(chunk) for chunk in intent.chunks],
    }


def _unpacked(packed: dict[str, Any]) -> Intent:
    document = dict(packed["document"])
    document["state"] = State(document["state"])
    for name in _MOMENTS:
        document[name] = None if document[name] is None else datetime.fromisoformat(document[name])
    listed = tuple(ChunkRecord(*chunk) for chunk in packed["chunks"])
    return Intent(Action(packed["action"]), Document(**document), listed)


def _points(intent: Intent) -> set[str]:
    return {chunk.point_id for chunk in intent.chunks}


class Intents(Database):
    def intend(self, run_id: str, collection: str, wanted: Sequence[Intent]) -> None:
        """Put on record what the store is about to be given. Durable when it returns.

        A document has one open intent at most. Repeating an intent replaces it; replacing one whose points
        the new one does not all name is refused with LedgerError, because nothing would remember what the
        store may hold of them: recovery has to look first.
        """
        ids = [intent.document.document_id for intent in wanted]
        named = {intent.document.document_id: _points(intent) for intent in wanted}
        with self._writing() as connection:
            query = sa.select(intents.c.run_id, intents.c.collection, intents.c.payload)
            for earlier_run, place, packed in connection.execute(
                query.where(self._among(intents.c.document_id, ids))
            ):
                earlier = _unpacked(packed)
                document_id = earlier.document.document_id
                if place != collection or not _points(earlier) <= named[document_id]:
                    raise LedgerError(
                        f"Document {document_id} has an unfinished change of run {earlier_run} in collection "
                        f"{place!r}. Run `freshkb sync` again: it begins by clearing up."
                    )
            connection.execute(sa.delete(intents).where(self._among(intents.c.document_id, ids)))
            # From here on the intent knows these points; a removal left standing would delete them later.
            self._forget(connection, collection, set().union(*named.values()))
            if wanted:
                connection.execute(
                    sa.insert(intents),
                    [
                        {
                            "document_id": intent.document.document_id,
                            "run_id": run_id,
                            "collection": collection,
                            "payload": _packed(intent),
                        }
                        for intent in wanted
                    ],
                )

    def commit(self, collection: str, done: Sequence[Intent], events: Sequence[Event]) -> list[str]:
        """Make these the documents' current versions, and put on record what is to be told of it, in one
        transaction.

        Returns the point ids that are no longer referenced, in order; they are removals until `settle`.
        LedgerError, and nothing changed, when a document has no open intent in this collection, or when a
        chunk was never intended.
        """
        ids = [intent.document.document_id for intent in done]
        with self._writing() as connection:
            intended = {
                document_id: _points(_unpacked(packed))
                for document_id, packed in connection.execute(
                    sa.select(intents.c.document_id, intents.c.payload).where(
                        intents.c.collection == collection, self._among(intents.c.document_id, ids)
                    )
                )
            }
            before: dict[str, set[str]] = {}
            committed = sa.and_(chunks.c.collection == collection, self._among(chunks.c.document_id, ids))
            for document_id, point in connection.execute(
                sa.select(chunks.c.document_id, chunks.c.point_id).where(committed)
            ):
                before.setdefault(document_id, set()).add(point)

            gone: list[dict[str, str]] = []
            for intent in done:
                document_id = intent.document.document_id
                if document_id not in intended:
                    raise LedgerError(
                        f"Document {document_id} cannot be committed: it has no open intent in "
                        f"{collection!r}. Another run may have cleared it up."
                    )
                known, now = intended[document_id] | before.get(document_id, set()), _points(intent)
                if not now <= known:
                    raise LedgerError(
                        f"Document {document_id} cannot be committed: {len(now - known)} of its points were "
                        f"never intended in {collection!r}."
                    )
                gone += [
                    {"collection": collection, "point_id": point, "document_id": document_id}
                    for point in known - now
                ]

            connection.execute(sa.delete(chunks).where(committed))
            rows = [
                {**schema.values(chunk), "collection": collection}
                for intent in done
                for chunk in intent.chunks
            ]
            if rows:
                connection.execute(sa.insert(chunks), rows)
            replace(self, connection, [intent.document for intent in done])
            if gone:
                connection.execute(self._insert_new(removals), gone)
            connection.execute(sa.delete(intents).where(self._among(intents.c.document_id, ids)))
            defer(connection, collection, events)
        return sorted(row["point_id"] for row in gone)

    def settle(self, collection: str, point_ids: Collection[str]) -> None:
        """Forget removals that the store proved gone, and tell what was committed of documents that have no
        other removal left, in one transaction; also when another run committed it."""
        left = sa.exists().where(
            removals.c.collection == untold.c.collection, removals.c.document_id == untold.c.document_id
        )
        with self._writing() as connection:
            self._forget(connection, collection, point_ids)
            tell(connection, sa.and_(untold.c.collection == collection, ~left))

    def _forget(self, connection: sa.Connection, collection: str, point_ids: Collection[str]) -> None:
        connection.execute(
            sa.delete(removals).where(
                removals.c.collection == collection, self._among(removals.c.point_id, point_ids)
            )
        )

    def open_intents(self, collection: str | None = None) -> list[tuple[str, str, Intent]]:
        """(run id, collection, intent) of every unfinished change, in order of document id."""
        query = sa.select(intents.c.run_id, intents.c.collection, intents.c.payload)
        if collection is not None:
            query = query.where(intents.c.collection == collection)
        with self._reading() as connection:
            found = connection.execute(query.order_by(intents.c.document_id)).all()
        return [(run_id, place, _unpacked(packed)) for run_id, place, packed in found]

    def drop_intents(self, document_ids: Collection[str]) -> None:
        """Give up these changes, after their points were removed from the store or rewritten."""
        with self._writing() as connection:
            connection.execute(sa.delete(intents).where(self._among(intents.c.document_id, document_ids)))

    def removals(self, collection: str) -> list[str]:
        """Point ids that nothing references and that the store may still hold, in order."""
        query = sa.select(removals.c.point_id).where(removals.c.collection == collection)
        with self._reading() as connection:
            return list(connection.execute(query.order_by(removals.c.point_id)).scalars())

    def untold(self, collection: str) -> list[Event]:
        """Events of what was committed and is not settled yet, in order."""
        query = sa.select(*schema.columns(untold, Event)).where(untold.c.collection == collection)
        with self._reading() as connection:
            return [Event(*row) for row in connection.execute(query.order_by(untold.c.id))]

    def known_points(self, collection: str, ids: Collection[str]) -> set[str]:
        """Those of the ids that the ledger knows in any role: committed, intended or to be removed."""
        with self._reading() as connection:
            known = {
                point
                for table in (chunks, removals)
                for point in connection.execute(
                    sa.select(table.c.point_id).where(
                        table.c.collection == collection, self._among(table.c.point_id, ids)
                    )
                ).scalars()
            }
            packed = connection.execute(
                sa.select(intents.c.payload).where(intents.c.collection == collection)
            )
            for payload in packed.scalars():
                known |= _points(_unpacked(payload)).intersection(ids)
        return known
