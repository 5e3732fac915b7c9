"""The ledger's half of the write order: intend → commit → settle.

Between `intend` and `commit` the store may hold any, all or none of an intent's points; between `commit` and
`settle` it may still hold the removals. Both are on record here before the store is touched, so that the next
run can find and settle the work of an interrupted one. So are the entries of commits: they stay pending until
`settle` publishes them.

A removal is *present* until `settle`, and *absent* until its bytes are purged. It ends early when its id is
intended again, and is present anew when a writer that had lost its lock wrote the point once more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from index.errors import LedgerError
from index.ledger import extracts, schema
from index.ledger.database import Tables
from index.ledger.documents import replace
from index.ledger.entry import LogEntry
from index.ledger.erased import barred
from index.ledger.holds import kept
from index.ledger.intents import packed, points_in, points_of, unpacked
from index.ledger.log import append, defer, publish
from index.ledger.points import PRESENT
from index.ledger.removal import PointRemoval, RemovalState
from index.ledger.schema import chunks, collections, intents, log, removals
from index.model import REMOVALS
from index.records import Intent


class Writes(Tables):
    def intend(self, run_id: str, collection: str, wanted: Sequence[Intent]) -> set[str]:
        """Put on record the points that are about to be written. Durable when it returns.

        A document has one open intent at most. Repeating an intent replaces it; replacing one whose points
        the new one does not all name is refused with LedgerError, because the record of points that the store
        may hold would be lost: recovery has to run first.

        The removal of a document under a hold is not announced, even when the hold came after the plan; nor
        is what an order to erase forbids to write, even when the order came after the text was read. Returns
        the ids of these documents, which stay as they are.
        """
        removed = [i.document.document_id for i in wanted if i.action in REMOVALS]
        with self._database.writing() as connection:
            stays = kept(self._database, connection, removed)
            written = [i.document for i in wanted if i.action not in REMOVALS]
            refused = stays | barred(self._database, connection, written)
            allowed = [i for i in wanted if i.document.document_id not in refused]
            self._announce(connection, run_id, collection, allowed)
        return refused

    def _announce(
        self, connection: sa.Connection, run_id: str, collection: str, wanted: Sequence[Intent]
    ) -> None:
        ids = [intent.document.document_id for intent in wanted]
        named = {intent.document.document_id: points_of(intent) for intent in wanted}
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

    def commit(self, collection: str, done: Sequence[Intent], entries: Sequence[LogEntry]) -> list[str]:
        """Make these the documents' current versions, with the entries as pending ones, in one transaction.

        Returns the point ids that are no longer referenced, in order; they are removals until `settle`.
        LedgerError, and nothing changed, when a document has no open intent in this collection, or when a
        chunk was never intended.
        """
        ids = [intent.document.document_id for intent in done]
        with self._database.writing() as connection:
            intended = {
                document_id: points_in(stored)
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
            extracts.put(self._database, connection, done)
            if gone:
                # The store may hold a point again that was absent before.
                self._forget(connection, collection, [row["point_id"] for row in gone])
                connection.execute(sa.insert(removals), gone)
            connection.execute(sa.delete(intents).where(self._database.among(intents.c.document_id, ids)))
            defer(connection, collection, entries)
        return sorted(row["point_id"] for row in gone)

    def settle(self, collection: str, point_ids: Collection[str], at: datetime) -> None:
        """Mark removals as absent, which the store proved, and publish the entries of documents that have no
        other present removal, in one transaction; also when another run committed them."""
        left = sa.exists().where(
            removals.c.collection == log.c.collection, removals.c.document_id == log.c.subject, PRESENT
        )
        proved = sa.and_(
            removals.c.collection == collection, self._database.among(removals.c.point_id, point_ids), PRESENT
        )
        with self._database.writing() as connection:
            absent = sa.update(removals).where(proved)
            connection.execute(absent.values(state=RemovalState.ABSENT, absent_at=at))
            publish(connection, sa.and_(log.c.collection == collection, ~left))

    def purged(self, collection: str, seen: Collection[PointRemoval], entries: Sequence[LogEntry]) -> int:
        """Delete the rows of absent removals whose bytes were purged: of these, as they were `seen` before
        the store began to purge. One that became present or absent anew since then stays. Returns their
        number.

        To be called with what `VectorStore.purge` has proved.
        """
        since = {removal.point_id: removal.absent_at for removal in seen}
        own = sa.and_(removals.c.collection == collection, removals.c.state == RemovalState.ABSENT)
        query = sa.select(removals.c.point_id, removals.c.absent_at).where(own).with_for_update()
        with self._database.writing() as connection:
            rows = connection.execute(query.where(self._database.among(removals.c.point_id, since)))
            gone = [point for point, absent_at in rows if absent_at == since[point]]
            self._forget(connection, collection, gone)
            append(connection, entries)
        return len(gone)

    def record_absent(self, collection: str, points: Mapping[str, str], at: datetime) -> None:
        """Put absent removals on record, {point id: document id}: of points that were deleted although no
        commit made them obsolete, as those of an interrupted run. Recorded ones stay as they are."""
        rows = [
            {
                "collection": collection,
                "point_id": point,
                "document_id": document,
                "state": RemovalState.ABSENT,
                "absent_at": at,
            }
            for point, document in points.items()
        ]
        if rows:
            with self._database.writing() as connection:
                connection.execute(self._database.insert_new(removals), rows)

    def record_present(self, collection: str, point_ids: Collection[str]) -> None:
        """Make the absent ones of these removals present: the store may hold the points again."""
        own = sa.and_(removals.c.collection == collection, removals.c.state == RemovalState.ABSENT)
        present = sa.update(removals).where(own, self._database.among(removals.c.point_id, point_ids))
        with self._database.writing() as connection:
            connection.execute(present.values(state=RemovalState.PRESENT, absent_at=None))

    def _forget(self, connection: sa.Connection, collection: str, point_ids: Collection[str]) -> None:
        connection.execute(
            sa.delete(removals).where(
                removals.c.collection == collection, self._database.among(removals.c.point_id, point_ids)
            )
        )

    def drop_intents(self, document_ids: Collection[str]) -> None:
        """Delete these intents, after their points were removed from the store or rewritten."""
        with self._database.writing() as connection:
            connection.execute(
                sa.delete(intents).where(self._database.among(intents.c.document_id, document_ids))
            )

    def switch_collection(self, name: str, entries: Sequence[LogEntry]) -> None:
        """Make the collection that was building the current one; the former current one becomes `dropping`
        and loses its rows, in one transaction. Nothing happens when it is current already. LedgerError when
        it is neither."""
        with self._database.writing() as connection:
            if self._state(connection, name) == "current":
                return
            self._require(connection, name, "building", "being built")
            former = connection.execute(
                sa.select(collections.c.name).where(collections.c.state == "current")
            ).scalar_one_or_none()
            if former is not None:
                self._clear(connection, former)
                self._mark(connection, former, "dropping")
            self._mark(connection, name, "current")
            append(connection, entries)

    def replace_collection(self, former: str, name: str, entries: Sequence[LogEntry]) -> None:
        """Make the collection that was building the current one, with all that is recorded of the former one,
        which becomes `dropping`: its points were copied. Absent removals were not: they go with the
        former. LedgerError, and nothing changed, when another process has dropped the one, or has replaced
        the other."""
        with self._database.writing() as connection:
            self._require(connection, name, "building", "being built")
            self._require(connection, former, "current", "in use")
            self._clear(connection, name)
            for table, which in ((chunks, sa.true()), (intents, sa.true()), (removals, PRESENT)):
                moved = sa.update(table).where(table.c.collection == former, which)
                connection.execute(moved.values(collection=name))
            self._mark(connection, former, "dropping")
            self._mark(connection, name, "current")
            append(connection, entries)
            connection.execute(sa.update(log).where(log.c.collection == former).values(collection=name))

    def give_up_collection(self, name: str) -> bool:
        """Make a collection that was building `dropping`, so that nobody takes it into use while the store
        drops it. Returns whether it may be dropped: it is not the current one."""
        with self._database.writing() as connection:
            state = self._state(connection, name)
            if state == "building":
                self._mark(connection, name, "dropping")
        return state != "current"

    def drop_collection(self, name: str, entries: Sequence[LogEntry]) -> None:
        """Forget a collection after the store dropped it, with its removals, whose bytes went with it, and
        publish its pending entries. For an unknown collection, only these are put on record."""
        with self._database.writing() as connection:
            self._clear(connection, name)
            known = connection.execute(sa.delete(collections).where(collections.c.name == name)).rowcount
            publish(connection, log.c.collection == name)
            append(connection, entries if known else ())

    def _state(self, connection: sa.Connection, name: str) -> str | None:
        """The state of a collection, which no other process changes before the transaction ends."""
        query = sa.select(collections.c.state).where(collections.c.name == name).with_for_update()
        return connection.execute(query).scalar_one_or_none()

    def _require(self, connection: sa.Connection, name: str, wanted: str, words: str) -> None:
        if (state := self._state(connection, name)) != wanted:
            raise LedgerError(
                f"Collection {name!r} is not {words}: it is {state or 'unknown'}. Nothing was switched; run "
                "the command again."
            )

    def _mark(self, connection: sa.Connection, name: str, state: str) -> None:
        connection.execute(sa.update(collections).where(collections.c.name == name).values(state=state))

    def _clear(self, connection: sa.Connection, name: str) -> None:
        for table in (chunks, intents, removals):
            connection.execute(sa.delete(table).where(table.c.collection == name))
