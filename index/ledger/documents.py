"""Documents: their rows and states, and the stream that a plan compares a listing with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.database import Database, Tables
from index.ledger.entry import LogEntry
from index.ledger.extracts import follow
from index.ledger.holds import extend, kept, matching, under_hold
from index.ledger.log import append
from index.ledger.schema import documents
from index.model import LIVE, State
from index.records import Document, PlanRow, RetainedRow

_DOCUMENT = schema.columns(documents, Document)


def folder_of(uri: str) -> str:
    """The folder that a uri lies directly in; the top is ""."""
    return uri.rpartition("/")[0]


def _above(folder: str) -> Iterator[str]:
    """A folder, and those that it lies in."""
    while folder:
        yield folder
        folder = folder_of(folder)


def replace(database: Database, connection: sa.Connection, records: Sequence[Document]) -> None:
    """Write whole rows. All old ones of the batch go before the new ones come, so that documents may swap
    their uris although two live documents of a source never share one. They come under the holds that match
    them. A row that says *erased* stays, whatever a run had read before."""
    if not records:
        return
    holds = matching(database, connection)
    follow(database, connection, records)
    ids = [record.document_id for record in records if record.state is not State.ERASED]
    own = [record.document_id for record in records if record.state is State.ERASED]
    connection.execute(
        sa.delete(documents).where(
            sa.or_(
                sa.and_(database.among(documents.c.document_id, ids), documents.c.state != State.ERASED),
                database.among(documents.c.document_id, own),
            )
        )
    )
    erased = set(
        connection.execute(
            sa.select(documents.c.document_id).where(database.among(documents.c.document_id, ids))
        ).scalars()
    )
    records = [record for record in records if record.document_id not in erased]
    if not records:
        return
    connection.execute(
        sa.insert(documents),
        [{**schema.values(record), "folder": folder_of(record.uri)} for record in records],
    )
    extend(database, connection, holds, records)


class Documents(Tables):
    def rows(self, source: str, folders: Collection[str] | None = None) -> Iterator[PlanRow]:
        """Live documents in ascending order of uri, by code point; or only those that lie directly in these
        folders. A stream: a snapshot of the moment it began, unchanged by later writes."""
        held = under_hold(self._database, documents.c.document_id)
        query = sa.select(*(documents.c[name] for name in schema.PLAN_COLUMNS), held).where(
            documents.c.source == source, schema.live
        )
        if folders is None:
            query = query.order_by(documents.c.uri)
        else:
            # Ordered by an expression: for the column itself SQLite would read the whole source in order of
            # uri, although the few that lie in these folders are soon sorted.
            query = query.where(self._database.among(documents.c.folder, folders)).order_by(
                documents.c.uri + ""
            )
        new = tuple.__new__
        # SQLAlchemy's rows would cost half as much again.
        for batch in self._database.batches(query, plain=True):
            yield from [new(PlanRow, (*row[:-1], row[-1] != 0)) for row in batch]

    def with_mails(self, source: str, folders: Collection[str]) -> list[str]:
        """These folders, and those below live documents in them: mails have documents below."""
        wanted, found, lower = set(folders), dict.fromkeys(folders), dict[str, list[str]]()
        with self._database.reading() as connection:
            for folder in self._folders(connection, source, LIVE):
                for uri in _above(folder):
                    if folder_of(uri) in wanted:
                        lower.setdefault(uri, []).append(folder)
            query = sa.select(documents.c.uri).where(
                documents.c.source == source, schema.live, self._database.among(documents.c.uri, lower)
            )
            for mail in connection.execute(query.order_by(documents.c.uri)).scalars():
                found |= dict.fromkeys(lower[mail])
        return list(found)

    def below(self, source: str, uris: Collection[str], states: Collection[State] = LIVE) -> list[Document]:
        """The documents in these states whose uris begin with one of these and a slash, in order of uri."""
        wanted = set(uris)
        with self._database.reading() as connection:
            lower = [
                folder
                for folder in self._folders(connection, source, states)
                if not wanted.isdisjoint(_above(folder))
            ]
            query = sa.select(*_DOCUMENT).where(
                documents.c.source == source,
                documents.c.state.in_(sorted(states)),
                self._database.among(documents.c.folder, lower),
            )
            return [Document(*row) for row in connection.execute(query.order_by(documents.c.uri))]

    def _folders(self, connection: sa.Connection, source: str, states: Collection[State]) -> list[str]:
        """The folders that documents in these states lie in."""
        within = schema.live if LIVE.issuperset(states) else sa.true()
        query = sa.select(documents.c.folder).where(documents.c.source == source, within)
        return [*connection.execute(query.distinct().order_by(documents.c.folder)).scalars()]

    def retained(self, source: str) -> Iterator[RetainedRow]:
        """Live documents of a source that have text, or had it until they expired: a stream, in no order."""
        names = ("document_id", "uri", "state", "modified_at", "properties")
        held = under_hold(self._database, documents.c.document_id)
        with_text = sa.or_(documents.c.version > 0, documents.c.state == State.EXPIRED)
        query = sa.select(*(documents.c[name] for name in names), held)
        for row in self._database.stream(query.where(documents.c.source == source, schema.live, with_text)):
            document_id, uri, state, modified_at, properties, under_one = row
            yield RetainedRow(document_id, uri, state, modified_at, properties, bool(under_one))

    def get(self, document_id: str) -> Document | None:
        """The document, also when it is gone."""
        with self._database.reading() as connection:
            query = sa.select(*_DOCUMENT).where(documents.c.document_id == document_id)
            row = connection.execute(query).first()
        return None if row is None else Document(*row)

    def find(
        self,
        *,
        source: str | None = None,
        states: Collection[State] | None = None,
        uris: Collection[str] | None = None,
        document_ids: Collection[str] | None = None,
    ) -> Iterator[Document]:
        """A stream of those that meet all conditions, in order of source and uri; live ones only, unless
        `states` is given."""
        query = sa.select(*_DOCUMENT).order_by(documents.c.source, documents.c.uri, documents.c.document_id)
        if source is not None:
            query = query.where(documents.c.source == source)
        if uris is not None:
            query = query.where(self._database.among(documents.c.uri, uris))
        if document_ids is not None:
            query = query.where(self._database.among(documents.c.document_id, document_ids))
        query = query.where(schema.live if states is None else documents.c.state.in_(sorted(states)))
        converted = self._database.converter(_DOCUMENT)
        for row in self._database.stream_plain(query):
            yield Document(*converted(row))

    def names(self) -> Iterator[str]:
        """Path and title of every document that is not erased."""
        query = sa.select(documents.c.uri, documents.c.title).where(documents.c.state != State.ERASED)
        for row in self._database.stream_plain(query):
            yield from row

    def owners(self) -> set[str]:
        """Owners of live documents, as they are written."""
        query = sa.select(documents.c.owner, documents.c.owners).where(schema.live).distinct()
        with self._database.reading() as connection:
            return {name for row in connection.execute(query) for name in (row[0], *row[1]) if name}

    def misfiled(self) -> Iterator[str]:
        """Live documents whose row names another folder than their uri, so that a hint does not find them."""
        query = sa.select(documents.c.document_id, documents.c.uri, documents.c.folder).where(schema.live)
        for document_id, uri, folder in self._database.stream(query.order_by(documents.c.document_id)):
            if folder != folder_of(uri):
                yield document_id

    def put(self, records: Sequence[Document], entries: Sequence[LogEntry]) -> None:
        """Write whole rows, new or known. Chunks stay as they are. A document under a hold that would be gone
        keeps its row, and its entries are left out."""
        gone = [record.document_id for record in records if record.state not in LIVE]
        with self._database.writing() as connection:
            if gone:
                matching(self._database, connection)
                stays = kept(self._database, connection, gone)
                records = [record for record in records if record.document_id not in stays]
                entries = [entry for entry in entries if entry.subject not in stays]
            replace(self._database, connection, records)
            append(connection, entries)

    def refresh(self, records: Sequence[Document]) -> None:
        """Write rows in which only the detection of changes differs: tokens that are trusted again, marks to
        look again. The log takes no entry of that."""
        with self._database.writing() as connection:
            replace(self._database, connection, records)

    def counts(self) -> dict[str, dict[str, int]]:
        """Live documents by source and state."""
        query = (
            sa.select(documents.c.source, documents.c.state, sa.func.count())
            .where(schema.live)
            .group_by(documents.c.source, documents.c.state)
            .order_by(documents.c.source, documents.c.state)
        )
        counted: dict[str, dict[str, int]] = {}
        with self._database.reading() as connection:
            for source, state, number in connection.execute(query):
                counted.setdefault(source, {})[str(state)] = number
        return counted
