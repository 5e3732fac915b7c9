"""Faults of a ledger's file, and the rows that can still be read of a damaged one.

SQLite checks the structure of its pages; the values in them have no checksum, so each is checked against the
type of its column. A damaged table is read row by row as far as its pages lead, and on after every hole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from secrets import token_bytes
from typing import Any

import sqlalchemy as sa

from index.ledger import audit_tables, tombstone
from index.ledger.chain import KEY, Head
from index.ledger.schema import VERSION, held_documents, metadata
from index.ledger.sound import any_text, is_uuid, reader, unsound

#: Problems of a file that a message lists; one damaged page can cause thousands.
FAULTS_MAX = 3
#: Rows that are read one by one in and behind a hole.
PROBED = 10_000

#: The schema from which on there is a table that came later than others.
_SINCE = {
    **dict.fromkeys(("orders", "order_documents"), "m008"),
    **dict.fromkeys((table.name for table in audit_tables.TABLES), "m009"),
}
#: SQLite's messages quote names of a damaged schema, and the driver cannot decode every byte.
_ERRORS = (sqlite3.Error, UnicodeDecodeError)
_Row = tuple[Any, ...]


def faults(connection: sa.Connection) -> list[str]:
    """Faults of this ledger's file, in words; [] of a sound one. Reads all of it."""
    lines = connection.exec_driver_sql(f"PRAGMA integrity_check({FAULTS_MAX})").scalars()
    found = [" ".join(line.split()) for line in lines if line != "ok"]
    driver: Any = connection.connection.dbapi_connection
    found += [f"the columns of {name} are not as freshkb made them" for name in _altered(driver)]
    for table in metadata.sorted_tables:
        if wrong := unsound(driver, table):
            found.append(f"{wrong:,} rows of {table.name} hold what freshkb cannot have written")
    with any_text(driver):
        if not _has_instance(driver):
            found.append("the instance id is lost")
        if not _has_head(driver):
            found.append("the log has lost its head")
        if not _has_tombstone_key(driver):
            found.append("the key of tombstones is lost")
    return found


def _altered(driver: sqlite3.Connection) -> list[str]:
    """The tables of which names, types, defaults or keys of columns have changed."""
    return [name for name, intact in _intact().items() if _declared(driver, name) != intact]


@cache
def _intact() -> dict[str, set[_Row]]:
    """{table: its columns in a new ledger}. To make one takes 20 ms."""
    engine = sa.create_engine("sqlite://")
    try:
        metadata.create_all(engine)
        with closing(engine.raw_connection()) as made:
            driver: Any = made.dbapi_connection
            return {table.name: _declared(driver, table.name) for table in metadata.sorted_tables}
    finally:
        engine.dispose()


def _declared(driver: sqlite3.Connection, table: str) -> set[_Row]:
    """The columns of a table, whose order depends on the schema that it was made in."""
    with any_text(driver), closing(driver.execute(f"PRAGMA table_info({table})")) as cursor:
        return {row[1:] for row in cursor}


def _has_instance(driver: sqlite3.Connection) -> bool:
    """Whether the ledger says which collections belong to it."""
    found = driver.execute("SELECT value FROM meta WHERE name = 'instance'").fetchall()
    return len(found) == 1 and is_uuid(found[0][0])


def _has_head(driver: sqlite3.Connection) -> bool:
    """Whether entries can be appended to the log."""
    rows = driver.execute("SELECT size, hash, frontier FROM log_head").fetchall()
    keys = driver.execute("SELECT value FROM meta WHERE name = ?", (KEY,)).fetchall()
    try:
        return len(rows) == len(keys) == 1 and Head.of(*rows[0]).size >= 0 and bool(bytes.fromhex(keys[0][0]))
    except (ValueError, TypeError):
        return False


def _has_tombstone_key(driver: sqlite3.Connection) -> bool:
    """Whether what was erased is known again."""
    keys = driver.execute("SELECT value FROM meta WHERE name = ?", (tombstone.KEY,)).fetchall()
    try:
        return len(keys) == 1 and bool(bytes.fromhex(keys[0][0]))
    except (ValueError, TypeError):
        return False


# ── What can still be read ────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Rescued:
    """Rows copied from a damaged ledger."""

    rows: dict[str, int] = field(default_factory=dict)
    """Number of rows by table."""
    torn: list[str] = field(default_factory=list)
    """Tables that could not be read as a whole."""


def rescue(file: Path, into: Path) -> Rescued:
    """Copy the readable rows of the damaged `file`, which this changes, into the file of a new, empty ledger
    that is closed."""
    taken = Rescued()
    _restore_header(file)
    with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(into)) as new, any_text(old):
        # Lets a truncated file and a partly damaged schema be read.
        old.execute("PRAGMA writable_schema=ON")
        new.execute("BEGIN")
        for name in ("meta", "log_head"):
            new.execute(f"DELETE FROM {name}")
        for table in metadata.sorted_tables:
            if table.name != "writers":
                _take(table, old, new, taken)
        _settle_tombstones(new, taken)
        new.execute("COMMIT")
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return taken


