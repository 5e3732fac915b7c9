"""Rows of erased documents are reduced to nothing: what stays of them are keyed hashes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from connectors.base import shortened
from index.ledger import audit_tables, extracts
from index.ledger.database import Database
from index.ledger.erased import rows, taken
from index.ledger.log import hide_subjects
from index.ledger.schema import chunks, documents, held_documents, intents, items, reviews, runs, sources
from index.model import State

#: A shorter text is not looked for in the records of runs: it stands everywhere.
_SHORTEST = 4


def reduced(
    database: Database,
    connection: sa.Connection,
    own: Collection[str],
    naming: Callable[[str], bool] | None = None,
) -> int:
    """Delete what the ledger records of these documents, but for ids of points that are to be purged: their
    rows, those of earlier documents of the same paths, reviews and answers, items, what audits know of them,
    and the sentences of runs and findings that name them, whole or, by `naming`, in part. The log's subjects
    get their exported form. Returns the number of rows."""
    found = list(rows(database, connection, documents.c.document_id, own))
    places = {(document.source, document.uri) for document in found}
    # A document that is in one of them by now keeps its plans, and the links to it.
    places -= taken(database, connection, found)
    for former in rows(database, connection, documents.c.uri, {uri for _, uri in places}):
        # An erased one is under an order of its own, which is to delete its points before its row goes.
        if former.state is State.DELETED and (former.source, former.uri) in places:
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
        audit_tables.extracts.c.document_id,
        audit_tables.former_uris.c.document_id,
        audit_tables.findings.c.document_id,
        audit_tables.answers.c.document_id,
        audit_tables.usage.c.document_id,
    ):
        gone = sa.delete(column.table).where(database.among(column, ids))
        number += connection.execute(gone).rowcount
    uris = {uri for _, uri in places}
    for column in (items.c.uri, items.c.old_uri):
        gone = sa.delete(items).where(database.among(column, uris))
        number += connection.execute(gone).rowcount
    number += extracts.unlink(database, connection, uris)
    words = {*uris, *(document.title for document in found)}
    needles = [form for word in words if len(word) >= _SHORTEST for form in _forms(word)]
    if needles or naming is not None:
        number += _silence(connection, lambda text: _names(text, needles) or bool(naming and naming(text)))
    hide_subjects(connection, ids)
    return number


def _forms(word: str) -> set[str]:
    """A name as messages write it."""
    cut = shortened(word)
    return {word, cut, repr(word)[1:-1], repr(cut)[1:-1]}


def _names(text: str, needles: Sequence[str]) -> bool:
    return any(needle in text for needle in needles)


def _silence(connection: sa.Connection, names: Callable[[str], bool]) -> int:
    """Take the texts that name an erased document out of the records of runs and sources."""
    changed = 0
    for run_id, error, counts in connection.execute(
        sa.select(runs.c.run_id, runs.c.error, runs.c.counts)
    ).all():
        said, quiet = _without(error, names), _without(counts, names)
        if (said, quiet) != (error, counts):
            which = sa.update(runs).where(runs.c.run_id == run_id)
            connection.execute(which.values(error=said, counts=quiet))
            changed += 1
    for source, findings in connection.execute(sa.select(sources.c.source, sources.c.findings)).all():
        kept = [one for one in findings if _without(one, names) == one]
        if kept != findings:
            which = sa.update(sources).where(sources.c.source == source)
            connection.execute(which.values(findings=kept))
            changed += 1
    return changed


def _without(value: Any, names: Callable[[str], bool]) -> Any:
    """The value with empty texts in the places of those that name a document."""
    match value:
        case str():
            return "" if value and names(value) else value
        case list():
            return [_without(each, names) for each in value]
        case dict():
            return {name: _without(each, names) for name, each in value.items()}
    return value
