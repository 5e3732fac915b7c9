"""Content types and user metadata of objects, which listings do not give: asked for once a version.

They are kept in a database of the source's cache, by key, ETag and date. Without it they are asked for again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from email.errors import MessageError
from email.header import decode_header, make_header
from pathlib import Path
from typing import NamedTuple

from connectors.cache import held, opened_database
from connectors.objects.keys import StoredObject

#: Requests at once.
_TOGETHER = 8
_FILE = "descriptions.db"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS description (key TEXT PRIMARY KEY, etag TEXT, modified_at INTEGER, "
    "said TEXT, listing TEXT) WITHOUT ROWID"
)

#: What an attribute of obstore is when it is not the user's own.
_STANDARD = {
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "storage-class",
}
#: Content types that say nothing.
_ANY = {"application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"}


class Description(NamedTuple):
    """What `Entry` says of a document beyond its version."""

    format: str | None
    properties: Mapping[str, str]


def description_of(attributes: Mapping[str, str]) -> Description:
    """What the headers of an object say of it. Names of metadata become those of front matter: header names
    have no underscore in S3, and no hyphen in Azure.

    >>> description_of({"Content-Type": "text/html", "last-reviewed": "2026-05-01"})
    Description(format='text/html', properties={'last_reviewed': '2026-05-01'})
    """
    said = {name.lower(): value for name, value in attributes.items()}
    kind = said.get("content-type", "")
    properties = {
        name.replace("-", "_"): _readable(value) for name, value in said.items() if name not in _STANDARD
    }
    return Description(None if not kind or kind in _ANY else kind, dict(sorted(properties.items())))


class Descriptions:
    """Of one source. `look` asks the bucket; it is called by several threads at once."""

    def __init__(self, cache: Path | None, look: Callable[[str], Description | None]) -> None:
        self._cache, self._look = cache, look

    def of(self, found: Sequence[StoredObject], listing: str = "") -> list[Description | None]:
        """Those of these objects, in this order, and None where `look` says so; `listing` names the listing
        that they are of. Raises what `look` raises."""
        try:
            return self._of(found, listing)
        except sqlite3.Error:
            # Damaged: everything can be asked for again.
            self._remove()
            return self._of(found, listing)

    def _of(self, found: Sequence[StoredObject], listing: str) -> list[Description | None]:
        with self._database() as database:
            known = {} if database is None else dict(_known(database, found))
            unknown = [one for one in found if one.key not in known]
            with ThreadPoolExecutor(_TOGETHER) as threads:
                fresh = dict(
                    zip(
                        [one.key for one in unknown],
                        threads.map(self._look, [one.key for one in unknown]),
                        strict=True,
                    )
                )
            said: dict[str, Description | None] = {**known, **fresh}
            if database is not None and found:
                # Times are bound as text: SQLite takes no number of more than 64 bits.
                rows = [
                    (one.key, one.etag, str(one.modified_at), json.dumps(said[one.key]), listing)
                    for one in found
                    if said[one.key] is not None
                ]
                with database:
                    database.executemany("INSERT OR REPLACE INTO description VALUES (?, ?, ?, ?, ?)", rows)
        return [said[one.key] for one in found]

    def forget_others(self, listing: str) -> None:
        """Of the objects that this listing, a complete one, did not have, nothing is kept."""
        with self._database() as database:
            if database is not None:
                with database:
                    database.execute("DELETE FROM description WHERE listing NOT IN (?, '')", (listing,))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection | None]:
        """The kept ones, while no other process uses them; None where nothing can be kept."""
        if self._cache is None:
            yield None
            return
        with held(self._cache) as folder, closing(opened_database(folder / _FILE, _TABLE)) as database:
            yield database

    def _remove(self) -> None:
        with held(self._cache) as folder:
            (folder / _FILE).unlink(missing_ok=True)


def _known(database: sqlite3.Connection, found: Iterable[StoredObject]) -> Iterator[tuple[str, Description]]:
    for one in found:
        if one.etag is None:
            continue
        row = database.execute(
            "SELECT said FROM description WHERE key = ? AND etag = ? AND modified_at = ?",
            (one.key, one.etag, str(one.modified_at)),
        ).fetchone()
        if row is not None:
            format, properties = json.loads(row[0])
            # Rows outlive the code that wrote them.
            yield one.key, Description(format, {name: _whole(value) for name, value in properties.items()})


def _readable(value: str) -> str:
    """S3 gives text outside of ASCII in the spelling of mail headers."""
    if "=?" not in value:
        return value
    try:
        return _whole(str(make_header(decode_header(value))))
    except (MessageError, LookupError, UnicodeError):
        return value


def _whole(value: str) -> str:
    """Without half a character, which some charsets can spell, and which is no text."""
    return value.encode("utf-8", "replace").decode()
