"""The tree of one commit with what the log says of its files, in SQLite.

It holds names, ids, dates and authors, and the CODEOWNERS file; no document. It is replaced in one
transaction when the head has moved.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from connectors.git.history import Walk
from connectors.git.repository import TreeFile

#: Another number begins the file anew.
_VERSION = 1
_BATCH = 1_000

_FILE = """CREATE TABLE file (
    uri TEXT PRIMARY KEY, mode TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER,
    at INTEGER, author TEXT, native TEXT, unread INTEGER NOT NULL) WITHOUT ROWID"""
_NOTE = "CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"


class Row(NamedTuple):
    uri: str
    mode: str
    blob: str
    size: int | None
    at: int | None
    """Seconds since the epoch, of the last commit."""
    author: str | None
    native: str
    unread: int
    """1 while these bytes were not asked for since they appeared."""


class Tree:
    """The tree that is known; none at first."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    @staticmethod
    @contextmanager
    def opened(path: Path, place: str) -> Iterator[Tree]:
        """The tree kept at this path of what `place` names; that of another place is forgotten."""
        with closing(sqlite3.connect(path, isolation_level=None)) as base:
            # What is kept can be had again: a power cut may cost it.
            base.execute("PRAGMA synchronous = OFF")
            (version,) = base.execute("PRAGMA user_version").fetchone()
            tree = Tree(base)
            if version != _VERSION or tree._note("place") != place:
                with tree._transaction():
                    base.execute("DROP TABLE IF EXISTS file")
                    base.execute("DROP TABLE IF EXISTS note")
                    base.execute(_FILE)
                    base.execute(_NOTE)
                    tree._set("place", place)
                    base.execute(f"PRAGMA user_version = {_VERSION}")
            yield tree

    @property
    def commit(self) -> str | None:
        return self._note("commit")

    @property
    def owners(self) -> str | None:
        """The text of the CODEOWNERS file."""
        return self._note("owners")

    def row(self, uri: str) -> Row | None:
        found = self._base.execute("SELECT * FROM file WHERE uri = ?", (uri,)).fetchone()
        return None if found is None else Row(*found)

    def copied(self) -> Iterator[Row]:
        """The rows in ascending order of uri, from a copy on disk that outlives this tree."""
        copy = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        try:
            copy.execute(_FILE)
            copy.execute("BEGIN")
            rows = self._base.execute("SELECT * FROM file ORDER BY uri")
            copy.executemany("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except BaseException:
            copy.close()
            raise
        return _drained(copy)

    def after(self, row: Row, suffixes: Collection[str], most: int) -> list[Row]:
        """This row and those that are likely asked for next: the following ones of these suffixes, unread if
        this one is unread."""
        rows = self._base.execute(
            "SELECT * FROM file WHERE uri >= ? AND unread = ? AND mode = ? ORDER BY uri",
            (row.uri, row.unread, row.mode),
        )
        found: list[Row] = []
        for each in rows:
            if each[0] == row.uri or suffix_of(each[0]) in suffixes:
                found.append(Row(*each))
            if len(found) >= most:
                break
        return found

    def read(self, rows: Iterable[Row]) -> None:
        """The bytes of these were asked for."""
        with self._transaction():
            self._base.executemany("UPDATE file SET unread = 0 WHERE uri = ?", ((row.uri,) for row in rows))

    def replace(
        self,
        commit: str,
        files: Iterable[TreeFile],
        walk: Walk,
        renames: Sequence[tuple[str, str]],
        owners: str | None,
    ) -> None:
        """Become the tree of this commit.

        `walk` says what happened since the present commit, or since the beginning; `renames` are (uri before,
        uri after), also of files whose bytes changed, which a walk does not see.
        """
        with self._transaction():
            self._base.execute("DROP TABLE IF EXISTS previous")
            self._base.execute("ALTER TABLE file RENAME TO previous")
            self._base.execute(_FILE)
            self._base.executemany(
                "INSERT INTO file VALUES (?, ?, ?, ?, NULL, NULL, NULL, 1)",
                ((file.uri, file.mode, file.blob, file.size) for file in files),
            )
            self._base.execute(
                "UPDATE file SET at = p.at, author = p.author, native = p.native, "
                "unread = p.unread OR p.blob <> file.blob FROM previous AS p WHERE p.uri = file.uri"
            )
            if walk.whole:
                self._base.execute("UPDATE file SET at = NULL, author = NULL, native = NULL")
            self._base.executemany(
                "UPDATE file SET at = ?, author = ? WHERE uri = ?",
                ((*last, uri) for uri, last in walk.last.items()),
            )
            self._identify(commit, walk, renames)
            self._base.execute("DROP TABLE previous")
            self._set("commit", commit)
            self._set("owners", owners)

    def _identify(self, commit: str, walk: Walk, renames: Sequence[tuple[str, str]]) -> None:
        before = {
            now: self._base.execute("SELECT native FROM previous WHERE uri = ?", (uri,)).fetchone()
            for uri, now in walk.moved.items()
        }
        self._base.executemany(
            "UPDATE file SET native = ? WHERE uri = ?",
            ((_short(origin), uri) for uri, origin in walk.created.items()),
        )
        self._base.executemany(
            "UPDATE file SET native = ? WHERE uri = ?",
            ((found[0], uri) for uri, found in before.items() if found),
        )
        lost = [uri for (uri,) in self._base.execute("SELECT uri FROM file WHERE native IS NULL")]
        self._base.executemany(
            "UPDATE file SET native = ? WHERE uri = ?", ((_short(f"{commit}:{uri}"), uri) for uri in lost)
        )
        if not renames:
            return
        taken = {native for (native,) in self._base.execute("SELECT native FROM file")}
        for uri, now in renames:
            found = self._base.execute("SELECT native FROM previous WHERE uri = ?", (uri,)).fetchone()
            if found and found[0] not in taken and now in walk.created:
                taken.add(found[0])
                self._base.execute("UPDATE file SET native = ? WHERE uri = ?", (found[0], now))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def _note(self, name: str) -> str | None:
        try:
            found = self._base.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        except sqlite3.OperationalError:
            return None
        value: str | None = found[0] if found else None
        return value

    def _set(self, name: str, value: str | None) -> None:
        self._base.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, value))


def _drained(copy: sqlite3.Connection) -> Iterator[Row]:
    with closing(copy):
        yield _STARTED
        rows = copy.execute("SELECT * FROM file ORDER BY uri")
        while batch := rows.fetchmany(_BATCH):
            yield from map(Row._make, batch)


_STARTED = Row("", "", "", None, None, None, "", 0)


def suffix_of(uri: str) -> str:
    name = uri.rpartition("/")[2]
    return name[name.rfind(".") :].lower() if "." in name[1:] else ""


def _short(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()[:32]
