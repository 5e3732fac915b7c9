"""The members of unchanged mails, kept in a folder of the source's cache: its loss costs time alone.

A mail is known by its change token. Names and hashes of members are kept, and none of their bytes. Documents
that a source has itself where an attachment would be are kept as mails without a token.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from connectors.base import Entry, forget, held, opened_database
from index.attachments.members import Member

_FILE = "members.db"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS mail (uri TEXT PRIMARY KEY, token TEXT, made_by TEXT, members TEXT)"
    " WITHOUT ROWID"
)

#: Members of a mail; None for one that cannot be read.
Members = Sequence[Member] | None


class Memory:
    """Opened for each use, because it may be gone by the next one. Where it cannot be used, it is empty."""

    def __init__(self, cache: Path | None, made_by: Callable[[], str]) -> None:
        """`cache`: the folder of the connector's own, beside which it lies; None: it is kept in memory.
        `made_by`: the fingerprint of how members are found."""
        # Beside, because a connector may hold its own folder while it lists.
        self._folder = None if cache is None else cache.with_name(f"{cache.name}.attachments")
        self._made_by = made_by
        self._own: sqlite3.Connection | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is kept, and no folder made for it."""
        return self._own is None if self._folder is None else not (self._folder / _FILE).exists()

    def known(self, mails: Iterable[Entry]) -> dict[str, Members]:
        """{uri: members} of those mails whose version is known."""
        found: dict[str, Members] = {}
        with self._opened() as database:
            for mail in mails:
                if database is None:
                    break
                asked = (mail.uri, mail.token, self._made_by())
                query = "SELECT members FROM mail WHERE uri = ? AND token = ? AND made_by = ?"
                row = None if mail.token is None else database.execute(query, asked).fetchone()
                if row is not None:
                    said = json.loads(row[0])
                    found[mail.uri] = None if said is None else [Member(*one) for one in said]
        return found

    def keep(self, found: Mapping[str, tuple[str, Members]]) -> None:
        """Remember {uri: (token, members)}."""
        if not found:
            return
        rows = [(uri, token, self._made_by(), json.dumps(members)) for uri, (token, members) in found.items()]
        with self._opened() as database:
            if database is not None:
                database.executemany("INSERT OR REPLACE INTO mail VALUES (?, ?, ?, ?)", rows)

    def recorded(self, uris: Collection[str]) -> set[str]:
        """Those of these uris that are on record: mails, and what a source has itself where an attachment
        would be."""
        marks = ", ".join("?" * len(uris))
        found: set[str] = set()
        with self._opened() as database:
            if database is not None:
                query = f"SELECT uri FROM mail WHERE uri IN ({marks})"
                found.update(row[0] for row in database.execute(query, [*uris]))
        return found

    def forget_between(self, first: str, last: str | None, mails: Collection[str]) -> None:
        """Forget all after `first`, up to `last` (None: all), but these mails: they are gone."""
        if self.empty:
            return
        with self._opened() as database:
            if database is not None:
                query = "SELECT uri FROM mail WHERE uri > ? AND (? IS NULL OR uri <= ?)"
                kept = [row[0] for row in database.execute(query, (first, last, last))]
                gone = [(uri,) for uri in kept if uri not in mails]
                if gone:
                    database.executemany("DELETE FROM mail WHERE uri = ?", gone)

    def forget(self) -> None:
        """Forget all."""
        self.close()
        if self._folder is not None:
            forget(self._folder)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection | None]:
        """The database, used by nobody else meanwhile; None where there can be none. An error in its use ends
        the use, and nothing else."""
        with ExitStack() as stack:
            try:
                database = self._entered(stack)
            except (OSError, sqlite3.Error):
                yield None
                return
            try:
                yield database
                database.commit()
            except (sqlite3.Error, ValueError, TypeError):
                # Of a damaged one nothing is kept.
                self._remove()

    def _entered(self, stack: ExitStack) -> sqlite3.Connection:
        if self._folder is None:
            self._own = self._own or opened_database("", _TABLE)
            return self._own
        folder = stack.enter_context(held(self._folder))
        try:
            return stack.enter_context(closing(opened_database(folder / _FILE, _TABLE)))
        except sqlite3.DatabaseError:
            self._remove()
            return stack.enter_context(closing(opened_database(folder / _FILE, _TABLE)))

    def _remove(self) -> None:
        self.close()
        if self._folder is not None:
            with suppress(OSError):
                (self._folder / _FILE).unlink(missing_ok=True)
