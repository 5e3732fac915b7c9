"""Extracts of documents' present texts, the places that documents were moved from, and external addresses.

An extract is written by the commit of its text, and goes with the text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa

from index.errors import LedgerDamaged
from index.ledger import schema
from index.ledger.audit_tables import extracts, former_uris, link_checks
from index.ledger.database import Database, Tables
from index.ledger.erased import keys_of
from index.ledger.schema import documents
from index.model import LIVE
from index.records import Document, Extract, Intent


@dataclass(frozen=True, slots=True)
class LinkCheck:
    """What an external address answered."""

    url_hash: str
    """`Keys.url` of it."""
    checked_at: datetime
    status: int
    """Of HTTP; 0 when there was no answer."""
    gone_days: Sequence[str] = field(default_factory=list)
    """Days (UTC) of the last checks in a row that found it gone, oldest first."""


_EXTRACT = schema.columns(extracts, Extract)
_CHECK = schema.columns(link_checks, LinkCheck)


class Extracts(Tables):
    def all(self) -> dict[str, Extract]:
        """The extracts of all documents, by document id."""
        rows = self._database.stream(sa.select(*_EXTRACT).order_by(extracts.c.document_id))
        return {row[0]: Extract(*row) for row in rows}

    def former(self) -> dict[str, str]:
        """{`Keys.uri` of a place: id of the document that was moved from there}; none where several were."""
        query = sa.select(former_uris.c.uri_hash, sa.func.min(former_uris.c.document_id))
        query = query.group_by(former_uris.c.uri_hash).having(sa.func.count() == 1)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def checks(self, url_hashes: Collection[str]) -> dict[str, LinkCheck]:
        """What these addresses answered last, by hash."""
        query = sa.select(*_CHECK).where(self._database.among(link_checks.c.url_hash, url_hashes))
        with self._database.reading() as connection:
            return {row[0]: LinkCheck(*row) for row in connection.execute(query)}

    def record_checks(self, found: Iterable[LinkCheck], kept: Collection[str]) -> None:
        """Put answers on record, in place of earlier ones, and forget addresses that are not among `kept`."""
        rows = [schema.values(check) for check in found]
        with self._database.writing() as connection:
            known = set(connection.execute(sa.select(link_checks.c.url_hash)).scalars())
            gone = {*(known - set(kept)), *(row["url_hash"] for row in rows)}
            connection.execute(
                sa.delete(link_checks).where(self._database.among(link_checks.c.url_hash, gone))
            )
            if rows:
                connection.execute(sa.insert(link_checks), rows)


def put(database: Database, connection: sa.Connection, done: Iterable[Intent]) -> None:
    """Write the extracts of new texts. A text that is the same as before has been there since then."""
    new = {i.extract.document_id: (i.extract, i.document.indexed_at) for i in done if i.extract is not None}
    if not new:
        return
    own = database.among(extracts.c.document_id, new)
    query = sa.select(extracts.c.document_id, extracts.c.text_hash, extracts.c.text_since).where(own)
    before = {row[0]: row[1:] for row in connection.execute(query)}
    rows: list[dict[str, Any]] = []
    for document_id, (extract, indexed_at) in new.items():
        text_hash, since = before.get(document_id, ("", None))
        same = text_hash == extract.text_hash
        rows.append({**schema.values(extract), "text_since": since if same else indexed_at})
    connection.execute(sa.delete(extracts).where(own))
    connection.execute(sa.insert(extracts), rows)


def follow(database: Database, connection: sa.Connection, records: Collection[Document]) -> None:
    """Before these rows are written: note the places that documents leave, and drop what is kept of texts
    that go."""
    now = {record.document_id: record for record in records}
    without = [record.document_id for record in records if not (record.version and record.state in LIVE)]
    if without:
        connection.execute(sa.delete(extracts).where(database.among(extracts.c.document_id, without)))
    gone = [record.document_id for record in records if record.state not in LIVE]
    if gone:
        connection.execute(sa.delete(former_uris).where(database.among(former_uris.c.document_id, gone)))
    query = sa.select(documents.c.document_id, documents.c.source, documents.c.uri)
    query = query.where(database.among(documents.c.document_id, now), schema.live)
    left = [
        (document_id, source, uri)
        for document_id, source, uri in connection.execute(query)
        if now[document_id].state in LIVE and (now[document_id].source, now[document_id].uri) != (source, uri)
    ]
    # A ledger that has lost its key says so where it matters.
    with suppress(LedgerDamaged):
        keys = keys_of(connection) if left else None
        rows = [
            {"uri_hash": keys.uri(source, uri), "document_id": name} for name, source, uri in left if keys
        ]
        if rows:
            connection.execute(database.insert_new(former_uris), rows)


def unlink(database: Database, connection: sa.Connection, uris: Iterable[str]) -> int:
    """Take links that end in the names of these places out of the extracts of other documents. Returns the
    number of extracts that had any."""
    names = {_name(unquote(uri)) for uri in uris} - {""}
    changed = 0
    for document_id, links in connection.execute(sa.select(extracts.c.document_id, extracts.c.links)).all():
        kept = [link for link in links if not names & _segments(link[0])]
        if len(kept) < len(links):
            own = sa.update(extracts).where(extracts.c.document_id == document_id)
            connection.execute(own.values(links=kept))
            changed += 1
    return changed


def _name(uri: str) -> str:
    """The name of a place; "" of the first page of a website, of which every link to the site has the name.

    >>> _name("people/b.md"), _name("example.org/people/b/"), _name("example.org/")
    ('b.md', 'b', '')
    """
    above, _, name = uri.rstrip("/").rpartition("/")
    return name if above or not uri.endswith("/") else ""


def _segments(target: str) -> set[str]:
    """The names that a link has in it, the one at its end with and without a query."""
    path = target.partition("#")[0]
    return {name for form in (path, path.partition("?")[0]) for name in unquote(form).split("/")}
