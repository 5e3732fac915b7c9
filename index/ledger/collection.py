"""Collections of the store: one is current and searched; another may be building or dropping beside it."""

from __future__ import annotations

import sqlalchemy as sa

from index.errors import LedgerError
from index.ledger import schema
from index.ledger.database import Database
from index.ledger.events import tell
from index.ledger.schema import chunks, collections, intents, removals, untold
from index.model import Collection

_COLLECTION = schema.columns(collections, Collection)


class Collections(Database):
    def collection(self) -> Collection | None:
        """The current one."""
        query = sa.select(*_COLLECTION).where(collections.c.state == "current")
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else Collection(*row)

    def collections(self) -> list[Collection]:
        """In order of their names."""
        with self._reading() as connection:
            found = connection.execute(sa.select(*_COLLECTION).order_by(collections.c.name)).all()
        return [Collection(*row) for row in found]

    def record_collection(self, collection: Collection) -> None:
        """LedgerError when it is current and another one is too."""
        with self._writing() as connection:
            connection.execute(sa.delete(collections).where(collections.c.name == collection.name))
            connection.execute(sa.insert(collections), schema.values(collection))

    def switch_collection(self, name: str) -> None:
        """Make the collection that was building the current one; the former current one becomes `dropping`
        and loses its rows, in one transaction. Nothing happens when it is current already."""
        with self._writing() as connection:
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
        with self._writing() as connection:
            self._clear(connection, name)
            for table in (chunks, intents, removals, untold):
                moved = sa.update(table).where(table.c.collection == former)
                connection.execute(moved.values(collection=name))
            self._mark(connection, former, "dropping")
            self._mark(connection, name, "current")

    def drop_collection(self, name: str) -> None:
        """Forget a collection after the store dropped it, and tell what was committed to it. Unknown ones
        are no error."""
        with self._writing() as connection:
            self._clear(connection, name)
            tell(connection, untold.c.collection == name)
            connection.execute(sa.delete(collections).where(collections.c.name == name))

    def _mark(self, connection: sa.Connection, name: str, state: str) -> None:
        connection.execute(sa.update(collections).where(collections.c.name == name).values(state=state))

    def _clear(self, connection: sa.Connection, name: str) -> None:
        for table in (chunks, intents, removals):
            connection.execute(sa.delete(table).where(table.c.collection == name))
