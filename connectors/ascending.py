"""Listings of sources that do not list in order: sorted on disk, not in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, MutableSequence
from contextlib import closing

from connectors.base import Entry, known_time
from connectors.errors import shortened

_BATCH = 1_000
_TABLE = f"CREATE TABLE entry (uri TEXT PRIMARY KEY, {', '.join(Entry._fields[1:])}) WITHOUT ROWID"


def ascending(entries: Iterable[Entry], errors: MutableSequence[str]) -> Iterator[Entry]:
    """The same entries in ascending order of uri, by code point.

    All are taken in before the first comes out, into a temporary file that nobody else can open. Of two with
    the same uri the first counts, and a sentence in `errors` makes the listing incomplete: which of them is
    the document cannot be told.
    """
    # An unnamed database is a temporary file once it is larger than its cache. It compares text as UTF-8,
    # which is the order of code points.
    with closing(sqlite3.connect("", check_same_thread=False, isolation_level=None)) as sorting:
        sorting.execute(_TABLE)
        sorting.execute("BEGIN")
        for entry in entries:
            said = None if entry.properties is None else json.dumps(dict(entry.properties))
            row = entry._replace(modified_at=known_time(entry.modified_at), properties=None)
            done = sorting.execute(
                "INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", (*row[:5], said, row.format)
            )
            if not done.rowcount:
                errors.append(f"Two documents have the same address {shortened(entry.uri)!r}.")
        found = sorting.execute("SELECT * FROM entry ORDER BY uri")
        while rows := found.fetchmany(_BATCH):
            for uri, token, size, modified_at, native_id, said, format in rows:
                properties = None if said is None else json.loads(said)
                yield Entry(uri, token, size, modified_at, native_id, properties, format)
