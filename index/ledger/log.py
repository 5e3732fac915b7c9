"""The log of changes, in order. Only ever appended; an entry never changes once it has its number.

A change that the store has to follow is committed first and settled later. Its entry is *pending* in between:
it is on record in the transaction of the commit, without a number, and waits for the collection. The settling
transaction publishes it.

Numbers and hashes come from one writer at a time: a transaction that publishes entries holds the row of the
log's head until it ends. It takes this lock last, so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from index.actor import actor
from index.errors import LedgerDamaged, LedgerError
from index.ledger import schema
from index.ledger.chain import (
    KEY,
    ChainCheck,
    Head,
    LogCheck,
    LogProblem,
    exported,
    keyed,
    signed_line,
)
from index.ledger.database import Tables
from index.ledger.entry import LogAction, LogEntry
from index.ledger.schema import log, log_head, meta, runs
from index.ledger.types import Moment, Prose
from index.signed.tree import inclusion_proof, leaf_hash

_ENTRY = schema.columns(log, LogEntry)
#: An entry's columns as the database holds them.
RAW_NAMES = ("at", "actor", "run_id", "action", "source", "subject", "facts")
RAW: list[sa.ColumnElement[Any]] = [sa.type_coerce(log.c.at, sa.BigInteger()).label("at")]
RAW += [sa.type_coerce(log.c[name], sa.Text()).label(name) for name in RAW_NAMES[1:]]
_NUMBERED = (
    sa.select(log.c.sequence, log.c.hash, *RAW)
    .where(log.c.sequence <= sa.bindparam("until"))
    .order_by(log.c.sequence, log.c.id)
)
#: More than any log's entries.
_ALL = 2**62
_STRANGE = sa.select(sa.func.min(log.c.sequence))
_KEY = sa.select(meta.c.value).where(meta.c.name == KEY)
_HEAD = sa.select(log_head.c.size, log_head.c.hash, log_head.c.frontier, _KEY.scalar_subquery())
_LOCKED_HEAD = _HEAD.with_for_update(of=log_head)
_INSERT = sa.insert(log)
_MOVE_HEAD = sa.update(log_head)
NUMBER = (
    sa.update(log)
    .where(log.c.id == sa.bindparam("waiting"))
    .values(sequence=sa.bindparam("number"), hash=sa.bindparam("hashed"), collection=None)
)
_bind_moment, _bind_prose = Moment().process_bind_param, Prose().process_bind_param


def append(connection: sa.Connection, entries: Sequence[LogEntry]) -> None:
    """Publish these entries, in this order."""
    if entries:
        rows = _rows(connection, entries)
        head, key = _head(connection, _LOCKED_HEAD)
        for row in rows:
            row["sequence"] = head.size + 1
            try:
                at = _bind_moment(row["at"], connection.dialect)
            except ValueError as error:
                raise LedgerError(f"An entry of the log cannot be put on record: {error}") from error
            row["hash"] = head.add(exported({**row, "at": at}, row["sequence"], key))
        connection.execute(_INSERT, rows)
        connection.execute(_MOVE_HEAD, head.packed())


def defer(connection: sa.Connection, collection: str, entries: Sequence[LogEntry]) -> None:
    """Put pending entries on record; `publish` gives them their numbers."""
    if entries:
        connection.execute(_INSERT, _rows(connection, entries, collection))


def publish(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Give these of the pending entries their numbers, in the order of their recording."""
    # The lock comes first: of two that settle one document at once, the second sees the first's work.
    head, key = _head(connection, _LOCKED_HEAD)
    query = sa.select(log.c.id, *RAW).where(log.c.sequence.is_(None), which).order_by(log.c.id)
    numbered = []
    for row in connection.execute(query):
        number = head.size + 1
        hashed = head.add(exported(row._asdict(), number, key))
        numbered.append({"waiting": row.id, "number": number, "hashed": hashed})
    if numbered:
        connection.execute(NUMBER, numbered)
        connection.execute(_MOVE_HEAD, head.packed())


