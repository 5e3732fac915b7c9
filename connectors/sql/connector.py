"""The connector for databases: `list`, `stat` and `fetch` by a query."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar
from urllib.parse import quote

from connectors.ascending import ascending
from connectors.base import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    Detection,
    DocumentError,
    DocumentForbidden,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Patterns,
    shortened,
)
from connectors.patterns import PathFilter
from connectors.receive import receive, too_large
from connectors.sql import identifiers
from connectors.sql.settings import SqlSettings

if TYPE_CHECKING:
    from connectors.sql.database import Database, Snapshot
    from connectors.sql.rows import Found, Rows

#: A broken query must not fill the memory with sentences.
_ERRORS_MAX = 100


class SqlConnector(Connector):
    """The rows of a query."""

    settings_model = SqlSettings
    capabilities: ClassVar[Capabilities] = Capabilities(token="content")

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, SqlSettings)
        self._settings = settings
        self._filter = PathFilter(Patterns(settings.include), Patterns(settings.exclude), hidden=True)
        self._known: Rows | None = None
        """The query as the database understood it last."""
        # By the columns that this source has, over what its class says.
        self.__dict__["capabilities"] = _capabilities(settings)

    @cached_property
    def _database(self) -> Database:
        from connectors.sql.database import Database

        return Database(self._settings, self.context)

    def probe(self) -> str:
        """Of PostgreSQL the cluster's own number and the database's, so that another server of the same name
        is another place; of SQLite the file's path, as such files are replaced by newer ones."""

        def identity(snapshot: Snapshot) -> str:
            self._understood(snapshot)
            return snapshot.identity() or self._database.home

        return self._database.ask(identity)

    def list(self, folders: Collection[str] | None = None) -> Listing:
        """Everything is read here, and sorted on disk, so that no transaction stays open while the listing is
        compared."""
        # Of many sentences the last ones do.
        errors: deque[str] = deque(maxlen=_ERRORS_MAX)

        def sort(snapshot: Snapshot) -> Iterator[Entry]:
            errors.clear()
            rows = self._understood(snapshot)
            some = (entry for entry in rows.entries(snapshot, errors) if self._listed(entry.uri, folders))
            found = ascending(some, errors)
            first = next(found, None)
            return found if first is None else chain([first], found)

        return Listing(self._database.ask(sort), errors=[*errors])

    def stat(self, uri: str) -> Entry | None:
        try:
            identifier = identifiers.decode(uri)
        except ValueError:
            return None
        if not self._filter.takes(uri):
            return None
        return self._database.ask(lambda at: _only(self._rows(at).find(at, identifier), uri))

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        from sqlalchemy.exc import DBAPIError

        from connectors.sql.content import bytes_of
        from connectors.sql.database import INSUFFICIENT_PRIVILEGE, said, sqlstate

        try:
            identifier = identifiers.decode(uri)
        except ValueError as error:
            raise DocumentForbidden(f"{shortened(repr(uri))} is not the address of a row: {error}") from error
        if not self._filter.takes(uri):
            raise DocumentVanished(f"{shortened(uri)!r} is not a document of this source any more.")
        limit = self.context.max_size

        def read(snapshot: Snapshot) -> Found | None:
            try:
                return _only(self._rows(snapshot).read(snapshot, identifier, limit), uri)
            except DBAPIError as error:
                if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
                    raise DocumentForbidden(f"{shortened(uri)!r} may not be read: {said(error)}.") from None
                raise

        try:
            found = self._database.ask(read)
        except DocumentForbidden:
            # Privileges may be lacking for all rows: then this raises SourceUnavailable.
            self.stat(uri)
            raise
        if found is None:
            raise DocumentVanished(f"{shortened(uri)!r} is gone.")
        entry, body = found
        if entry.size is not None and entry.size > limit:
            raise too_large(uri, entry.size, limit)
        received = receive([bytes_of(body)], uri, into, limit, announced=entry.size)
        return Fetched(entry, received.content_hash)

    def url(self, uri: str) -> str:
        return f"{self._database.home}#{quote(uri)}"

    def home(self) -> str:
        return self._database.home

    def close(self) -> None:
        if "_database" in self.__dict__:
            self._database.close()

    def _understood(self, snapshot: Snapshot) -> Rows:
        """The query as the database understands it now."""
        from connectors.sql.rows import Rows

        self._known = Rows(self._settings, self.context.source, snapshot)
        return self._known

    def _rows(self, snapshot: Snapshot) -> Rows:
        """The same as it was understood last: a column that is gone since is an error of the statement."""
        return self._known or self._understood(snapshot)

    def _listed(self, uri: str, folders: Collection[str] | None) -> bool:
        return self._filter.takes(uri) and (folders is None or uri.rpartition("/")[0] in folders)


Row = TypeVar("Row")


def _only(rows: Sequence[Row], uri: str) -> Row | None:
    """The one row with an id; None where there is none. Raises DocumentError for several."""
    if len(rows) > 1:
        raise DocumentError(f"{len(rows)} rows have the id of {shortened(uri)!r}.")
    return rows[0] if rows else None


def _capabilities(settings: SqlSettings) -> Capabilities:
    """With a time, an unchanged text is often under a changed token; else it is the hash of the content."""
    named = settings.columns
    given: tuple[tuple[str | None, Detection], ...] = (
        (named.owner, "owners"),
        (named.updated_at, "dates"),
        (named.title, "titles"),
        (named.url, "links"),
    )
    detects = {detection for column, detection in given if column is not None}
    return Capabilities("content" if named.updated_at is None else "mtime", detects=frozenset(detects))
