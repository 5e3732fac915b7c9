"""The log's head made anew, after damage."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from index.errors import LedgerDamaged
from index.ledger.chain import KEY, Head
from index.ledger.database import Database
from index.ledger.log import NUMBER, RAW, head, readable
from index.ledger.schema import log, log_head, meta


def rebuild_head(database: Database) -> None:
    """After damage: give the log a head to go on from. One that was taken over stays, when it fits; else
    it is made of the entries that are there, which keep their numbers and hashes. Entries that are lost
    stay visible to `check`."""
    with database.writing() as connection:
        key = _key(connection)
        query = sa.select(log.c.sequence, log.c.hash, *RAW, log.c.id)
        query = query.where(log.c.sequence.is_not(None)).order_by(log.c.sequence)
        rows = connection.execute(query).all()
        last = rows[-1] if rows else None
        try:
            kept: Head | None = head(connection)
        except LedgerDamaged:
            kept = None
        if kept is not None and _fits(kept, last):
            return
        made = Head()
        for row in rows:
            if row[0] > made.size + 1:
                made.lost(row[0])
            line = readable(row, key)
            hashed = made.add(line or "")
            if row[1] is None:
                numbered = {"waiting": row.id, "number": row[0], "hashed": hashed}
                connection.execute(NUMBER, numbered)
            made.hash = row[1] or hashed
        connection.execute(sa.delete(log_head))
        connection.execute(sa.insert(log_head), {"id": 1, **made.packed()})


def _key(connection: sa.Connection) -> bytes:
    """The key of the log; a new one where it is lost, by which former entries cannot be checked."""
    here = meta.c.name == KEY
    recorded = connection.execute(sa.select(meta.c.value).where(here)).scalar()
    with suppress(ValueError):
        if key := bytes.fromhex(recorded or ""):
            return key
    key = secrets.token_bytes(32)
    connection.execute(sa.delete(meta).where(here))
    connection.execute(sa.insert(meta), {"name": KEY, "value": key.hex()})
    return key


def _fits(head: Head, last: Sequence[Any] | None) -> bool:
    """Whether entries can be appended after this head, when `last` is the last entry that is there."""
    return last is None or head.size > last[0] or bool(head.size == last[0] and head.hash == last[1])