def hide_subjects(connection: sa.Connection, subjects: Collection[str]) -> None:
    """Replace these subjects of published entries by their exported form, for an erasure. The chain holds as
    before: it is over that form."""
    _, key = _head(connection, _HEAD)
    hidden = [{"shown": subject, "hidden": keyed(subject, key)} for subject in subjects]
    if hidden:
        published = sa.and_(log.c.subject == sa.bindparam("shown"), log.c.sequence.is_not(None))
        connection.execute(sa.update(log).where(published).values(subject=sa.bindparam("hidden")), hidden)


def head(connection: sa.Connection) -> Head:
    """How many entries there are, the last one's hash, and the frontier of their tree."""
    return _head(connection, _HEAD)[0]


def _head(connection: sa.Connection, query: sa.Select[Any]) -> tuple[Head, bytes]:
    """(head, key of subjects); with `_LOCKED_HEAD`, no other transaction appends before this one ends."""
    row = connection.execute(query).first()
    try:
        if row is None or row[3] is None:
            raise ValueError("it has no head or no key")
        return Head.of(*row[:3]), bytes.fromhex(row[3])
    except ValueError as error:
        on_sqlite = connection.dialect.name == "sqlite"
        mend = "Mend it with: freshkb verify --repair" if on_sqlite else "Restore the database from a backup."
        raise LedgerDamaged(f"The ledger's log cannot be used: {error}. {mend}") from error


def _rows(
    connection: sa.Connection, entries: Sequence[LogEntry], collection: str | None = None
) -> list[dict[str, Any]]:
    nameless = {entry.run_id for entry in entries if not entry.actor}
    query = sa.select(runs.c.run_id, runs.c.actor).where(runs.c.run_id.in_(nameless - {None}))
    actors = {row[0]: row[1] for row in connection.execute(query)} if nameless else {}
    rows = []
    for entry in entries:
        given = entry.actor or actors.get(entry.run_id) or actor()
        # As it will stand in the database: it is hashed before it does.
        named = _bind_prose(given, connection.dialect)
        rows.append(
            {**schema.values(entry), "actor": named, "collection": collection, "sequence": None, "hash": None}
        )
    return rows


