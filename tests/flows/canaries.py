"""Canaries, secrets that tests give away; and where a word is found in all of a Prefect's files, in any
form in which Prefect writes it down there."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

Canaries = dict[str, str]
"""{place that takes a secret: the secret}."""


def names(*names: str) -> Canaries:
    return {name: f"K4narienv0gel{number:02}-x:y/z@w" for number, name in enumerate(names)}


def quoted(canary: str) -> str:
    return quote(canary, safe="")


def core(canary: str) -> str:
    """The part that every spelling of a canary has in it."""
    return canary.split("-")[0]


def forms(word: str) -> set[bytes]:
    """As text, and as a part of something longer in base64, which is how pickled results are kept."""
    plain = word.encode("ascii")
    found = {plain, plain.lower(), plain.upper(), plain.hex().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + plain)
        # The first and the last characters depend on what stands before and after.
        found.add(whole[4 if shift else 0 : len(whole) // 4 * 4 - 4])
    return found


def places(word: str, *folders: Path) -> set[str]:
    """Tables and files that hold the word. Files are read as they lie there, with whatever a database has
    deleted or not yet merged; tables besides, because long values are cut into pages."""
    return places_of([word], *folders)[word]


def places_of(words: Iterable[str], *folders: Path) -> dict[str, set[str]]:
    """{word: tables and files that hold it}: all is read once."""
    wanted = {word: forms(word) for word in words}
    found: dict[str, set[str]] = {word: set() for word in wanted}
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        body = path.read_bytes()
        parts = [(path.name, body), *(_tables(path) if body.startswith(b"SQLite format 3") else ())]
        for name, content in parts:
            for word, spelled in wanted.items():
                if any(form in content for form in spelled):
                    found[word].add(name)
    return found


def _tables(database: Path) -> Iterator[tuple[str, bytes]]:
    """Each table's values, one after the other."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = [name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master")]
        for table in tables:
            try:
                rows = connection.execute(f'SELECT * FROM "{table}"')
            except sqlite3.OperationalError:
                # An index, which has no rows of its own.
                continue
            yield (
                table,
                b"\0".join(v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row),
            )
