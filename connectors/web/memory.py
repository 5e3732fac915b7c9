"""What a source remembers of its pages: validators, links, and how long a page has been missing.

All of it can be had again, by downloading every page once. It lies in the source's cache; without one, in a
file that is gone with the connector.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from connectors.base import Entry
from connectors.cache import held

_FILE = "pages.db"


class Row(NamedTuple):
    """A page as it was read last."""

    uri: str
    etag: str = ""
    last_modified: str = ""
    token: str | None = None
    size: int | None = None
    modified_at: int | None = None
    said: str | None = None
    """Its properties, as JSON."""
    format: str | None = None
    links: str = "[]"
    """Uris that it leads to, as JSON."""
    canonical: str | None = None
    """The other uri that it says it has."""
    misses: int = 0
    """Listings in a row in which it was not there any more; `Crawl` says what counts."""
    listed: int = 0
    """Whether the last listing had it as a document."""
    length: int = 0
    """Characters of its main text."""
    before: int = 0
    """The same of the version before; 0 when there was none."""
    noindex: int = 0
    """Whether it asks to be in no index: its links are followed."""

    @property
    def entry(self) -> Entry:
        said = None if self.said is None else json.loads(self.said)
        return Entry(self.uri, self.token, self.size, self.modified_at, None, said, self.format)


_COLUMNS = ", ".join(Row._fields)
_MARKS = ", ".join("?" for _ in Row._fields)


class Memory:
    """The rows of one source, in an open database."""

    def __init__(self, connection: sqlite3.Connection, made_by: str) -> None:
        self.db = connection
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS page "
            f"(uri TEXT PRIMARY KEY, {', '.join(Row._fields[1:])}) WITHOUT ROWID"
        )
        self.db.execute("CREATE TABLE IF NOT EXISTS made (by TEXT)")
        if self.db.execute("SELECT by FROM made").fetchall() != [(made_by,)]:
            # Another release reads other texts from the same pages: each is downloaded once more.
            self.db.execute("UPDATE page SET etag = '', last_modified = ''")
            self.db.execute("DELETE FROM made")
            self.db.execute("INSERT INTO made VALUES (?)", (made_by,))
        self.db.commit()

    def get(self, uri: str) -> Row | None:
        found = self.db.execute(f"SELECT {_COLUMNS} FROM page WHERE uri = ?", (uri,)).fetchone()
        return None if found is None else Row(*found)

    def put(self, row: Row) -> None:
        self.db.execute(f"INSERT OR REPLACE INTO page VALUES ({_MARKS})", row)

    def forget(self, uris: Iterable[str]) -> None:
        self.db.executemany("DELETE FROM page WHERE uri = ?", ((uri,) for uri in uris))


class Shelf:
    """Where the memory lies: opened for each use, because its folder may be gone by the next one."""

    def __init__(self, folder: Path | None, made_by: str) -> None:
        self._folder, self._made_by = folder, made_by
        self._own: sqlite3.Connection | None = None

    @contextmanager
    def opened(self) -> Iterator[Memory]:
        """The memory, used by nobody else meanwhile; what was put into it is kept at the end, also when an
        error ends the use."""
        if self._folder is None:
            self._own = self._own or sqlite3.connect("", check_same_thread=False)
            try:
                yield Memory(self._own, self._made_by)
            finally:
                self._own.commit()
            return
        with held(self._folder) as folder, closing(_connect(folder / _FILE)) as connection:
            try:
                yield Memory(connection, self._made_by)
            finally:
                connection.commit()

    @property
    def folder(self) -> Path | None:
        return self._folder

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None


def _connect(path: Path) -> sqlite3.Connection:
    """The database; a new one in the place of one that is damaged."""
    for _ in range(2):
        connection = sqlite3.connect(path, check_same_thread=False)
        try:
            # It can be had again, so nothing waits for the disk.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("SELECT count(*) FROM sqlite_master")
            return connection
        except sqlite3.DatabaseError:
            connection.close()
            path.unlink(missing_ok=True)
    raise sqlite3.DatabaseError(f"{path} cannot be made anew.")