class Log(Tables):
    def append(self, entries: Sequence[LogEntry]) -> None:
        """Put entries on record whose changes are outside of the ledger's own tables."""
        with self._database.writing() as connection:
            append(connection, entries)

    def newest(self, limit: int = 100) -> list[LogEntry]:
        """The last `limit` entries, newest first; pending ones are left out."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_not(None)).order_by(log.c.sequence.desc())
        with self._database.reading() as connection:
            return [LogEntry(*row) for row in connection.execute(query.limit(limit))]

    def pending(self, collection: str) -> list[LogEntry]:
        """Entries of changes committed to this collection and not settled yet, in order."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_(None), log.c.collection == collection)
        with self._database.reading() as connection:
            return [LogEntry(*row) for row in connection.execute(query.order_by(log.c.id))]

    def of(self, subject: str, actions: Collection[LogAction]) -> list[LogEntry]:
        """The published entries of these actions on a subject, in order."""
        query = sa.select(*_ENTRY).where(log.c.subject == subject, log.c.action.in_(list(actions)))
        with self._database.reading() as connection:
            rows = connection.execute(query.where(log.c.sequence.is_not(None)).order_by(log.c.sequence))
            return [LogEntry(*row) for row in rows]

    def last(self, actions: Collection[LogAction]) -> LogEntry | None:
        """The newest entry of one of these actions."""
        query = sa.select(*_ENTRY).where(log.c.sequence.is_not(None), log.c.action.in_(list(actions)))
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(log.c.sequence.desc()).limit(1)).first()
        return None if row is None else LogEntry(*row)

    def since(
        self, sequence: int, actions: Collection[LogAction]
    ) -> tuple[int, datetime | None, datetime | None]:
        """(subjects, times of the oldest and of the newest) of the entries of these actions with a higher
        number, pending ones included."""
        later = sa.or_(log.c.sequence > sequence, log.c.sequence.is_(None))
        counted = sa.func.count(sa.distinct(log.c.subject))
        query = sa.select(counted, sa.func.min(log.c.at), sa.func.max(log.c.at))
        with self._database.reading() as connection:
            found = connection.execute(query.where(later, log.c.action.in_(list(actions))))
            subjects, oldest, newest = found.one()
        return subjects, oldest, newest

    def subjects_since(self, sequence: int, actions: Collection[LogAction]) -> set[str]:
        """The subjects of entries of these actions with a higher number, pending ones included."""
        later = sa.or_(log.c.sequence > sequence, log.c.sequence.is_(None))
        query = sa.select(log.c.subject).where(later, log.c.action.in_(list(actions))).distinct()
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def actions_of(self, run_id: str, document_ids: Collection[str]) -> dict[str, LogAction]:
        """{document id: this run's action}, for the documents among these that it changed."""
        query = (
            sa.select(log.c.subject, log.c.action)
            .where(log.c.sequence.is_not(None), log.c.run_id == run_id)
            .where(self._database.among(log.c.subject, document_ids))
            .order_by(log.c.sequence)
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    # ── The chain ─────────────────────────────────────────────────────────────────────────────────────

    def head(self) -> Head:
        with self._database.reading() as connection:
            return head(connection)

    def export(self) -> Iterator[str]:
        """The entries, oldest first, as lines of JSON with their hashes."""
        with self._database.reading() as connection:
            head, key = _head(connection, _HEAD)
        for row, line in self._lines(key, head.size):
            if line is None:
                raise LedgerDamaged(f"Entry {row[0]} of the log cannot be read. See: freshkb log verify")
            yield signed_line(line, row[1])

    def check(self, sizes: Collection[int] = ()) -> LogCheck:
        """Whether entries and head are what was logged; roots of these sizes, of those that the log has."""
        with self._database.reading() as connection:
            recorded = connection.execute(_HEAD).first()
            key = connection.execute(_KEY).scalar()
        found = ChainCheck(sizes)
        try:
            head = Head.of(*recorded[:3]) if recorded is not None else None
        except (ValueError, TypeError):
            head = None
        if key is None or head is None:
            lost = "key of its subjects" if key is None else "head"
            found.problems += [LogProblem(None, f"the log has lost its {lost}")]
        if key is None:
            return LogCheck(0, found.problems, {})
        for row, line in self._lines(bytes.fromhex(key), head.size if head else _ALL):
            found.add(row[0], line, row[1])
        if head is None:
            return LogCheck(found.last, found.problems, found.roots)
        found.ends(head)
        # In a single statement: others may append meanwhile.
        size = sa.select(log_head.c.size).scalar_subquery()
        with self._database.reading() as connection:
            strange = connection.execute(_STRANGE.where(log.c.sequence > size)).scalar()
        if strange is not None:
            seq = strange if isinstance(strange, int) else None
            found.problems += [LogProblem(seq, "the log's head does not know this entry")]
        return LogCheck(head.size, found.problems, found.roots)

    def proof(self, sequence: int) -> tuple[Head, str, list[bytes]]:
        """(head of the log now, exported form of the entry of this number, its inclusion proof). Reads all
        entries. Raises LedgerDamaged when some are lost."""
        with self._database.reading() as connection:
            head, key = _head(connection, _HEAD)
        lines = {row[0]: line for row, line in self._lines(key, head.size) if line is not None}
        leaves = [leaf_hash(line.encode()) for line in lines.values()]
        if len(leaves) != head.size:
            raise LedgerDamaged("Entries of the log are lost, so that it proves nothing: freshkb log verify")
        return head, lines[sequence], inclusion_proof(leaves, sequence - 1)

    def _lines(self, key: bytes, until: int) -> Iterator[tuple[Sequence[Any], str | None]]:
        """(raw row, exported form) of each entry up to this number, in order; None for one that cannot be
        read."""
        for row in self._database.stream_plain(_NUMBERED, {"until": until}):
            yield row, readable(row, key)


def readable(row: Sequence[Any], key: bytes) -> str | None:
    """The exported form of a raw row; None for one that cannot be read."""
    try:
        return exported(dict(zip(RAW_NAMES, row[2:], strict=False)), row[0], key)
    except (ValueError, TypeError, OverflowError, AttributeError):
        return None
