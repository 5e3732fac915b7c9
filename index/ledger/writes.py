"""The ledger's half of the write order: intend → commit → settle.

Between `intend` and `commit` the store may hold any, all or none of an intent's points; between `commit` and
`settle` it may still hold the removals. Both are on record here before the store is touched, so that the next
run can find out what an interrupted one left. So are the events of what was committed: whoever settles it,
tells them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from index.errors import LedgerError
from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.documents import replace
from index.ledger.intents import packed, points_of, unpacked
from index.ledger.log import Event, defer, tell
from index.ledger.schema import chunks, collections, intents, removals, untold
from index.model import Intent


class Writes(Tables):
    def intend(self, run_id: str, collection: str, wanted: Sequence[Intent]) -> None:
        """Put on record what the store is about to be given. Durable when it returns.

        A document has one open intent at most. Repeating an intent replaces it; replacing one whose points
        the new one does not all name is refused with LedgerError, because nothing would remember what the
        store may hold of them: recovery has to look first.
        """
        ids = [intent.document.document_id for intent in wanted]
        named = {intent.document.document_id: points_of(intent) for intent in wanted}
        with self._database.writing() as connection:
            query = sa.select(intents.c.run_id, intents.c.collection, intents.c.payload)
            for earlier_run, place, stored in connection.execute(
                query.where(self._database.among(intents.c.document_id, ids))
            ):
                earlier = unpacked(stored)
                document_id = earlier.document.document_id
                if place != collection or not points_of(earlier) <= named[document_id]:
                    raise LedgerError(
                        f"Document {document_id} has an unfinished change of run {earlier_run} in collection "
                        f"{place!r}. Run `freshkb sync` again: it begins by clearing up."
                    )
            connection.execute(sa.delete(intents).where(self._database.among(intents.c.document_id, ids)))
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
                            "payload": packed(intent),
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
        with self._database.writing() as connection:
            intended = {
                document_id: points_of(unpacked(stored))
                for document_id, stored in connection.execute(
                    sa.select(intents.c.document_id, intents.c.payload).where(
                        intents.c.collection == collection, self._database.among(intents.c.document_id, ids)
                    )
                )
            }
            before: dict[str, set[str]] = {}
            committed = sa.and_(
                chunks.c.collection == collection, self._database.among(chunks.c.document_id, ids)
            )
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
                known, now = intended[document_id] | before.get(document_id, set()), points_of(intent)
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
            replace(self._database, connection, [intent.document for intent in done])
            if gone:
                connection.execute(self._database.insert_new(removals), gone)
            connection.execute(sa.delete(intents).where(self._database.among(intents.c.document_id, ids)))
            defer(connection, collection, events)
        return sorted(row["point_id"] for row in gone)

    def settle(self, collection: str, point_ids: Collection[str]) -> None:
        """Forget removals that the store proved gone, and tell what was committed of documents that have no
        other removal left, in one transaction; also when another run committed it."""
        left = sa.exists().where(
            removals.c.collection == untold.c.collection, removals.c.document_id == untold.c.document_id
        )
        with self._database.writing() as connection:
            self._forget(connection, collection, point_ids)
            tell(connection, sa.and_(untold.c.collection == collection, ~left))

    def _forget(self, connection: sa.Connection, collection: str, point_ids: Collection[str]) -> None:
        connection.execute(
            sa.delete(removals).where(
                removals.c.collection == collection, self._database.among(removals.c.point_id, point_ids)
            )
        )

    def drop_intents(self, document_ids: Collection[str]) -> None:
        """Give up these changes, after their points were removed from the store or rewritten."""
        with self._database.writing() as connection:
            connection.execute(
                sa.delete(intents).where(self._database.among(intents.c.document_id, document_ids))
            )

    def switch_collection(self, name: str) -> None:
        """Make the collection that was building the current one; the former current one becomes `dropping`
        and loses its rows, in one transaction. Nothing happens when it is current already."""
        with self._database.writing() as connection:
            state = connection.execute(
                sa.select(collections.c.state).where(collections.c.name == name)
            ).scalar_one_or_none()
            if state == "current":
                return
            if state != "building":
                raise LedgerError(f"Collection {name!r} is not being built: it is {state or 'unknown'}.")
            former = connection.execute(
                sa.select(collections.c.name).where(collections.c.state == "current")
            ).scalar_one_or_none()
            if former is not None:
                self._clear(connection, former)
                self._mark(connection, former, "dropping")
            self._mark(connection, name, "current")

    def replace_collection(self, former: str, name: str) -> None:
        """Make the collection that was building the current one, with all that is recorded of the former one,
        which becomes `dropping`: its points were copied."""
        with self._database.writing() as connection:
            self._clear(connection, name)
            for table in (chunks, intents, removals, untold):
                moved = sa.update(table).where(table.c.collection == former)
                connection.execute(moved.values(collection=name))
            self._mark(connection, former, "dropping")
            self._mark(connection, name, "current")

    def drop_collection(self, name: str) -> None:
        """Forget a collection after the store dropped it, and tell what was committed to it. Unknown ones
        are no error."""
        with self._database.writing() as connection:
            self._clear(connection, name)
            tell(connection, untold.c.collection == name)
            connection.execute(sa.delete(collections).where(collections.c.name == name))

    def _mark(self, connection: sa.Connection, name: str, state: str) -> None:
        connection.execute(sa.update(collections).where(collections.c.name == name).values(state=state))

    def _clear(self, connection: sa.Connection, name: str) -> None:
        for table in (chunks, intents, removals):
            connection.execute(sa.delete(table).where(table.c.collection == name))
