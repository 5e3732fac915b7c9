"""The cost of finding out that nothing has changed in a database."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.measure import Bench, Row, best
from benchmarks.planning import peak_bytes
from benchmarks.processes import run
from connectors.base import Context
from connectors.sql.connector import SqlConnector
from connectors.sql.settings import SqlSettings

_LIST = "import sys; from benchmarks.source_sql import report; report(sys.argv[1])"
_FILL = """
CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT, updated_at TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO pages SELECT i, hex(randomblob(1000)), '2026-01-01 10:00:00' FROM n;
"""


def listed(bench: Bench) -> Iterator[Row]:
    """A listing of a table of texts with their times: statements, seconds and memory."""
    count = bench.scale.files
    with bench.folder() as folder:
        with closing(sqlite3.connect(folder / "pages.db")) as database:
            database.executescript(_FILL.format(count=count))
        told = run([sys.executable, "-c", _LIST, str(folder)]).stdout.split()
    peak, before, found, statements, took = map(float, told)
    if found != count:
        raise RuntimeError(f"The listing has {found} of {count} rows.")
    yield Row(
        f"statements to a database for 1,000 unchanged documents of {count:,}",
        statements * 1_000 / count,
        "",
        detail=f"{statements:.0f} for all, and the end of the transaction",
    )
    yield Row(
        f"listing of {count:,} rows of a database",
        took,
        " s",
        detail=f"{(peak - before) / 1e6:.0f} MB more than before, {peak / 1e6:.0f} MB the whole process",
    )


def report(folder: str) -> None:
    """List, and print peak memory in bytes, the same before, rows, statements and seconds. Runs in a process
    of its own."""
    import sqlalchemy as sa

    settings = SqlSettings.model_validate(
        {
            "url": "sqlite:///pages.db",
            "query": "SELECT * FROM pages",
            "columns": {"id": "id", "text": "body", "updated_at": "updated_at"},
        }
    )
    with closing(SqlConnector(settings, Context("pages", Path(folder), 1_000_000))) as connector:
        statements: list[str] = []
        sa.event.listen(sa.Engine, "before_cursor_execute", lambda *given: statements.append(str(given[2])))
        connector.probe()
        statements.clear()
        before = peak_bytes()
        found: list[int] = []
        (took,) = best(1, lambda: found.append(sum(1 for _ in connector.list())))
    print(peak_bytes(), before, found[0], len(statements), took)
