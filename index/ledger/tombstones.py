"""Tombstones that stand: what runs ask before they read, and before they write."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from index.freshness.properties import mails_above
from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.erased import barred, keys_of, put
from index.ledger.holds import under_hold
from index.ledger.order import OrderState
from index.ledger.schema import documents, items, orders, tombstones
from index.ledger.tombstone import Keys, Tombstone, TombstoneKind
from index.model import State
from index.records import Document

_TOMBSTONE = schema.columns(tombstones, Tombstone)


class Tombstones(Tables):
    def keys(self) -> Keys:
        with self._database.reading() as connection:
            return keys_of(connection)

    def kinds(self) -> set[TombstoneKind]:
        """The kinds of tombstones that stand: a question before any key is made."""
        with self._database.reading() as connection:
            return set(connection.execute(sa.select(tombstones.c.kind).distinct()).scalars())

    def phrases(self) -> dict[int, dict[str, str]]:
        """{number of words: {key hash: the first order}} of the suppressed phrases."""
        query = sa.select(tombstones.c.words, tombstones.c.key_hash, sa.func.min(tombstones.c.order_id))
        query = query.where(tombstones.c.kind == TombstoneKind.PHRASE)
        query = query.group_by(tombstones.c.words, tombstones.c.key_hash)
        found: dict[int, dict[str, str]] = {}
        with self._database.reading() as connection:
            for words, key_hash, order_id in connection.execute(query.order_by(tombstones.c.words)):
                found.setdefault(words, {})[key_hash] = order_id
        return found

    def standing(self, key_hashes: Collection[str]) -> dict[str, str]:
        """{key hash: the first order}, for those of these that have a tombstone."""
        query = sa.select(tombstones.c.key_hash, sa.func.min(tombstones.c.order_id))
        query = query.where(self._database.among(tombstones.c.key_hash, key_hashes))
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(tombstones.c.key_hash))}

    def barred(self, found: Collection[Document]) -> set[str]:
        """The ids of those of these documents that may not be written now."""
        with self._database.reading() as connection:
            return barred(self._database, connection, found)

    def of(self, order_id: str) -> list[Tombstone]:
        """The tombstones of an order, in order of their keys."""
        query = sa.select(*_TOMBSTONE).where(tombstones.c.order_id == order_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(tombstones.c.kind, tombstones.c.key_hash))
            return [Tombstone(*row) for row in rows]

    def withhold(self, found: Mapping[str, str], source: str) -> None:
        """Put the paths {uri: order id} under orders whose bytes lie there, so that they are not read again,
        but for orders that were lifted meanwhile. No record of a run names the paths any more; no row names a
        file that is attached to a mail there and was never read."""
        over = sa.select(orders.c.order_id).where(orders.c.state == OrderState.LIFTED)
        with self._database.writing() as connection:
            keys, lifted = keys_of(connection), set(connection.execute(over).scalars())
            for uri, order_id in found.items():
                if order_id not in lifted:
                    put(
                        self._database,
                        connection,
                        order_id,
                        [Tombstone(keys.uri(source, uri), TombstoneKind.URI)],
                    )
            here = sa.and_(items.c.source == source, self._database.among(items.c.uri, found))
            connection.execute(sa.delete(items).where(here))
            self._forget_attached(connection, found, source)

    def _forget_attached(self, connection: sa.Connection, uris: Collection[str], source: str) -> None:
        for uri in uris:
            # The character after the slash.
            below = sa.and_(documents.c.uri > f"{uri}/", documents.c.uri < f"{uri}0")
            query = sa.select(documents.c.document_id, documents.c.uri, documents.c.properties).where(
                documents.c.source == source,
                documents.c.state == State.SKIPPED,
                below,
                ~under_hold(self._database, documents.c.document_id),
            )
            rows = connection.execute(query).all()
            gone = [name for name, own, properties in rows if uri in mails_above(own, properties)]
            connection.execute(
                sa.delete(documents).where(self._database.among(documents.c.document_id, gone))
            )
