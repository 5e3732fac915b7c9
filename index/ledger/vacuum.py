"""The bytes of deleted rows are removed from the ledger's file.

`secure_delete` overwrites a deleted cell and a freed page. It does not reach the copies of a cell that SQLite
leaves in the gap of a page when it spreads rows over its neighbours: of 5,000 rows of which a third were
deleted, up to 34 pieces were left. So every row is written anew (`VACUUM`), into pages that never held
another; and the write-ahead log, which holds former pages, is emptied.

The temporary file of a `VACUUM` holds live rows only, and has no name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.ledger.database import Database

#: How long the emptying of the write-ahead log waits for readers each time. Writers wait as long.
WAIT_SECONDS = 5
TRIES = 3

_ELSEWHERE = (
    "Deleted rows are found by no query. Their bytes may remain in pages that the database server has not "
    "vacuumed and filled again, in its write-ahead log, in its archives and on its replicas, on disks that "
    "cannot be seen from here."
)
_BUSY = (
    "Every row of the ledger was written anew. Its write-ahead log could not be emptied, as another process "
    "reads an older state: the log may hold deleted rows."
)


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """The result of removing the bytes of deleted rows."""

    clean: bool
    """Whether no byte of a deleted row is left in the files of the ledger."""
    final: bool
    """Whether another attempt would change nothing."""
    evidence: str
    """Sentences on the action, its evidence, and its limits."""


def vacuum(database: Database) -> Vacuumed:
    """Write the ledger's file anew, and empty its write-ahead log. Raises LedgerError when another process
    writes for too long, or when the disk has no room for a second copy."""
    if not database.on_sqlite:
        return Vacuumed(clean=False, final=True, evidence=_ELSEWHERE)
    with database.mapped(), database.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.execute("VACUUM").close()
        if not _emptied(driver):
            return Vacuumed(clean=False, final=False, evidence=_BUSY)
        (free,) = driver.execute("PRAGMA freelist_count").fetchone()
    # Of what another process has written since.
    said = f"has {free:,} free pages, overwritten when they were freed" if free else "has no free page"
    return Vacuumed(
        clean=True,
        final=True,
        evidence=(
            f"Every row of the ledger was written anew; its file {said}, and its write-ahead log was "
            "emptied. Blocks that the file system freed are not overwritten."
        ),
    )


def copy_rows(database: Database, path: Path) -> None:
    """Write every row, and the schema, to a new file as `vacuum` writes them; of SQLite only. Raises
    LedgerError when there is no room."""
    with database.mapped(), database.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.execute("VACUUM INTO ?", (str(path),)).close()


def _emptied(driver: Any) -> bool:
    (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {min(patience, WAIT_SECONDS * 1000)}").close()
    try:
        for _ in range(TRIES):
            busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return True
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}").close()