def _settle_tombstones(new: sqlite3.Connection, taken: Rescued) -> None:
    """Without their key tombstones keep nothing out: they are as good as lost, and a new key takes its
    place."""
    if _has_tombstone_key(new):
        return
    if taken.rows.get("tombstones"):
        new.execute("DELETE FROM tombstones")
        taken.rows["tombstones"] = 0
        taken.torn.append("tombstones")
    new.execute("DELETE FROM meta WHERE name = ?", (tombstone.KEY,))
    row = (tombstone.KEY, tombstone.derived(token_bytes(32)).hex())
    new.execute("INSERT INTO meta (name, value) VALUES (?, ?)", row)


#: Header bytes of every ledger, by offset: a database of pages of 4 KB, with a write-ahead log, in UTF-8.
_HEADER = {0: b"SQLite format 3\0", 16: b"\x10\0\2\2\0\x40\x20\x20", 44: b"\0\0\0\4", 56: b"\0\0\0\1"}


def _restore_header(file: Path) -> None:
    if file.stat().st_size:
        with file.open("r+b") as opened:
            for offset, content in _HEADER.items():
                opened.seek(offset)
                opened.write(content)


def _take(table: sa.Table, old: sqlite3.Connection, new: sqlite3.Connection, taken: Rescued) -> None:
    there = _columns(old, table.name)
    names = [column.name for column in table.c if column.name in there]
    # In an earlier schema the documents stood in the rows of the holds, which are torn if there are any; and
    # there was no order and no audit on record.
    whole = (
        bool(names)
        or (table is held_documents and "document_id" in _columns(old, "holds"))
        or _schema(old) < _SINCE.get(table.name, "")
    )
    if names:
        sound = reader(table, names)
        keys = [column.name for column in table.primary_key]
        marks = ", ".join("?" * len(names))
        insert = f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
        before = new.total_changes
        rows = 0
        for row in _walk(old, table.name, names, keys):
            if row is None or not sound(row):
                whole = False
            else:
                new.execute(insert, row)
                rows += 1
        taken.rows[table.name] = new.total_changes - before
        whole = whole and taken.rows[table.name] == rows
    if not whole:
        taken.torn.append(table.name)


def _schema(old: sqlite3.Connection) -> str:
    """The schema's version; the last one where it cannot be read."""
    try:
        return str(old.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except (*_ERRORS, TypeError):
        return VERSION


def _columns(old: sqlite3.Connection, table: str) -> set[str]:
    try:
        return {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    except _ERRORS:
        return set()


def _walk(
    old: sqlite3.Connection, table: str, names: Sequence[str], keys: Sequence[str]
) -> Iterator[_Row | None]:
    """The rows that can be read; None for each hole."""
    columns = ", ".join(names)
    try:
        old.execute(f"SELECT rowid FROM {table} LIMIT 0")
    except sqlite3.OperationalError:
        yield from _by_key(old, f"SELECT {columns} FROM {table} NOT INDEXED", keys)
    except _ERRORS:
        yield None
    else:
        yield from _by_number(old, f"SELECT rowid, {columns} FROM {table} NOT INDEXED")


def _by_number(old: sqlite3.Connection, select: str) -> Iterator[_Row | None]:
    last = -1
    while True:
        try:
            for row in old.execute(f"{select} WHERE rowid > ? ORDER BY rowid", (last,)):
                if row[0] <= last:
                    raise sqlite3.DatabaseError("Its pages lead in a circle.")
                last = row[0]
                yield row[1:]
            return
        except _ERRORS:
            yield None
        behind = _behind(old, select, last)
        # Rows next to the hole, which the leap passed over.
        for number in range(last + 1, last + 1 + PROBED if behind is None else min(behind, last + PROBED)):
            try:
                yield from (row[1:] for row in old.execute(f"{select} WHERE rowid = ?", (number,)))
            except _ERRORS:
                continue
        if behind is None:
            return
        last = behind - 1


def _behind(old: sqlite3.Connection, select: str, last: int) -> int | None:
    """The number of a row behind the hole that begins after this one; None when there is none."""
    for exponent in range(40):
        beyond = last + (1 << exponent)
        try:
            row = old.execute(f"{select} WHERE rowid > ? ORDER BY rowid", (beyond,)).fetchone()
        except _ERRORS:
            continue
        # A page that stands in a wrong place leads back: what was read would be read again without end.
        if row is None or row[0] > beyond:
            return row[0] if row else None
    return None


def _by_key(old: sqlite3.Connection, select: str, keys: Sequence[str]) -> Iterator[_Row | None]:
    """From both ends to the first hole that each of them meets."""
    for direction in ("ASC", "DESC"):
        try:
            yield from old.execute(f"{select} ORDER BY {', '.join(f'{key} {direction}' for key in keys)}")
            return
        except _ERRORS:
            yield None
